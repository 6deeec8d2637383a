//! The APIs: routes, keys, metrics. The only crate that knows the wire JSON.
