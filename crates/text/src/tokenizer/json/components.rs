//! The small parts of a `tokenizer.json`: normalizer, pre-tokenizer, post-processor, decoder.

use base64::Engine as _;
use serde_json::Value;

use super::super::charsmap::Charsmap;
use super::super::decode::{Decoder, FirstMark, Joiner, Step, Tidy};
use super::super::limits;
use super::super::normalize::{Bert, Normalizer};
use super::super::pattern::Pattern;
use super::super::pretokenize::{Behavior, CharClass, Invert, MarkPrefix, PreTokenizer};
use super::super::template::{Slot, Template};
use super::super::vocab::{Vocab, too_large};
use super::{broken, unknown_part};
use crate::Result;

/// GPT-2's splitting pattern, which `ByteLevel` implies.
pub(crate) const GPT2_PATTERN: &str =
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

/// A component and, for a `Sequence`, its members, in order; nested ones flattened.
fn flattened<'a>(value: &'a Value, members: &str) -> Result<Vec<&'a Value>> {
    fn walk<'a>(value: &'a Value, members: &str, out: &mut Vec<&'a Value>) -> Result<()> {
        if out.len() >= limits::STEPS {
            return Err(too_large("a sequence of steps", out.len() as u64 + 1, limits::STEPS));
        }
        match value {
            Value::Null => Ok(()),
            Value::Object(_) if value["type"] == "Sequence" => {
                let list = value[members].as_array();
                let list = list.ok_or_else(|| broken(format!("a Sequence without {members}")))?;
                list.iter().try_for_each(|member| walk(member, members, out))
            }
            Value::Object(_) => {
                out.push(value);
                Ok(())
            }
            _ => Err(broken("a component that is no object")),
        }
    }
    let mut out = Vec::new();
    walk(value, members, &mut out)?;
    Ok(out)
}

fn kind(value: &Value) -> &str {
    value["type"].as_str().unwrap_or("")
}

fn flag(value: &Value, name: &str, default: Flag) -> bool {
    value[name].as_bool().unwrap_or(default == Flag::On)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Off,
    On,
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    let missing = || broken(format!("{} needs the text `{name}`", kind(value)));
    value[name].as_str().ok_or_else(missing)
}

fn character(value: &Value, name: &str, default: Option<char>) -> Result<char> {
    let mut chars = value[name].as_str().unwrap_or("").chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) => Ok(c),
        (None, _) if default.is_some() => Ok(default.unwrap_or_default()),
        _ => Err(broken(format!("{} needs one character as `{name}`", kind(value)))),
    }
}

fn pattern(value: &Value) -> Result<Pattern> {
    match &value["pattern"] {
        Value::String(literal) => Ok(Pattern::literal(literal)),
        Value::Object(map) => match (map.get("Regex"), map.get("String")) {
            (Some(Value::String(source)), _) => Pattern::regex(source),
            (None, Some(Value::String(literal))) => Ok(Pattern::literal(literal)),
            _ => Err(broken("a pattern is neither Regex nor String")),
        },
        _ => Err(broken(format!("{} needs a pattern", kind(value)))),
    }
}

