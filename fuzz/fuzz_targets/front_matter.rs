//! YAML front matter: bounded, and never more than a small tree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weights::{Limits, front_matter};

fuzz_target!(|bytes: &[u8]| {
    let mut card = b"---\n".to_vec();
    card.extend(bytes);
    card.extend(b"\n---\n");
    drop(front_matter(&card, &Limits::DEFAULT));
    drop(front_matter(bytes, &Limits::DEFAULT));
});
