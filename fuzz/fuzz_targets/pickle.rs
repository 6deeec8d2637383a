//! The report on a pickle program: it ends, and its text is fit to be printed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weights::{Limits, pickle_report};

fuzz_target!(|bytes: &[u8]| {
    let report = pickle_report(bytes, &Limits::DEFAULT);
    assert!(report.imports.len() <= 32);
    assert!(report.operations <= bytes.len());
    assert!(!report.to_string().chars().any(char::is_control));
});