pub(super) fn normalizers(value: &Value) -> Result<Vec<Normalizer>> {
    let mut steps = Vec::new();
    for value in flattened(value, "normalizers")? {
        steps.push(match kind(value) {
            "NFC" => Normalizer::Nfc,
            "NFD" => Normalizer::Nfd,
            "NFKC" => Normalizer::Nfkc,
            "NFKD" => Normalizer::Nfkd,
            "Lowercase" => Normalizer::Lowercase,
            "Nmt" => Normalizer::Nmt,
            "StripAccents" => Normalizer::StripAccents,
            "ByteLevel" => Normalizer::ByteLevel,
            "Prepend" => Normalizer::Prepend(text(value, "prepend")?.to_owned()),
            "Strip" => Normalizer::Strip {
                left: flag(value, "strip_left", Flag::On),
                right: flag(value, "strip_right", Flag::On),
            },
            "Replace" => Normalizer::Replace {
                pattern: pattern(value)?,
                with: text(value, "content")?.to_owned(),
            },
            "Precompiled" => {
                let encoded = text(value, "precompiled_charsmap")?;
                let blob = base64::engine::general_purpose::STANDARD.decode(encoded);
                let blob =
                    blob.map_err(|error| broken(format!("precompiled_charsmap: {error}")))?;
                match Charsmap::read(&blob)? {
                    Some(map) => Normalizer::Precompiled(map),
                    None => continue,
                }
            }
            "BertNormalizer" => {
                let lowercase = flag(value, "lowercase", Flag::On);
                Normalizer::Bert(Bert {
                    clean: flag(value, "clean_text", Flag::On),
                    spaced_cjk: flag(value, "handle_chinese_chars", Flag::On),
                    strip_accents: value["strip_accents"].as_bool().unwrap_or(lowercase),
                    lowercase,
                })
            }
            other => {
                let known = "BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, \
                             Precompiled, Prepend, Replace, Sequence, Strip, StripAccents";
                return Err(unknown_part("normalizer", other, known));
            }
        });
    }
    Ok(steps)
}

fn behavior(value: &Value, default: Option<Behavior>) -> Result<Behavior> {
    Ok(match (value["behavior"].as_str(), default) {
        (Some("Removed"), _) => Behavior::Removed,
        (Some("Isolated"), _) => Behavior::Isolated,
        (Some("MergedWithPrevious"), _) => Behavior::MergedWithPrevious,
        (Some("MergedWithNext"), _) => Behavior::MergedWithNext,
        (Some("Contiguous"), _) => Behavior::Contiguous,
        (None, Some(default)) => default,
        (other, _) => {
            let known = "Contiguous, Isolated, MergedWithNext, MergedWithPrevious, Removed";
            return Err(unknown_part("behavior", other.unwrap_or(""), known));
        }
    })
}

pub(super) fn pre_tokenizers(value: &Value) -> Result<Vec<PreTokenizer>> {
    let mut steps = Vec::new();
    let chars = |class, what| PreTokenizer::Chars { class, what };
    let split = |source: &str, what, invert| {
        Ok::<_, crate::Error>(PreTokenizer::Split {
            pattern: Pattern::regex(source)?,
            what,
            invert,
        })
    };
    for value in flattened(value, "pretokenizers")? {
        match kind(value) {
            "ByteLevel" => {
                if flag(value, "add_prefix_space", Flag::On) {
                    steps.push(PreTokenizer::SpacePrefix);
                }
                if flag(value, "use_regex", Flag::On) {
                    steps.push(split(GPT2_PATTERN, Behavior::Isolated, Invert::No)?);
                }
                steps.push(PreTokenizer::ByteLevel);
            }
            "Split" => {
                let invert =
                    if flag(value, "invert", Flag::Off) { Invert::Yes } else { Invert::No };
                let what = behavior(value, None)?;
                steps.push(PreTokenizer::Split { pattern: pattern(value)?, what, invert });
            }
            "Metaspace" => {
                let mark = character(value, "replacement", Some('▁'))?;
                let prefix = metaspace_prefix(value)?;
                let split = flag(value, "split", Flag::On);
                steps.push(PreTokenizer::Metaspace { mark, prefix, split });
            }
            "BertPreTokenizer" => {
                steps.push(chars(CharClass::Whitespace, Behavior::Removed));
                steps.push(chars(CharClass::Punctuation, Behavior::Isolated));
            }
            "Whitespace" => {
                steps.push(split(r"\w+|[^\w\s]+", Behavior::Removed, Invert::Yes)?);
            }
            "WhitespaceSplit" => steps.push(chars(CharClass::Whitespace, Behavior::Removed)),
            "Punctuation" => {
                let what = behavior(value, Some(Behavior::Isolated))?;
                steps.push(chars(CharClass::Punctuation, what));
            }
            "Digits" => {
                let single = flag(value, "individual_digits", Flag::Off);
                let what = if single { Behavior::Isolated } else { Behavior::Contiguous };
                steps.push(chars(CharClass::Numeric, what));
            }
            "CharDelimiterSplit" => {
                let one = CharClass::One(character(value, "delimiter", None)?);
                steps.push(chars(one, Behavior::Removed));
            }
            "FixedLength" => {
                let length = value["length"].as_u64().unwrap_or(5);
                let length = usize::try_from(length).ok().filter(|&length| length > 0);
                let length = length.ok_or_else(|| broken("FixedLength needs a length above 0"))?;
                steps.push(PreTokenizer::FixedLength(length));
            }
            other => {
                let known = "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, \
                             FixedLength, Metaspace, Punctuation, Sequence, Split, Whitespace, \
                             WhitespaceSplit";
                return Err(unknown_part("pre-tokenizer", other, known));
            }
        }
    }
    Ok(steps)
}

