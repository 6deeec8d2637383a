//! The model part of a `tokenizer.json`: vocabulary, merges, options.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::super::bpe::{BpeOptions, UnusableMerges, WholePieces};
use super::super::limits;
use super::super::vocab::Vocab;
use super::broken;
use crate::Result;

#[derive(serde::Deserialize)]
pub(super) struct ModelFile {
    #[serde(rename = "type", default)]
    stated: Option<String>,
    pub(super) vocab: VocabFile,
    #[serde(default)]
    pub(super) merges: MergesFile,
    #[serde(default)]
    unk_token: Option<String>,
    #[serde(default)]
    unk_id: Option<u64>,
    #[serde(default)]
    pub(super) continuing_subword_prefix: Option<String>,
    #[serde(default)]
    end_of_word_suffix: Option<String>,
    #[serde(default, deserialize_with = "or_false")]
    fuse_unk: bool,
    #[serde(default, deserialize_with = "or_false")]
    pub(super) byte_fallback: bool,
    #[serde(default, deserialize_with = "or_false")]
    ignore_merges: bool,
    #[serde(default)]
    pub(super) max_input_chars_per_word: Option<usize>,
}

fn or_false<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(false))
}

impl ModelFile {
    /// The model's kind; files from before kinds were written are told by their parts.
    pub(super) fn kind(&self) -> Result<&str> {
        match &self.stated {
            Some(kind) => Ok(kind),
            None if !self.merges.0.is_empty() => Ok("BPE"),
            None if self.vocab.1 == Shape::Scored => Ok("Unigram"),
            None if self.continuing_subword_prefix.is_some() => Ok("WordPiece"),
            None => Err(broken("the model has no type")),
        }
    }

    pub(super) fn unknown(&self, vocab: &Vocab) -> Option<u32> {
        vocab.id(self.unk_token.as_deref()?)
    }

    pub(super) fn unknown_id(&self, vocab: &Vocab) -> Result<Option<u32>> {
        let Some(id) = self.unk_id else { return Ok(None) };
        let known = u32::try_from(id).ok().filter(|&id| (id as usize) < vocab.len());
        let size = vocab.len();
        let error = crate::Error::IdOutOfVocabulary { what: "the unknown token", id, size };
        known.map(Some).ok_or(error)
    }

    pub(super) fn bpe_options(&self, vocab: &Vocab) -> Result<BpeOptions> {
        let unknown = self.unknown(vocab);
        if let (Some(token), None) = (&self.unk_token, unknown) {
            return Err(broken(format!("the unknown token {token:?} is not in the vocabulary")));
        }
        let whole = self.ignore_merges.then_some(WholePieces::Take);
        Ok(BpeOptions {
            whole_pieces: whole.unwrap_or_default(),
            unknown,
            fuse_unknown: self.fuse_unk,
            byte_fallback: self.byte_fallback,
            continuing_prefix: self.continuing_subword_prefix.clone().unwrap_or_default(),
            word_suffix: self.end_of_word_suffix.clone().unwrap_or_default(),
            unusable_merges: UnusableMerges::Error,
            ..BpeOptions::default()
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Numbered,
    Scored,
}

/// Tokens with id and score, from `{token: id}` or `[[token, score]]`.
pub(super) struct VocabFile(pub(super) Vec<(Box<str>, u32, f64)>, Shape);

impl<'de> Deserialize<'de> for VocabFile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = VocabFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tokens with ids, or a list of tokens with scores")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<VocabFile, A::Error> {
                let mut entries = Vec::new();
                while let Some((text, id)) = map.next_entry::<Box<str>, u32>()? {
                    bounded::<A::Error>(entries.len(), limits::TOKENS, "tokens")?;
                    entries.push((text, id, 0.0));
                }
                Ok(VocabFile(entries, Shape::Numbered))
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> std::result::Result<VocabFile, A::Error> {
                let mut entries = Vec::new();
                while let Some((text, score)) = seq.next_element::<(Box<str>, f64)>()? {
                    bounded::<A::Error>(entries.len(), limits::TOKENS, "tokens")?;
                    entries.push((text, entries.len() as u32, score));
                }
                Ok(VocabFile(entries, Shape::Scored))
            }
        }
        from.deserialize_any(Entries)
    }
}

/// Merges, from `["a b"]` or `[["a", "b"]]`.
#[derive(Default)]
pub(super) struct MergesFile(Vec<(Box<str>, Box<str>)>);

impl MergesFile {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(left, right)| (left.as_ref(), right.as_ref()))
    }
}

struct Merge(Box<str>, Box<str>);

impl<'de> Deserialize<'de> for Merge {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Merge;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a merge: two tokens, in a list or with a space between")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<Merge, E> {
                let mut parts = text.split(' ');
                match (parts.next(), parts.next(), parts.next()) {
                    (Some(left), Some(right), None) => Ok(Merge(left.into(), right.into())),
                    _ => Err(E::custom(format!("the merge {text:?} does not have one space"))),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> std::result::Result<Merge, A::Error> {
                let missing = || A::Error::custom("a merge needs two tokens");
                let left = seq.next_element()?.ok_or_else(missing)?;
                let right = seq.next_element()?.ok_or_else(missing)?;
                match seq.next_element::<Box<str>>()? {
                    None => Ok(Merge(left, right)),
                    Some(_) => Err(A::Error::custom("a merge has more than two tokens")),
                }
            }
        }
        from.deserialize_any(Pair)
    }
}

impl<'de> Deserialize<'de> for MergesFile {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = MergesFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of merges")
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut seq: A,
            ) -> std::result::Result<MergesFile, A::Error> {
                let mut merges = Vec::new();
                while let Some(Merge(left, right)) = seq.next_element()? {
                    bounded::<A::Error>(merges.len(), limits::MERGES, "merges")?;
                    // the first lines of merges.txt name its version
                    if merges.is_empty() && &*left == "#version:" {
                        continue;
                    }
                    merges.push((left, right));
                }
                Ok(MergesFile(merges))
            }

            fn visit_unit<E>(self) -> std::result::Result<MergesFile, E> {
                Ok(MergesFile::default())
            }
        }
        from.deserialize_any(List)
    }
}

fn bounded<E: serde::de::Error>(
    count: usize,
    limit: usize,
    what: &str,
) -> std::result::Result<(), E> {
    if count < limit { Ok(()) } else { Err(E::custom(format!("more than {limit} {what}"))) }
}
