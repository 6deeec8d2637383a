//! Vocabularies of whole words: WordPiece, which takes the longest token from the left again and
//! again, and word level, which takes words whole or not at all.

use super::vocab::Vocab;
use crate::{Error, Result};

/// Greedy longest match from the left (BERT).
#[derive(Clone, Debug)]
pub(crate) struct WordPiece {
    pub(crate) unknown: Option<u32>,
    /// Written before every token of a word but its first.
    pub(crate) prefix: String,
    /// Words of more characters are unknown.
    pub(crate) longest_word: usize,
    /// The longest token in bytes; nothing longer is looked up.
    pub(crate) longest_token: usize,
}

impl WordPiece {
    /// Appends the ids of one word.
    pub(crate) fn encode(&self, word: &str, vocab: &Vocab, out: &mut Vec<u32>) -> Result<()> {
        let before = out.len();
        let too_long = word.chars().nth(self.longest_word).is_some();
        if !too_long && self.pieces(word, vocab, out).is_some() {
            return Ok(());
        }
        out.truncate(before);
        out.push(self.unknown.ok_or_else(|| unencodable(word))?);
        Ok(())
    }

    fn pieces(&self, word: &str, vocab: &Vocab, out: &mut Vec<u32>) -> Option<()> {
        let mut start = 0;
        let mut written = String::new();
        while start < word.len() {
            let rest = &word[start..];
            let longest = rest.len().min(self.longest_token);
            let mut ends = (1..=longest).rev().filter(|&end| rest.is_char_boundary(end));
            let (end, id) = ends.find_map(|end| {
                let id = if start == 0 {
                    vocab.spoken(&rest[..end])
                } else {
                    written.clear();
                    written.push_str(&self.prefix);
                    written.push_str(&rest[..end]);
                    vocab.spoken(&written)
                };
                id.map(|id| (end, id))
            })?;
            out.push(id);
            start += end;
        }
        Some(())
    }
}

/// The id of a whole word.
pub(crate) fn encode_word(
    word: &str,
    vocab: &Vocab,
    unknown: Option<u32>,
    out: &mut Vec<u32>,
) -> Result<()> {
    out.push(vocab.spoken(word).or(unknown).ok_or_else(|| unencodable(word))?);
    Ok(())
}

fn unencodable(word: &str) -> Error {
    Error::Unencodable { text: word.chars().take(20).collect() }
}
