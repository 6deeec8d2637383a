//! Folders from before `tokenizer.json`: `vocab.json` with `merges.txt` (GPT-2), and `vocab.txt`
//! (BERT).

use serde_json::Value;

use super::added::{AddedToken, Matching};
use super::bpe::{Alphabet, Bpe, BpeOptions};
use super::config::Config;
use super::decode::{Decoder, Step, Tidy};
use super::findings::Findings;
use super::json::{gpt2_steps, longest};
use super::normalize::{Bert, Normalizer};
use super::parts::Assembly;
use super::pretokenize::{Behavior, CharClass, PreTokenizer};
use super::template::{Slot, Template};
use super::vocab::{TokenKind, Vocab, too_large};
use super::words::WordPiece;
use super::{Model, Tokenizer, limits};
use crate::{Error, Result};

fn broken(what: &'static str, reason: impl std::fmt::Display) -> Error {
    Error::Tokenizer { what, reason: reason.to_string() }
}

impl Tokenizer {
    /// Reads `vocab.json` and `merges.txt`, split as GPT-2 splits, and the
    /// `tokenizer_config.json` beside them where there is one.
    pub fn from_vocab_and_merges(
        vocab: &[u8],
        merges: &str,
        config: Option<&[u8]>,
    ) -> Result<Self> {
        for (what, found) in
            [("vocab.json, in bytes,", vocab.len()), ("merges.txt, in bytes,", merges.len())]
        {
            if found > limits::FILE_BYTES {
                return Err(too_large(what, found as u64, limits::FILE_BYTES));
            }
        }
        let config = Config::read(config)?;
        let mut findings = Findings::default();
        let entries: serde_json::Map<String, Value> =
            serde_json::from_slice(vocab).map_err(|error| broken("vocab.json", error))?;
        let mut vocab = Vocab::default();
        for (text, id) in &entries {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let id = id.ok_or_else(|| broken("vocab.json", format!("{text:?} has no id")))?;
            vocab.add(id, text, TokenKind::Normal, &mut findings)?;
        }
        let mut pairs = Vec::new();
        for (number, line) in merges.lines().enumerate() {
            if line.is_empty() || line.starts_with("#version") {
                continue;
            }
            let pair = line.split_once(' ').filter(|pair| !pair.1.contains(' '));
            let reason = || broken("merges.txt", format!("line {} is not two tokens", number + 1));
            pairs.push(pair.ok_or_else(reason)?);
        }
        let added = added(&config, &mut vocab, &mut findings, &["<|endoftext|>"])?;
        let options = BpeOptions { alphabet: Alphabet::Bytes, ..BpeOptions::default() };
        let model = Bpe::new(&vocab, pairs.into_iter(), options, &mut findings)?;
        let (normalizer, pre_tokenizer) = gpt2_steps()?;
        let specials = config.specials(&vocab);
        let wanted = |name| config.flag(name).unwrap_or(false);
        let template = Template::around_with(
            Vec::from_iter(specials.bos.filter(|_| wanted("add_bos_token"))),
            Vec::from_iter(specials.eos.filter(|_| wanted("add_eos_token"))),
        );
        Assembly {
            vocab,
            added,
            normalizer,
            pre_tokenizer,
            model: Model::Bpe(model),
            decoder: Decoder { steps: vec![Step::ByteLevel], ..Decoder::default() },
            template,
            specials,
            findings,
        }
        .finish()
    }

    /// Reads BERT's `vocab.txt`, one token a line, and the `tokenizer_config.json` beside it
    /// where there is one.
    pub fn from_vocab_txt(vocab: &str, config: Option<&[u8]>) -> Result<Self> {
        if vocab.len() > limits::FILE_BYTES {
            return Err(too_large("vocab.txt, in bytes,", vocab.len() as u64, limits::FILE_BYTES));
        }
        let config = Config::read(config)?;
        let mut findings = Findings::default();
        let (lines, mut vocab) = (vocab.lines(), Vocab::default());
        for (id, line) in lines.enumerate() {
            let id = u32::try_from(id).map_err(|_| broken("vocab.txt", "too many lines"))?;
            vocab.add(id, line.trim_end(), TokenKind::Normal, &mut findings)?;
        }
        let names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
        let added = added(&config, &mut vocab, &mut findings, &names)?;
        let mut specials = config.specials(&vocab);
        specials.pad = specials.pad.or(vocab.id("[PAD]"));
        specials.unk = specials.unk.or(vocab.id("[UNK]"));
        specials.cls = specials.cls.or(vocab.id("[CLS]"));
        specials.sep = specials.sep.or(vocab.id("[SEP]"));
        specials.mask = specials.mask.or(vocab.id("[MASK]"));
        let lowercase = config.flag("do_lower_case").unwrap_or(true);
        let normalizer = Normalizer::Bert(Bert {
            clean: true,
            spaced_cjk: config.flag("tokenize_chinese_chars").unwrap_or(true),
            strip_accents: config.flag("strip_accents").unwrap_or(lowercase),
            lowercase,
        });
        let tokens = |id: Option<u32>, kind| Slot::Tokens { ids: Vec::from_iter(id), kind };
        let single = [tokens(specials.cls, 0), Slot::First { kind: 0 }, tokens(specials.sep, 0)];
        let mut pair = single.to_vec();
        pair.extend([Slot::Second { kind: 1 }, tokens(specials.sep, 1)]);
        let chars = |class, what| PreTokenizer::Chars { class, what };
        let model = WordPiece {
            unknown: specials.unk,
            prefix: "##".to_owned(),
            longest_word: 100,
            longest_token: longest(&vocab),
        };
        let step = Step::WordPiece { prefix: "##".to_owned(), tidy: Tidy::Yes };
        Assembly {
            vocab,
            added,
            normalizer: vec![normalizer],
            pre_tokenizer: vec![
                chars(CharClass::Whitespace, Behavior::Removed),
                chars(CharClass::Punctuation, Behavior::Isolated),
            ],
            model: Model::WordPiece(model),
            decoder: Decoder { steps: vec![step], ..Decoder::default() },
            template: Template::new(&single, Some(pair)),
            specials,
            findings,
        }
        .finish()
    }
}

/// The added tokens of the configuration, and those of `names` the vocabulary has.
fn added(
    config: &Config,
    vocab: &mut Vocab,
    findings: &mut Findings,
    names: &[&str],
) -> Result<Vec<AddedToken>> {
    let mut tokens = Vec::new();
    for (id, token) in config.added_tokens() {
        let Some(text) = token["content"].as_str().filter(|text| !text.is_empty()) else {
            continue;
        };
        let id = u32::try_from(id)
            .map_err(|_| too_large("the id of an added token", id, limits::TOKENS))?;
        let special = token["special"].as_bool().unwrap_or(false);
        vocab.add(id, text, TokenKind::UserDefined, findings)?;
        if special {
            vocab.set_marker(id);
        }
        let matching = Matching::default();
        tokens.push(AddedToken { id, text: text.to_owned(), special, matching });
    }
    for &name in names {
        if let Some(id) = vocab.id(name)
            && !tokens.iter().any(|token| token.id == id)
        {
            vocab.set_marker(id);
            let (text, matching) = (name.to_owned(), Matching::default());
            tokens.push(AddedToken { id, text, special: true, matching });
        }
    }
    Ok(tokens)
}