fn metaspace_prefix(value: &Value) -> Result<MarkPrefix> {
    Ok(match (value["prepend_scheme"].as_str(), value["add_prefix_space"].as_bool()) {
        (Some("never"), _) | (_, Some(false)) => MarkPrefix::Never,
        (Some("first"), _) => MarkPrefix::First,
        (Some("always") | None, _) => MarkPrefix::Always,
        (Some(other), _) => {
            return Err(unknown_part("prepend_scheme", other, "always, first, never"));
        }
    })
}

pub(super) fn decoder(value: &Value) -> Result<Decoder> {
    let mut decoder = Decoder::default();
    if value.is_null() {
        decoder.joiner = Joiner::Space;
        return Ok(decoder);
    }
    let mut fused = false;
    for value in flattened(value, "decoders")? {
        match kind(value) {
            "Fuse" => fused = true,
            "ByteLevel" => {
                decoder.steps.push(Step::ByteLevel);
                fused = true;
            }
            "Replace" if fused => {
                decoder.whole.push((pattern(value)?, text(value, "content")?.to_owned()));
            }
            "Replace" => decoder.steps.push(Step::Replace {
                pattern: pattern(value)?,
                with: text(value, "content")?.to_owned(),
            }),
            "Strip" => strip(value, fused, &mut decoder)?,
            "ByteFallback" if !fused => decoder.steps.push(Step::ByteFallback),
            "Metaspace" if !fused => decoder.steps.push(Step::Metaspace {
                mark: character(value, "replacement", Some('▁'))?,
                first: match metaspace_prefix(value)? {
                    MarkPrefix::Never => FirstMark::Space,
                    MarkPrefix::Always | MarkPrefix::First => FirstMark::Dropped,
                },
            }),
            "WordPiece" if !fused => decoder.steps.push(Step::WordPiece {
                prefix: value["prefix"].as_str().unwrap_or("##").to_owned(),
                tidy: if flag(value, "cleanup", Flag::On) { Tidy::Yes } else { Tidy::No },
            }),
            "BPEDecoder" if !fused => {
                let suffix = value["suffix"].as_str().unwrap_or("</w>");
                decoder.steps.push(Step::WordSuffix(suffix.to_owned()));
            }
            other if fused => {
                return Err(broken(format!("the decoder {other} after the tokens were fused")));
            }
            other => {
                let known = "BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, \
                             Sequence, Strip, WordPiece";
                return Err(unknown_part("decoder", other, known));
            }
        }
    }
    Ok(decoder)
}

fn strip(value: &Value, fused: bool, decoder: &mut Decoder) -> Result<()> {
    let of = character(value, "content", Some(' '))?;
    let count = |name: &str| value[name].as_u64().unwrap_or(0).min(1_000) as usize;
    let (start, stop) = (count("start"), count("stop"));
    if !fused {
        decoder.steps.push(Step::Strip { of, start, stop });
        return Ok(());
    }
    if start > 0 {
        decoder.strip_start = Some((of, start));
    }
    if stop > 0 {
        let escaped = format!(r"\x{{{:x}}}{{1,{stop}}}$", u32::from(of));
        decoder.whole.push((Pattern::regex(&escaped)?, String::new()));
    }
    Ok(())
}

