//! Byte-pair encoding with a list of merges (GPT-2 and its heirs).
//!
//! Two forms: over bytes, where the vocabulary is written in the byte-level alphabet and is read
//! back to bytes once at load, and over characters, with byte tokens or an unknown token for the
//! rest.

use hashbrown::HashMap;

use super::bytes;
use super::cuts::Cuts;
use super::findings::{Finding, FindingKind, Findings};
use super::limits;
use super::merge::{Merges, NO_TOKEN, Symbol, merge_all};
use super::vocab::{Vocab, too_large};
use crate::{Error, Result};

/// How a BPE model differs from the plain one.
#[derive(Clone, Debug, Default)]
pub(crate) struct BpeOptions {
    /// Pieces are bytes and tokens are written in the byte-level alphabet.
    pub(crate) alphabet: Alphabet,
    /// A piece that is a token is taken whole, whatever the merges say.
    pub(crate) whole_pieces: WholePieces,
    pub(crate) unknown: Option<u32>,
    /// Neighbouring unknown characters become one unknown token.
    pub(crate) fuse_unknown: bool,
    pub(crate) byte_fallback: bool,
    /// Written before every token of a word but its first.
    pub(crate) continuing_prefix: String,
    /// Written after the last token of a word.
    pub(crate) word_suffix: String,
    pub(crate) unusable_merges: UnusableMerges,
}

/// What a token's text is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Alphabet {
    Bytes,
    #[default]
    Characters,
}

/// Whether pieces that are tokens skip merging.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WholePieces {
    #[default]
    Merge,
    Take,
}

/// What a merge of a token that does not exist is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum UnusableMerges {
    /// An error, as in the `tokenizers` library.
    #[default]
    Error,
    /// A finding, as GGUF readers ignore them.
    Finding,
}

/// The model.
#[derive(Debug)]
pub(crate) struct Bpe {
    pairs: HashMap<(u32, u32), (u32, u32)>,
    bytes: Box<[Option<u32>; 256]>,
    /// Byte form: whole pieces to ids, when they are taken whole.
    whole: HashMap<Box<[u8]>, u32>,
    cuts: Cuts,
    options: BpeOptions,
}

