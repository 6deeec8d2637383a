//! The two hashes that name files on a hub: sha256 of large files, git's blob sha1 of small ones.
//!
//! Nothing else is believed from a header: an ETag that is neither 40 nor 64 lower-case hexadecimal
//! digits is refused, for it becomes a file name (CVE-2024-37032 was that mistake).

use std::fmt;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// The hash of a file, as its publisher states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Digest {
    /// sha256 of the bytes (LFS, Xet, OCI, Ollama).
    Sha256([u8; 32]),
    /// sha1 of `blob {length}\0` and the bytes, as git names a file.
    Git([u8; 20]),
}

impl Digest {
    /// Reads 64 or 40 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Option<Digest> {
        match text.len() {
            64 => Digest::bytes(text).map(Digest::Sha256),
            40 => Digest::bytes(text).map(Digest::Git),
            _ => None,
        }
    }

    /// Reads `sha256:` and 64 digits.
    pub fn parse_sha256(text: &str) -> Option<Digest> {
        Digest::bytes(text.strip_prefix("sha256:")?).map(Digest::Sha256)
    }

    /// Reads an ETag: quotes and the mark of weakness go.
    pub(crate) fn parse_etag(text: &str) -> Option<Digest> {
        let text = text.strip_prefix("W/").unwrap_or(text);
        Digest::parse(
            text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text),
        )
    }

    fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut out = [0; N];
        if text.len() != 2 * N {
            return None;
        }
        for (slot, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *slot = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(out)
    }

    /// The sha256 of `bytes`.
    pub fn sha256_of(bytes: &[u8]) -> Digest {
        Digest::Sha256(Sha256::digest(bytes).into())
    }

    /// The digits alone: the name of the file in `blobs`.
    pub fn hex(&self) -> String {
        let bytes: &[u8] = match self {
            Digest::Sha256(bytes) => bytes,
            Digest::Git(bytes) => bytes,
        };
        bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            out.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
            );
            out
        })
    }

    /// A hasher of the same kind for a file of `bytes` bytes.
    pub(crate) fn hasher(&self, bytes: u64) -> Hasher {
        match self {
            Digest::Sha256(_) => Hasher::Sha256(Sha256::new()),
            Digest::Git(_) => Hasher::git(bytes),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Digest::Sha256(_) => "sha256",
            Digest::Git(_) => "git",
        };
        write!(f, "{kind}:{}", self.hex())
    }
}

/// A hash being computed.
pub(crate) enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    pub(crate) fn sha256() -> Hasher {
        Hasher::Sha256(Sha256::new())
    }

    fn git(bytes: u64) -> Hasher {
        let mut hasher = Sha1::new();
        hasher.update(format!("blob {bytes}\0"));
        Hasher::Git(hasher)
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Git(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Hasher::Sha256(hasher) => Digest::Sha256(hasher.finalize().into()),
            Hasher::Git(hasher) => Digest::Git(hasher.finalize().into()),
        }
    }
}

/// Whether `text` is a whole commit: 40 lower-case hexadecimal digits.
pub(crate) fn is_commit(text: &str) -> bool {
    matches!(Digest::parse(text), Some(Digest::Git(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2_only_hashes_are_read_as_hashes() {
        let hex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(Digest::sha256_of(b"hello"), Digest::parse(hex).unwrap());
        assert_eq!(Digest::parse(hex).unwrap().hex(), hex);
        assert_eq!(Digest::parse_etag(&format!("W/\"{hex}\"")), Digest::parse(hex));
        for text in [
            "",
            "../../../../x",
            "\"../../etc\"",
            &hex.to_uppercase(),
            &hex[1..],
            &format!("{hex}0"),
            "main",
        ] {
            assert_eq!(Digest::parse_etag(text), None, "{text}");
        }
        assert!(Digest::parse_sha256(&format!("sha256-{hex}")).is_none());
        assert!(is_commit(&hex[..40]) && !is_commit(hex) && !is_commit("main"));
    }

    #[test]
    fn git_names_a_file_by_its_length_and_bytes() {
        let mut hasher = Hasher::git(5);
        hasher.update(b"hel");
        hasher.update(b"lo");
        assert_eq!(hasher.finish().hex(), "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0");
    }
}
