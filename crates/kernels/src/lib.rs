//! The fast loops: one operation a file, one folder an instruction set, one choice at start-up.
