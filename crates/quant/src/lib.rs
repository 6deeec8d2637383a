//! Number formats: block layout, encode, decode, stated error of each.
