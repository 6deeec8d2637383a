//! GGUF headers: an error, or a file of which everything can be read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weights::{Checkpoint, Limits, gguf};

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits::DEFAULT;
    let whole = gguf::parse(bytes, bytes.len() as u64, &limits);
    // The start of a file gives the same or asks for more.
    let part = gguf::parse(&bytes[..bytes.len() / 2], bytes.len() as u64, &limits);
    if let Ok(part) = &part {
        assert_eq!(Some(part), whole.as_ref().ok());
    }
    if whole.is_err() {
        return;
    }
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let path = folder.path().join("a.gguf");
    std::fs::write(&path, bytes).expect("a file");
    let Ok(opened) = Checkpoint::open(&path) else { return };
    for tensor in opened.tensors().values() {
        assert_eq!(opened.bytes(tensor).expect("bytes").len() as u64, tensor.len_bytes());
    }
    for logical in opened.logical_tensors().values() {
        if logical.elements() < 1 << 16 {
            assert_eq!(opened.scan(&logical.name).expect("values").count, logical.elements() as u64);
        }
    }
    let keys = opened.metadata().gguf().expect("GGUF");
    for key in keys.keys() {
        keys.value(key).expect("a value");
        drop((keys.str(key), keys.uint(key), keys.int(key), keys.float(key), keys.bool(key)));
        drop((keys.array_str(key), keys.array_i32(key), keys.array_f32(key), keys.array_bool(key)));
    }
});
