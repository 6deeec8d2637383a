//! Every bound of the tokenizer readers and of encoding, in one place.
//!
//! A tokenizer file is as untrusted as the weights beside it: what it may cost is decided here,
//! before anything is allocated.

/// Bytes of a tokenizer file; the largest in use (262 144 tokens with merges) is 35 MB.
pub const FILE_BYTES: usize = 128 << 20;
/// Tokens of a vocabulary.
pub const TOKENS: usize = 1 << 21;
/// Merge rules; the largest in use has about 515 000.
pub const MERGES: usize = 1 << 22;
/// Bytes of one token of a vocabulary.
pub const TOKEN_BYTES: usize = 1 << 14;
/// Bytes of one token that matching may have to walk again at every position.
pub const PIECE_BYTES: usize = 1 << 10;
/// Bytes of all added tokens together: they become one automaton.
pub const ADDED_BYTES: usize = 4 << 20;
/// Bytes of one splitting or replacing pattern.
pub const PATTERN_BYTES: usize = 1 << 14;
/// Memory one compiled pattern may take, in bytes.
pub const PATTERN_MEMORY: usize = 16 << 20;
/// Steps one search of a backtracking pattern may take.
pub const PATTERN_STEPS: usize = 1_000_000;
/// Time all searches of one backtracking pattern in one text may take, in seconds.
pub const PATTERN_SECONDS: f32 = 2.0;
/// Steps of a normalizer, a pre-tokenizer or a decoder, sequences flattened.
pub const STEPS: usize = 64;
/// Bytes of one text given to a tokenizer.
pub const TEXT_BYTES: usize = 64 << 20;
/// How many findings are kept; more are counted only.
pub const FINDINGS: usize = 64;
