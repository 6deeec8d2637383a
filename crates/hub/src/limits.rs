//! A limit on everything a server may send.

use std::time::Duration;

/// What is accepted at most, and how long is waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Redirects of one request.
    pub redirects: usize,
    /// Bytes of the headers of one answer.
    pub header_bytes: usize,
    /// Bytes of one JSON answer.
    pub json_bytes: u64,
    /// Pages of one listing.
    pub pages: usize,
    /// Files of one model.
    pub files: usize,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of one small file that is read into memory (cards, licences, indexes, manifests).
    pub text_bytes: u64,
    /// Layers of one OCI or Ollama manifest.
    pub layers: usize,
    /// Range requests for the header of one remote file.
    pub header_requests: usize,
    /// To find, reach and hear from a host.
    pub connect: Duration,
    /// Between two pieces of an answer.
    pub silence: Duration,
    /// For one whole JSON answer.
    pub answer: Duration,
    /// The least number of bytes of a file in each `silence`.
    pub trickle_bytes: u64,
    /// Tries without any progress before giving up.
    pub tries: u32,
    /// Wait before the second try; doubles with each.
    pub pause: Duration,
    /// Bytes left free on the disk.
    pub spare_bytes: u64,
}

impl Limits {
    /// What is used unless told otherwise.
    pub const DEFAULT: Limits = Limits {
        redirects: 5,
        header_bytes: 64 << 10,
        json_bytes: 16 << 20,
        pages: 100,
        files: 50_000,
        file_bytes: 16 << 40,
        text_bytes: 32 << 20,
        layers: 1_000,
        header_requests: 16,
        connect: Duration::from_secs(15),
        silence: Duration::from_secs(30),
        answer: Duration::from_mins(2),
        trickle_bytes: 4 << 10,
        tries: 5,
        pause: Duration::from_millis(500),
        spare_bytes: 64 << 20,
    };

    /// All limits that are numbers of things, for `doctor --limits`.
    pub fn table(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("hub.redirects", self.redirects as u64),
            ("hub.header_bytes", self.header_bytes as u64),
            ("hub.json_bytes", self.json_bytes),
            ("hub.pages", self.pages as u64),
            ("hub.files", self.files as u64),
            ("hub.file_bytes", self.file_bytes),
            ("hub.text_bytes", self.text_bytes),
            ("hub.layers", self.layers as u64),
            ("hub.header_requests", self.header_requests as u64),
            ("hub.connect_s", self.connect.as_secs()),
            ("hub.silence_s", self.silence.as_secs()),
            ("hub.answer_s", self.answer.as_secs()),
            ("hub.trickle_bytes", self.trickle_bytes),
            ("hub.tries", u64::from(self.tries)),
            ("hub.spare_bytes", self.spare_bytes),
        ]
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits::DEFAULT
    }
}