pub(super) fn template(value: &Value, vocab: &Vocab) -> Result<Template> {
    let mut template = Template::default();
    for value in flattened(value, "processors")? {
        match kind(value) {
            "ByteLevel" => {}
            "TemplateProcessing" => {
                let single = slots(&value["single"], value, vocab)?;
                let pair = match &value["pair"] {
                    Value::Null => None,
                    pair => Some(slots(pair, value, vocab)?),
                };
                template = Template::new(&single, pair);
            }
            "BertProcessing" => {
                let (cls, sep) = (named(value, "cls", vocab)?, named(value, "sep", vocab)?);
                let tokens = |id, kind| Slot::Tokens { ids: vec![id], kind };
                let single = [tokens(cls, 0), Slot::First { kind: 0 }, tokens(sep, 0)];
                let mut pair = single.to_vec();
                pair.extend([Slot::Second { kind: 1 }, tokens(sep, 1)]);
                template = Template::new(&single, Some(pair));
            }
            "RobertaProcessing" => {
                let (cls, sep) = (named(value, "cls", vocab)?, named(value, "sep", vocab)?);
                let tokens = |ids: &[u32]| Slot::Tokens { ids: ids.to_vec(), kind: 0 };
                let single = [tokens(&[cls]), Slot::First { kind: 0 }, tokens(&[sep])];
                let mut pair = single[..2].to_vec();
                pair.extend([tokens(&[sep, sep]), Slot::Second { kind: 0 }, tokens(&[sep])]);
                template = Template::new(&single, Some(pair));
            }
            other => {
                let known = "BertProcessing, ByteLevel, RobertaProcessing, Sequence, \
                             TemplateProcessing";
                return Err(unknown_part("post-processor", other, known));
            }
        }
    }
    Ok(template)
}

/// `["[SEP]", 102]`
fn named(value: &Value, name: &str, vocab: &Vocab) -> Result<u32> {
    in_vocabulary(value[name][1].as_u64(), vocab)
}

fn in_vocabulary(id: Option<u64>, vocab: &Vocab) -> Result<u32> {
    let id = id.ok_or_else(|| broken("the post-processor names a token without an id"))?;
    let size = vocab.len();
    let known = u32::try_from(id).ok().filter(|&id| (id as usize) < size);
    known.ok_or(crate::Error::IdOutOfVocabulary { what: "a token of the post-processor", id, size })
}

fn slots(list: &Value, processor: &Value, vocab: &Vocab) -> Result<Vec<Slot>> {
    let list = list.as_array().ok_or_else(|| broken("a template that is no list"))?;
    if list.len() > limits::STEPS {
        return Err(too_large("the template", list.len() as u64, limits::STEPS));
    }
    list.iter()
        .map(|slot| {
            if let Some(sequence) = slot.get("Sequence") {
                let kind = sequence["type_id"].as_u64().unwrap_or(0) as u32;
                return match sequence["id"].as_str() {
                    Some("A") => Ok(Slot::First { kind }),
                    Some("B") => Ok(Slot::Second { kind }),
                    other => Err(broken(format!("a template names the sequence {other:?}"))),
                };
            }
            let special = slot.get("SpecialToken").ok_or_else(|| broken("an unknown slot"))?;
            let name = special["id"].as_str().unwrap_or("");
            let ids = processor["special_tokens"][name]["ids"].as_array();
            let ids = ids.ok_or_else(|| broken(format!("the template's {name:?} has no ids")))?;
            let ids: Result<Vec<u32>> = ids
                .iter()
                .take(limits::STEPS)
                .map(|id| in_vocabulary(id.as_u64(), vocab))
                .collect();
            Ok(Slot::Tokens { ids: ids?, kind: special["type_id"].as_u64().unwrap_or(0) as u32 })
        })
        .collect()
}
