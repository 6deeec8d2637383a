//! Mapped bytes that were released no longer count as the process's memory.
//! Alone in its program, for it looks at the whole process.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use weights::{Checkpoint, GgufWriter};

const BYTES: usize = 64 << 20;

/// Bytes of mapped files in this process's memory.
fn mapped_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn released_tensors_leave_the_memory_of_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.gguf");
    let mut writer = GgufWriter::new("test");
    writer.tensor("large", &[BYTES / 4 / 1024, 1024], &quant::F32).unwrap();
    writer.write(&path, |_, stream| stream.put(&vec![0; 1 << 20])).unwrap();

    let opened = Checkpoint::open(&path).unwrap();
    let before = mapped_bytes();
    let tensor = opened.tensor("large").unwrap();
    let bytes = opened.bytes(tensor).unwrap();
    assert_eq!(bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>(), 0);
    let used = mapped_bytes();
    assert!(used > before + BYTES / 2, "{before} {used}");
    opened.release(tensor);
    let after = mapped_bytes();
    assert!(after < before + BYTES / 8, "{before} {used} {after}");
    // Reading every value once, as `inspect --deep` does, leaves nothing behind either.
    assert_eq!(opened.scan("large").unwrap().zeros, (BYTES / 4) as u64);
    assert!(mapped_bytes() < before + BYTES / 8);
}