impl Bpe {
    /// Builds the model from its merges, the most important first.
    pub(crate) fn new<'a>(
        vocab: &Vocab,
        merges: impl Iterator<Item = (&'a str, &'a str)>,
        options: BpeOptions,
        findings: &mut Findings,
    ) -> Result<Self> {
        let mut pairs = HashMap::new();
        let mut joined = String::new();
        for (rank, (left, right)) in merges.enumerate() {
            if rank >= limits::MERGES {
                return Err(too_large("the list of merges", rank as u64 + 1, limits::MERGES));
            }
            let tail = right.strip_prefix(options.continuing_prefix.as_str()).unwrap_or(right);
            joined.clear();
            joined.push_str(left);
            joined.push_str(tail);
            let ids = (vocab.id(left), vocab.id(right), vocab.id(&joined));
            if let (Some(left), Some(right), Some(id)) = ids {
                if !vocab.is_marker(id) {
                    pairs.insert((left, right), (rank as u32, id));
                }
                continue;
            }
            let reason = format!("merge {rank} joins {left:?} and {right:?}, not all are tokens");
            if options.unusable_merges == UnusableMerges::Error {
                return Err(Error::Tokenizer { what: "merges", reason });
            }
            findings.add(Finding::new(FindingKind::UnusableMerge, reason));
        }
        let mut model = Self {
            pairs,
            bytes: Box::new([None; 256]),
            whole: HashMap::new(),
            cuts: Cuts::default(),
            options,
        };
        let spelled = &model.options;
        if spelled.alphabet == Alphabet::Characters
            && spelled.continuing_prefix.is_empty()
            && spelled.word_suffix.is_empty()
        {
            model.cuts = Cuts::new(vocab);
        }
        if model.options.alphabet == Alphabet::Bytes {
            model.read_bytes(vocab, findings);
        } else if model.options.byte_fallback {
            model.bytes = vocab.byte_tokens();
        }
        Ok(model)
    }

    fn read_bytes(&mut self, vocab: &Vocab, findings: &mut Findings) {
        for byte in 0..=255u8 {
            let written = bytes::to_char(byte).to_string();
            self.bytes[byte as usize] = vocab.spoken(&written);
        }
        // C0, C1 and F5 to FF occur in no UTF-8 text
        let needed = |byte: &usize| !matches!(byte, 0xc0 | 0xc1 | 0xf5..=0xff);
        let missing = (0..256).filter(needed).filter(|&b| self.bytes[b].is_none()).count();
        if missing > 0 {
            let detail = format!("{missing} of the 243 bytes of UTF-8");
            findings.add(Finding::new(FindingKind::MissingBytes, detail));
        }
        if self.options.whole_pieces == WholePieces::Take {
            self.whole = vocab
                .iter()
                .filter(|(id, _)| !vocab.is_marker(*id))
                .filter_map(|(id, text)| Some((bytes::from_token(text)?.into(), id)))
                .collect();
        }
    }

    /// Appends the ids of one piece.
    pub(crate) fn encode(
        &self,
        piece: &str,
        vocab: &Vocab,
        scratch: &mut Vec<Symbol>,
        out: &mut Vec<u32>,
    ) {
        if self.options.whole_pieces == WholePieces::Take {
            let whole = match self.options.alphabet {
                Alphabet::Bytes => self.whole.get(piece.as_bytes()).copied(),
                Alphabet::Characters => vocab.spoken(piece),
            };
            if let Some(id) = whole {
                out.push(id);
                return;
            }
        }
        let _ = self.cuts.parts(piece, |part| {
            scratch.clear();
            match self.options.alphabet {
                Alphabet::Bytes => self.byte_symbols(part, scratch),
                Alphabet::Characters => self.char_symbols(part, vocab, scratch),
            }
            merge_all(scratch, &mut &self.pairs);
            out.extend(scratch.iter().map(|symbol| symbol.id));
            Ok::<(), std::convert::Infallible>(())
        });
    }

    fn byte_symbols(&self, piece: &str, out: &mut Vec<Symbol>) {
        for (at, &byte) in piece.as_bytes().iter().enumerate() {
            let at = at as u32;
            // A byte without a token is left out, as in the reference; a finding said so at load.
            if let Some(id) = self.bytes[byte as usize].or(self.options.unknown) {
                out.push(Symbol { id, start: at, end: at + 1 });
            }
        }
    }

    fn char_symbols(&self, piece: &str, vocab: &Vocab, out: &mut Vec<Symbol>) {
        let mut unknown_before = false;
        let mut written = String::new();
        for (at, c) in piece.char_indices() {
            let (start, end) = (at as u32, (at + c.len_utf8()) as u32);
            written.clear();
            if at > 0 {
                written.push_str(&self.options.continuing_prefix);
            }
            written.push(c);
            if end as usize == piece.len() {
                written.push_str(&self.options.word_suffix);
            }
            if let Some(id) = vocab.spoken(&written) {
                out.push(Symbol { id, start, end });
                unknown_before = false;
                continue;
            }
            let raw = &piece.as_bytes()[start as usize..end as usize];
            if self.options.byte_fallback
                && raw.iter().all(|&byte| self.bytes[byte as usize].is_some())
            {
                for (i, &byte) in raw.iter().enumerate() {
                    let start = start + i as u32;
                    let id = self.bytes[byte as usize].unwrap_or(NO_TOKEN);
                    out.push(Symbol { id, start, end: start + 1 });
                }
                unknown_before = false;
                continue;
            }
            let Some(id) = self.options.unknown else { continue };
            match out.last_mut() {
                Some(last) if unknown_before && self.options.fuse_unknown => last.end = end,
                _ => out.push(Symbol { id, start, end }),
            }
            unknown_before = true;
        }
    }
}

impl Merges for &HashMap<(u32, u32), (u32, u32)> {
    fn find(&self, left: Symbol, right: Symbol) -> Option<(u32, u32)> {
        self.get(&(left.id, right.id)).copied()
    }
}
