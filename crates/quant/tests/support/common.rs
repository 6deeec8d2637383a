//! What the tests share: numbers from a seed, and a reader for golden safetensors files.
#![allow(dead_code, reason = "every test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;

/// The splitmix64 generator.
pub(crate) struct Splitmix(pub(crate) u64);

impl Splitmix {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// Uniform between 0 and 1.
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// Normal with mean 0 and variance 1 (Box and Muller).
    pub(crate) fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.uniform()).cos()
    }
}

/// A golden safetensors file, trusted.
pub(crate) struct Safetensors {
    header: serde_json::Value,
    data: Vec<u8>,
}

pub(crate) fn safetensors(path: &Path) -> Safetensors {
    let mut data = std::fs::read(path).unwrap();
    let header = u64::from_le_bytes(data[..8].try_into().unwrap()) as usize;
    let rest = data.split_off(8 + header);
    Safetensors { header: serde_json::from_slice(&data[8..]).unwrap(), data: rest }
}

impl Safetensors {
    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        let at = |i: usize| self.header[name]["data_offsets"][i].as_u64().unwrap() as usize;
        &self.data[at(0)..at(1)]
    }

    pub(crate) fn f32(&self, name: &str) -> Vec<f32> {
        self.bytes(name).as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.header.as_object().unwrap().keys().map(String::as_str)
    }
}
