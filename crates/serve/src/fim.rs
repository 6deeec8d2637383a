//! Filling in the middle: the marks with which a model was trained to write between two texts.

use text::tokenizer::{Frame, Part, Special, Tokenizer};

use crate::fault::Fault;

/// Marks of one family: before the prefix, before the suffix, before the middle.
struct Marks {
    prefix: &'static str,
    suffix: &'static str,
    middle: &'static str,
    order: Order,
}

/// Which text comes first.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    PrefixFirst,
    SuffixFirst,
}

const fn marks(prefix: &'static str, suffix: &'static str, middle: &'static str) -> Marks {
    Marks { prefix, suffix, middle, order: Order::PrefixFirst }
}

/// Every family's, tried from first to last. Sources: the families' tokenizers and model cards.
const FAMILIES: &[Marks] = &[
    marks("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
    marks("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
    marks("<fim-prefix>", "<fim-suffix>", "<fim-middle>"),
    marks("<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"),
    marks("▁<PRE>", "▁<SUF>", "▁<MID>"),
    marks("<|code_prefix|>", "<|code_suffix|>", "<|code_middle|>"),
    Marks { prefix: "[PREFIX]", suffix: "[SUFFIX]", middle: "", order: Order::SuffixFirst },
];

/// The tokens that ask for the text between these two.
pub(crate) fn encode(tokenizer: &Tokenizer, prefix: &str, suffix: &str) -> Result<Vec<u32>, Fault> {
    let has = |mark: &str| mark.is_empty() || tokenizer.id_of(mark).is_some();
    let family = FAMILIES
        .iter()
        .find(|marks| has(marks.prefix) && has(marks.suffix) && has(marks.middle))
        .ok_or_else(|| {
            let message =
                "this model has no tokens for filling in the middle, so a suffix would be ignored";
            Fault::field("suffix", message).with_code("unsupported_parameter")
        })?;
    let id = |mark: &str| tokenizer.id_of(mark).filter(|_| !mark.is_empty());
    let plain = |text: &str| {
        let encoded =
            tokenizer.encode_parts(&[Part { text, special: Special::AsText }], Frame::Bare);
        encoded.map_err(|error| Fault::invalid(error.to_string()))
    };
    let (prefix, suffix) = (plain(prefix)?, plain(suffix)?);
    let (begin, _) = tokenizer.frame();
    let mut ids = begin.to_vec();
    let prefix = id(family.prefix).into_iter().chain(prefix);
    let suffix = id(family.suffix).into_iter().chain(suffix);
    match family.order {
        Order::PrefixFirst => ids.extend(prefix.chain(suffix)),
        Order::SuffixFirst => ids.extend(suffix.chain(prefix)),
    }
    ids.extend(id(family.middle));
    Ok(ids)
}

/// Whether a model can fill in.
pub(crate) fn is_known(tokenizer: &Tokenizer) -> bool {
    encode(tokenizer, "", "").is_ok()
}
