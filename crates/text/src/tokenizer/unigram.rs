//! The unigram model: the division of a text whose tokens have the highest summed score.
//!
//! Kudo 2018, "Subword Regularization"; found with dynamic programming over positions. Tokens
//! are kept sorted, so that all tokens that begin at a position are found by narrowing a range,
//! byte by byte.

use std::ops::Range;

use super::limits;
use super::vocab::{TokenKind, Vocab, too_large};
use crate::{Error, Result};

/// What an unknown character costs beyond the worst token.
const UNKNOWN_PENALTY: f64 = 10.0;

/// The model.
#[derive(Debug)]
pub(crate) struct Unigram {
    /// Sorted by text.
    tokens: Vec<(Box<[u8]>, u32, f64)>,
    /// The range of tokens that begin with each byte.
    first: Vec<Range<u32>>,
    unknown: Option<u32>,
    unknown_score: f64,
    bytes: Option<Box<[Option<u32>; 256]>>,
}

/// Which tokens take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    /// All of them, as in `tokenizer.json`.
    All,
    /// Those that stand for text, as in SentencePiece and GGUF files.
    Text,
}

/// Whether unknown characters become byte tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteFallback {
    No,
    Yes,
}

impl Unigram {
    /// Builds the model from one score per token; tokens beyond them are not the model's.
    pub(crate) fn new(
        vocab: &Vocab,
        scores: &[f64],
        unknown: Option<u32>,
        members: Members,
        fallback: ByteFallback,
    ) -> Result<Self> {
        if scores.len() > vocab.len() {
            let (found, expected) = (scores.len(), vocab.len());
            return Err(Error::VocabularyMismatch { what: "scores", found, expected });
        }
        let mut tokens = Vec::with_capacity(vocab.len());
        let mut lowest = f64::INFINITY;
        for (id, text) in vocab.iter().take_while(|(id, _)| (*id as usize) < scores.len()) {
            let score = scores.get(id as usize).copied().unwrap_or(f64::NAN);
            if !score.is_finite() {
                let reason = format!("the score of {text:?} is {score}");
                return Err(Error::Tokenizer { what: "scores", reason });
            }
            let kind = vocab.kind(id);
            let takes_part = members == Members::All
                || matches!(kind, Some(TokenKind::Normal | TokenKind::UserDefined));
            if members == Members::All || kind == Some(TokenKind::Normal) {
                lowest = lowest.min(score);
            }
            if !takes_part || text.is_empty() || vocab.is_marker(id) {
                continue;
            }
            if text.len() > limits::PIECE_BYTES {
                let (found, limit) = (text.len() as u64, limits::PIECE_BYTES);
                return Err(too_large("a unigram token, in bytes,", found, limit));
            }
            tokens.push((text.as_bytes().into(), id, score));
        }
        tokens.sort_by(|a: &(Box<[u8]>, u32, f64), b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)));
        tokens.dedup_by(|b, a| a.0 == b.0); // the later id of a text wins, as in a map
        let first = (0..=255u8)
            .map(|byte| {
                let from = tokens.partition_point(|token| token.0[0] < byte) as u32;
                let to = tokens.partition_point(|token| token.0[0] <= byte) as u32;
                from..to
            })
            .collect();
        let bytes = (fallback == ByteFallback::Yes).then(|| vocab.byte_tokens());
        let bytes = bytes.filter(|bytes| bytes.iter().any(Option::is_some));
        Ok(Self { tokens, first, unknown, unknown_score: lowest - UNKNOWN_PENALTY, bytes })
    }

    /// Appends the ids of one piece.
    pub(crate) fn encode(&self, piece: &str, out: &mut Vec<u32>) -> Result<()> {
        #[derive(Clone, Copy)]
        struct Best {
            score: f64,
            start: u32,
            id: Option<u32>,
        }
        const UNREACHED: u32 = u32::MAX;
        let text = piece.as_bytes();
        let mut best = vec![Best { score: 0.0, start: UNREACHED, id: None }; text.len() + 1];
        let mut at = 0;
        for c in piece.chars() {
            let here = best[at].score;
            let mut single = false;
            let mut reach = |end: usize, score: f64, id: Option<u32>| {
                let slot = &mut best[end];
                if slot.start == UNREACHED || score > slot.score {
                    *slot = Best { score, start: at as u32, id };
                }
            };
            self.each_prefix(&text[at..], |length, id, score| {
                single |= length == c.len_utf8();
                reach(at + length, here + score, Some(id));
            });
            if !single {
                reach(at + c.len_utf8(), here + self.unknown_score, None);
            }
            at += c.len_utf8();
        }
        let mut path = Vec::new();
        let mut end = text.len();
        while end > 0 {
            let step = best[end];
            path.push((step.start as usize..end, step.id));
            end = step.start as usize;
        }
        let mut unknown_before = false;
        for (range, id) in path.into_iter().rev() {
            let is_unknown = id.is_none() || id == self.unknown;
            if is_unknown {
                self.emit_unknown(&piece[range], unknown_before, out)?;
            } else {
                out.extend(id);
            }
            unknown_before = is_unknown;
        }
        Ok(())
    }

    fn emit_unknown(&self, text: &str, fused: bool, out: &mut Vec<u32>) -> Result<()> {
        if let Some(bytes) = &self.bytes
            && text.bytes().all(|byte| bytes[byte as usize].is_some())
        {
            out.extend(text.bytes().filter_map(|byte| bytes[byte as usize]));
            return Ok(());
        }
        match self.unknown {
            Some(_) if fused => Ok(()),
            Some(id) => {
                out.push(id);
                Ok(())
            }
            None => Err(Error::Unencodable { text: text.chars().take(20).collect() }),
        }
    }

    /// Calls `found` with length, id and score of each token that begins `text`, shortest first.
    fn each_prefix(&self, text: &[u8], mut found: impl FnMut(usize, u32, f64)) {
        let Some(byte) = text.first() else { return };
        let range = &self.first[*byte as usize];
        let mut tokens = &self.tokens[range.start as usize..range.end as usize];
        for depth in 1.. {
            let Some((token, id, score)) = tokens.first() else { return };
            if token.len() == depth {
                found(depth, *id, *score);
                tokens = &tokens[1..];
            }
            let Some(&byte) = text.get(depth) else { return };
            let from = tokens.partition_point(|token| token.0[depth] < byte);
            let count = tokens[from..].partition_point(|token| token.0[depth] == byte);
            tokens = &tokens[from..from + count];
        }
    }
}
