//! The index of a sharded checkpoint: no path leaves its folder.
#![no_main]

use std::path::Component;

use libfuzzer_sys::fuzz_target;
use weights::Limits;

fuzz_target!(|bytes: &[u8]| {
    let Ok(index) = weights::safetensors::parse_index(bytes, &Limits::DEFAULT) else { return };
    for file in &index.files {
        assert!(file.components().all(|part| matches!(part, Component::Normal(_))), "{file:?}");
        assert!(file.is_relative());
    }
    assert!(index.tensors.values().all(|&file| file < index.files.len()));
});
