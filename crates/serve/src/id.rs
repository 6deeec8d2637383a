//! Names nobody else has: of requests, answers, calls, keys.

/// `prefix` and 24 letters and digits, drawn from the system's randomness.
pub(crate) fn new(prefix: &str) -> String {
    let mut bytes = [0; 24];
    fill(&mut bytes);
    let letter = |byte: &u8| char::from(LETTERS[usize::from(*byte) % LETTERS.len()]);
    prefix.chars().chain(bytes.iter().map(letter)).collect()
}

const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Fills with random bytes.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the system gives randomness, or nothing here is safe");
}

/// A seed nobody chose; small enough to be typed again, and to survive any JSON reader.
pub(crate) fn seed() -> u64 {
    let mut bytes = [0; 4];
    fill(&mut bytes);
    u64::from(u32::from_le_bytes(bytes))
}
