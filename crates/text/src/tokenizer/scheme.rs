//! How byte-level vocabularies in GGUF files split text: the schemes `tokenizer.ggml.pre` names.
//!
//! A GGUF file does not hold the splitting patterns, only a name for them. The patterns here are
//! those of the models' own `tokenizer.json` files, applied one after another; where another
//! reader had to rewrite one for its engine, the original stands here.

use super::json::components::GPT2_PATTERN;

/// A way to split.
#[derive(Debug)]
pub(crate) struct Scheme {
    pub(crate) names: &'static [&'static str],
    pub(crate) patterns: &'static [&'static str],
    pub(crate) traits: &'static [Trait],
}

/// What a scheme says beside its patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trait {
    /// Text is put into Unicode's composed form first.
    Composed,
    /// Pieces that are tokens are not merged.
    WholePieces,
    /// A begin token is put first unless the file says otherwise.
    Begins,
}

impl Scheme {
    pub(crate) fn has(&self, asked: Trait) -> bool {
        self.traits.contains(&asked)
    }
}

/// The scheme with this name.
pub(crate) fn scheme(name: &str) -> Option<&'static Scheme> {
    SCHEMES.iter().find(|scheme| scheme.names.contains(&name))
}

/// The names of all known schemes.
pub fn scheme_names() -> Vec<&'static str> {
    let mut names: Vec<_> = SCHEMES.iter().flat_map(|scheme| scheme.names).copied().collect();
    names.sort_unstable();
    names
}

const DIGITS: &str = r"\p{N}";
const CONTRACTED_ONE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const CONTRACTED_THREE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const CASED: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const CASED_ONE: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const PUNCTUATED: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
const WORDS_OR_MARKS: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";
/// A space and cased letters as the pattern lists them, written by code point: some have look-alikes
/// that text tools take for the same.
const CASED_LETTERS: &str = r"\s?[\x{41}-\x{5a}\x{61}-\x{7a}\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af}\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1}\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5}\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77}\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d}\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe}\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec}\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124}\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e}\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d}\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f}\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df}\x{1e900}-\x{1e943}]+";
const CJK_WIDE: &str = "[\u{4e00}-\u{9fa5}\u{800}-\u{4e00}\u{ac00}-\u{d7ff}]+";

use Trait::{Begins, Composed, WholePieces};

/// All schemes.
pub(crate) static SCHEMES: &[Scheme] = &[
    Scheme {
        names: &["default"],
        patterns: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2_PATTERN, r"\p{N}+", "[0-9][0-9][0-9]"],
        traits: &[],
    },
    Scheme {
        names: &[
            "llama-bpe",
            "llama3",
            "llama-v3",
            "falcon3",
            "falcon-h1",
            "pixtral",
            "midm-2.0",
            "lfm2",
            "jina-v5-nano",
        ],
        patterns: &[CONTRACTED_THREE],
        traits: &[WholePieces, Begins],
    },
    Scheme {
        names: &["dbrx", "smaug-bpe", "chatglm-bpe", "glm4"],
        patterns: &[CONTRACTED_THREE],
        traits: &[],
    },
    Scheme { names: &["qwen2"], patterns: &[CONTRACTED_ONE], traits: &[Composed] },
    Scheme {
        names: &["deepseek-r1-qwen", "stablelm2", "megrez", "hunyuan", "grok-2", "solar-open"],
        patterns: &[CONTRACTED_ONE],
        traits: &[],
    },
    Scheme {
        names: &["qwen35"],
        patterns: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        traits: &[],
    },
    Scheme {
        names: &[
            "gpt-2",
            "phi-2",
            "jina-es",
            "jina-de",
            "jina-v1-en",
            "jina-v2-es",
            "jina-v2-de",
            "jina-v2-code",
            "roberta-bpe",
            "gigachat",
            "a.x-4.0",
            "mellum",
            "modern-bert",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
        ],
        patterns: &[GPT2_PATTERN],
        traits: &[],
    },
    Scheme { names: &["mpt", "olmo"], patterns: &[GPT2_PATTERN], traits: &[Composed] },
    Scheme {
        names: &["starcoder", "refact", "smollm", "codeshell", "exaone", "minerva-7b", "mellum2"],
        patterns: &[DIGITS, GPT2_PATTERN],
        traits: &[],
    },
    Scheme { names: &["command-r"], patterns: &[DIGITS, GPT2_PATTERN], traits: &[Composed] },
    Scheme {
        names: &["falcon"],
        patterns: &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2_PATTERN, "[0-9][0-9][0-9]"],
        traits: &[],
    },
    Scheme {
        names: &["deepseek-llm"],
        patterns: &[
            r"[\r\n]",
            CASED_LETTERS,
            "\\s?[!-/:-~\u{ff01}-\u{ff0f}\u{ff1a}-\u{ff5e}\u{2018}-\u{201f}\u{3000}-\u{3002}]+",
            r"\s+$",
            CJK_WIDE,
            DIGITS,
        ],
        traits: &[],
    },
    Scheme {
        names: &["deepseek-coder"],
        patterns: &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", CJK_WIDE, DIGITS],
        traits: &[],
    },
    Scheme {
        names: &["deepseek-v3", "hunyuan-dense", "joyai-llm"],
        patterns: &[
            r"\p{N}{1,3}",
            "[\u{4e00}-\u{9fa5}\u{3040}-\u{309f}\u{30a0}-\u{30ff}]+",
            PUNCTUATED,
        ],
        traits: &[],
    },
    Scheme { names: &["gpt-4o", "llama4", "minimax-m2"], patterns: &[CASED], traits: &[] },
    Scheme { names: &["tekken"], patterns: &[CASED_ONE], traits: &[WholePieces, Begins] },
    Scheme { names: &["tiny_aya"], patterns: &[r"\d{1,3}(?=(?:\d{3})*\b)", CASED], traits: &[] },
    Scheme {
        names: &["kimi-k2"],
        patterns: &[
            r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        traits: &[],
    },
    Scheme {
        names: &["bailingmoe", "bailingmoe2", "llada-moe"],
        patterns: &[
            r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
        ],
        traits: &[],
    },
    Scheme {
        names: &["seed-coder"],
        patterns: &[
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+",
        ],
        traits: &[],
    },
    Scheme {
        names: &["poro-chat", "bloom", "gpt3-finnish"],
        patterns: &[WORDS_OR_MARKS],
        traits: &[],
    },
    Scheme { names: &["viking"], patterns: &[WORDS_OR_MARKS, DIGITS], traits: &[] },
];

#[cfg(test)]
mod tests {
    use super::super::pattern::Pattern;
    use super::*;

    #[test]
    fn every_pattern_compiles_and_no_name_is_twice() {
        for scheme in SCHEMES {
            for pattern in scheme.patterns {
                let compiled = Pattern::regex(pattern).unwrap();
                let looks_around = scheme.names == ["tiny_aya"] && pattern.contains("(?=");
                assert_eq!(compiled.backtracks(), looks_around, "{:?}: {pattern}", scheme.names);
            }
        }
        let names = scheme_names();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
    }
}
