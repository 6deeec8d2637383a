//! Bounded JSON: whatever it accepts, serde_json reads as the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weights::json::{Bounds, parse};

fuzz_target!(|bytes: &[u8]| {
    let Ok(ours) = parse(bytes, Bounds::default()) else { return };
    let theirs: serde_json::Value = serde_json::from_slice(bytes).expect("well-formed JSON");
    assert_eq!(ours, theirs);
});
