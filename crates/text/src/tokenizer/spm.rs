//! SentencePiece BPE: no list of merges; any two neighbours whose joined text is a token may
//! merge, the token with the highest score first.
//!
//! Kudo & Richardson 2018, "SentencePiece". What is left and is no token becomes byte tokens or
//! the unknown token.

use hashbrown::HashMap;

use super::cuts::Cuts;
use super::merge::{Merges, NO_TOKEN, Symbol, merge_all};
use super::vocab::{TokenKind, Vocab};
use crate::{Error, Result};

/// The model.
#[derive(Debug)]
pub(crate) struct Spm {
    /// Text to rank (lower merges first) and id, of the tokens that text can become.
    tokens: HashMap<Box<str>, (u32, u32)>,
    unused: Vec<u32>,
    bytes: Option<Box<[Option<u32>; 256]>>,
    unknown: Option<u32>,
    cuts: Cuts,
}

impl Spm {
    /// Builds the model from one score per token.
    pub(crate) fn new(vocab: &Vocab, scores: &[f32], unknown: Option<u32>) -> Result<Self> {
        if scores.len() != vocab.len() {
            let (found, expected) = (scores.len(), vocab.len());
            return Err(Error::VocabularyMismatch { what: "scores", found, expected });
        }
        let mut tokens = HashMap::with_capacity(vocab.len());
        let mut unused = Vec::new();
        for (id, text) in vocab.iter().filter(|(id, _)| !vocab.is_marker(*id)) {
            let score = scores.get(id as usize).copied().unwrap_or(f32::MIN);
            if score.is_nan() {
                let reason = format!("the score of {text:?} is not a number");
                return Err(Error::Tokenizer { what: "scores", reason });
            }
            match vocab.kind(id) {
                Some(TokenKind::Normal | TokenKind::UserDefined) => {}
                Some(TokenKind::Unused) => unused.push(id),
                _ => continue,
            }
            tokens.insert(text.into(), (descending(score), id));
        }
        let bytes = vocab.byte_tokens();
        let complete = bytes.iter().all(Option::is_some);
        Ok(Self {
            tokens,
            unused,
            bytes: complete.then_some(bytes),
            unknown,
            cuts: Cuts::new(vocab),
        })
    }

    /// Appends the ids of one piece.
    pub(crate) fn encode(
        &self,
        piece: &str,
        scratch: &mut Vec<Symbol>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        self.cuts.parts(piece, |part| self.encode_part(part, scratch, out))
    }

    fn encode_part(
        &self,
        piece: &str,
        scratch: &mut Vec<Symbol>,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        scratch.clear();
        for (at, c) in piece.char_indices() {
            let (start, end) = (at as u32, (at + c.len_utf8()) as u32);
            let id = self.tokens.get(&piece[at..end as usize]).map_or(NO_TOKEN, |token| token.1);
            scratch.push(Symbol { id, start, end });
        }
        let mut merging = Merging { model: self, piece, undone: HashMap::new() };
        merge_all(scratch, &mut merging);
        let undone = merging.undone;
        let mut unknown_before = false;
        for &symbol in scratch.iter() {
            self.emit(symbol, piece, &undone, &mut unknown_before, out)?;
        }
        Ok(())
    }

    fn emit(
        &self,
        symbol: Symbol,
        piece: &str,
        undone: &HashMap<(u32, u32), u32>,
        unknown_before: &mut bool,
        out: &mut Vec<u32>,
    ) -> Result<()> {
        // Tokens marked unused only help others to form; what is left of them comes apart.
        // A part is shorter than its whole, and each is visited once: a stack, no recursion.
        let mut stack = vec![symbol];
        while let Some(symbol) = stack.pop() {
            if let Some(&middle) = undone.get(&(symbol.start, symbol.end)) {
                for (start, end) in [(middle, symbol.end), (symbol.start, middle)] {
                    let text = &piece[start as usize..end as usize];
                    let id = self.tokens.get(text).map_or(NO_TOKEN, |token| token.1);
                    stack.push(Symbol { id, start, end });
                }
            } else if symbol.id == NO_TOKEN {
                let text = &piece[symbol.start as usize..symbol.end as usize];
                self.emit_unknown(text, unknown_before, out)?;
            } else {
                out.push(symbol.id);
                *unknown_before = false;
            }
        }
        Ok(())
    }

    fn emit_unknown(&self, text: &str, before: &mut bool, out: &mut Vec<u32>) -> Result<()> {
        if let Some(bytes) = &self.bytes {
            out.extend(text.bytes().filter_map(|byte| bytes[byte as usize]));
        } else if let Some(id) = self.unknown {
            if !*before {
                out.push(id);
            }
            *before = true;
        } else {
            return Err(Error::Unencodable { text: text.chars().take(20).collect() });
        }
        Ok(())
    }
}

struct Merging<'a> {
    model: &'a Spm,
    piece: &'a str,
    /// Spans that became an unused token, and where they were joined.
    undone: HashMap<(u32, u32), u32>,
}

impl Merges for Merging<'_> {
    fn find(&self, left: Symbol, right: Symbol) -> Option<(u32, u32)> {
        let text = self.piece.get(left.start as usize..right.end as usize)?;
        self.model.tokens.get(text).copied()
    }

    fn merged(&mut self, left: Symbol, right: Symbol, id: u32) {
        if self.model.unused.binary_search(&id).is_ok() {
            self.undone.insert((left.start, right.end), left.end);
        }
    }
}

/// A number that is the lower the higher the score.
fn descending(score: f32) -> u32 {
    let bits = score.to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | (1 << 31) };
    !ascending
}

#[cfg(test)]
mod tests {
    use super::descending;

    #[test]
    fn higher_scores_rank_first() {
        let scores = [f32::INFINITY, 7.0, 0.5, 0.0, -0.25, -31_740.0, f32::NEG_INFINITY];
        assert!(scores.windows(2).all(|pair| descending(pair[0]) < descending(pair[1])));
    }
}
