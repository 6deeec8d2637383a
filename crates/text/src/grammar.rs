//! Grammars that an answer must follow: a JSON schema, any JSON object, a pattern, one of some
//! texts, a Lark grammar, or the calls of some tools in a family's notation.
//!
//! A [`Vocabulary`] is made once for a tokenizer; [`Vocabulary::compile`] turns a [`Grammar`] into a
//! [`Matcher`], which says before each token which ones may follow. Everything fails closed: a
//! schema whose meaning cannot be kept exactly is refused by name, never approximated, and a
//! matcher that runs out of its budget ends the answer with an error instead of letting it go free.
//!
//! The automata are `llguidance`'s (Lark and JSON Schema as in its documentation); what a source may
//! contain and how large it may be is decided here ([`source`]).

mod calls;
mod formats;
mod refs;
mod source;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use llguidance::{ParserFactory, api::TopLevelGrammar};
use serde_json::Value as Json;
use toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};

pub use calls::{Calls, Opening, Several};

use crate::tokenizer::Tokenizer;

/// What an answer must look like.
#[derive(Clone, Debug, PartialEq)]
pub enum Grammar {
    /// A JSON value that this schema accepts.
    Schema(Json),
    /// Any JSON object.
    Object,
    /// A text that this pattern matches from beginning to end.
    Pattern(String),
    /// One of these texts.
    Choice(Vec<String>),
    /// A text of the language of this Lark grammar.
    Lark(String),
}

/// Why a grammar is refused, or a matcher gave up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// It is larger than a grammar may be.
    #[error("the {what} has {found}, at most {limit} are accepted")]
    TooLarge {
        /// Which kind of grammar, and what was measured.
        what: &'static str,
        /// The size found.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// It cannot be understood, or its meaning cannot be kept exactly.
    #[error("the {what} is refused: {reason}")]
    Refused {
        /// Which kind of grammar.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The model has no token that ends an answer, so none could be allowed at the end.
    #[error("the model has no token that ends an answer, so a constrained answer could not end")]
    NoEnd,
    /// The matcher ran out of its budget, or was given a token it had not allowed.
    #[error("the constraint failed: {0}")]
    Failed(String),
}

/// The tokens of a model as grammars see them: bytes, special tokens, ends.
#[derive(Clone)]
pub struct Vocabulary {
    factory: Arc<ParserFactory>,
    env: TokEnv,
}

impl Vocabulary {
    /// Reads a tokenizer's vocabulary; takes a moment for a large one.
    pub fn new(tokenizer: &Tokenizer) -> Result<Self, GrammarError> {
        let size = tokenizer.vocab_size();
        let ends: Vec<u32> =
            tokenizer.specials().ends.iter().copied().filter(|id| (*id as usize) < size).collect();
        let Some(&first) = ends.first() else { return Err(GrammarError::NoEnd) };
        let words: Vec<Vec<u8>> = (0..size as u32).map(|id| word(tokenizer, id, &ends)).collect();
        Self::of_words(&words, first, &ends)
    }

    fn of_words(words: &[Vec<u8>], first: u32, ends: &[u32]) -> Result<Self, GrammarError> {
        let refused = |reason: String| GrammarError::Refused { what: "vocabulary", reason };
        let info = TokRxInfo::new(words.len() as u32, first);
        let trie = TokTrie::from(&info, words).with_eos_tokens(ends);
        let env: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut factory = ParserFactory::new(&env, InferenceCapabilities::default(), &slices)
            .map_err(|error| refused(error.to_string()))?;
        factory.quiet();
        // Errors must not carry the text that was matched.
        factory.limits_mut().verbose_errors = false;
        Ok(Self { factory: Arc::new(factory), env })
    }

    /// Compiles a grammar. Bounded in work, but not instant: not for a thread that others wait on.
    /// A deep grammar recurses: give the thread 16 MiB of stack.
    pub fn compile(&self, grammar: &Grammar) -> Result<Matcher, GrammarError> {
        let what = grammar.kind();
        self.compile_source(what, source::read(grammar)?)
    }

    /// Compiles what may follow where calls of tools are due; see [`Calls`].
    pub fn compile_calls(&self, calls: &Calls) -> Result<Matcher, GrammarError> {
        let lark = calls.lark(&|mark| self.special(mark));
        self.compile_source("schema of the tools", TopLevelGrammar::from_lark(lark?))
    }

    fn compile_source(
        &self,
        what: &'static str,
        source: TopLevelGrammar,
    ) -> Result<Matcher, GrammarError> {
        let refused = |reason: String| GrammarError::Refused { what, reason: one_line(&reason) };
        let built = catch_unwind(AssertUnwindSafe(|| {
            llguidance::Matcher::new(self.factory.create_parser(source))
        }))
        .map_err(|_| refused("it is beyond what the compiler handles".to_owned()))?;
        match built.get_error() {
            None => Ok(Matcher { inner: built, vocab: self.env.tok_trie().vocab_size() }),
            Some(error) => Err(refused(error)),
        }
    }

    /// The id of a special token of that text.
    fn special(&self, mark: &str) -> Option<u32> {
        let mut bytes = vec![TokTrie::SPECIAL_TOKEN_MARKER];
        bytes.extend(mark.as_bytes());
        self.env.tok_trie().token_id_at_bytes(&bytes)
    }
}

impl std::fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Vocabulary({} tokens)", self.env.tok_trie().vocab_size())
    }
}

/// The bytes of a token; special ones behind a mark, so that no text matches them.
fn word(tokenizer: &Tokenizer, id: u32, ends: &[u32]) -> Vec<u8> {
    use crate::tokenizer::TokenKind as Kind;
    let special = ends.contains(&id)
        || matches!(tokenizer.kind(id), Some(Kind::Control | Kind::Unknown | Kind::Unused) | None);
    if !special {
        return tokenizer.token_bytes(id).unwrap_or_default();
    }
    let mut bytes = vec![TokTrie::SPECIAL_TOKEN_MARKER];
    bytes.extend(tokenizer.token_text(id).unwrap_or_default().as_bytes());
    bytes
}

fn one_line(text: &str) -> String {
    let line = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
    line.join(" ").chars().take(400).collect()
}

impl Grammar {
    /// What it is called in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Schema(_) => "JSON schema",
            Self::Object => "JSON mode",
            Self::Pattern(_) => "pattern",
            Self::Choice(_) => "choice",
            Self::Lark(_) => "Lark grammar",
        }
    }
}

/// Follows one answer through a grammar.
pub struct Matcher {
    inner: llguidance::Matcher,
    vocab: usize,
}

impl Matcher {
    /// Which tokens may come next: id `i` is bit `i % 32` of word `i / 32`. Where the grammar is
    /// complete and nothing may follow, only the tokens that end an answer.
    pub fn allowed(&mut self) -> Result<Vec<u32>, GrammarError> {
        let mask = self.inner.compute_mask_or_eos();
        let mask = mask.map_err(|error| GrammarError::Failed(one_line(&error.to_string())))?;
        Ok(mask.as_slice().iter().copied().take(self.vocab.div_ceil(32)).collect())
    }

    /// Takes the token that was chosen.
    pub fn accept(&mut self, id: u32) -> Result<(), GrammarError> {
        if self.inner.is_stopped() && !self.inner.is_error() {
            return Ok(());
        }
        let taken = self.inner.consume_token(id);
        taken.map_err(|error| GrammarError::Failed(one_line(&error.to_string())))
    }

    /// Takes tokens as far as the grammar allows them; whether it allowed all.
    pub fn try_accept(&mut self, ids: &[u32]) -> bool {
        self.inner.try_consume_tokens(ids).is_ok_and(|taken| taken == ids.len())
    }

    /// Whether what was accepted is whole, so that the answer may end here.
    pub fn is_complete(&mut self) -> bool {
        self.inner.is_stopped() || self.inner.is_accepting().unwrap_or(false)
    }

    /// Whether nothing but an end may follow.
    pub fn is_over(&self) -> bool {
        self.inner.is_stopped()
    }

    /// The same state again, to go on differently from here.
    pub fn fork(&self) -> Self {
        Self { inner: self.inner.deep_clone(), vocab: self.vocab }
    }
}

impl std::fmt::Debug for Matcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Matcher({} tokens)", self.vocab)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Every byte is a token; one more ends.
    pub(crate) fn bytes() -> Vocabulary {
        let mut words: Vec<Vec<u8>> = (0..=255_u8).map(|byte| vec![byte]).collect();
        words.push(b"\xFF<end>".to_vec());
        words.push(b"\xFF<|call|>".to_vec());
        Vocabulary::of_words(&words, 256, &[256]).unwrap()
    }

    /// Whether a matcher takes exactly this text.
    pub(crate) fn takes(matcher: &Matcher, text: &str) -> bool {
        let mut matcher = matcher.fork();
        let ids: Vec<u32> = text.bytes().map(u32::from).collect();
        matcher.try_accept(&ids) && matcher.is_complete()
    }

    #[test]
    fn each_kind_takes_its_own_and_nothing_else() {
        let vocabulary = bytes();
        let lark = "start: \"a\" NUMBER\nNUMBER: /[0-9]{2}/".to_owned();
        for (grammar, good, bad) in [
            (Grammar::Object, vec!["{}", "{\"a\": [1, null]}"], vec!["[]", "1", "{", "{}x"]),
            (Grammar::Pattern("(ab|c)+[0-9]".into()), vec!["abc1", "c0"], vec!["ab", "1", "c01"]),
            (
                Grammar::Choice(vec!["yes".into(), "no\n\"".into()]),
                vec!["yes", "no\n\""],
                vec!["no", "yesno", ""],
            ),
            (Grammar::Lark(lark), vec!["a12"], vec!["a1", "b12", "a123"]),
            (
                Grammar::Schema(serde_json::json!({"type": "integer", "minimum": 3})),
                vec!["3", "44"],
                vec!["2", "\"3\"", "3.5"],
            ),
        ] {
            let matcher = vocabulary.compile(&grammar).unwrap();
            for text in good {
                assert!(takes(&matcher, text), "{grammar:?} {text}");
            }
            for text in bad {
                assert!(!takes(&matcher, text), "{grammar:?} {text}");
            }
        }
    }

    #[test]
    fn the_end_is_allowed_exactly_when_the_answer_is_whole() {
        let mut matcher = bytes().compile(&Grammar::Choice(vec!["ok".into()])).unwrap();
        let may = |matcher: &mut Matcher| -> Vec<u32> {
            let words = matcher.allowed().unwrap();
            (0..258).filter(|id| words[*id as usize / 32] >> (id % 32) & 1 == 1).collect()
        };
        assert_eq!(may(&mut matcher), [u32::from(b'o')]);
        matcher.accept(u32::from(b'o')).unwrap();
        assert!(!matcher.is_complete());
        assert_eq!(may(&mut matcher), [u32::from(b'k')]);
        matcher.accept(u32::from(b'k')).unwrap();
        assert!(matcher.is_complete());
        assert_eq!(may(&mut matcher), [256]);
        assert!(matcher.accept(256).is_ok());
        let mut wrong = bytes().compile(&Grammar::Choice(vec!["ok".into()])).unwrap();
        assert!(wrong.accept(u32::from(b'x')).is_err());
        assert!(wrong.allowed().is_err(), "a matcher that failed stays closed");
    }

    #[test]
    fn t11_patterns_and_t12_schemas_that_explode_are_refused_in_time_and_the_next_is_served() {
        let vocabulary = bytes();
        let began = std::time::Instant::now();
        // Built by hand: the parser would refuse it.
        let nested = |n: usize| {
            (0..n).fold(serde_json::json!({"type": "null"}), |inner, _| {
                let list = ("oneOf".to_owned(), Json::Array(vec![inner]));
                Json::Object(serde_json::Map::from_iter([list]))
            })
        };
        let many: Vec<String> = (0..200_000).map(|n| format!("{n:>40}")).collect();
        for grammar in [
            Grammar::Pattern("foo**".into()),
            Grammar::Pattern("(a{1,1000}){1,1000}".into()),
            Grammar::Pattern("(".repeat(100_000)),
            Grammar::Pattern(String::new()),
            Grammar::Pattern("a".repeat(1 << 20)),
            Grammar::Lark("start: ".to_owned() + &"(".repeat(100_000)),
            Grammar::Lark("start: nothing".into()),
            Grammar::Lark(String::new()),
            Grammar::Choice(vec![]),
            Grammar::Choice(vec![String::new()]),
            Grammar::Choice(many),
            Grammar::Schema(serde_json::json!({"$ref": "http://169.254.169.254/latest"})),
            Grammar::Schema(serde_json::json!({"$ref": "#/$defs/nothing"})),
            Grammar::Schema(serde_json::json!({"$ref": "#"})),
            Grammar::Schema(nested(2_000)),
            Grammar::Schema(serde_json::json!({"enum": (0..1_000_000).collect::<Vec<_>>()})),
            Grammar::Schema(serde_json::json!({"type": "lyric"})),
            Grammar::Schema(serde_json::json!({"type": "string", "pattern": "("})),
            Grammar::Schema(serde_json::json!({"x-guidance": {"lenient": true}})),
            Grammar::Schema(serde_json::json!("string")),
        ] {
            match vocabulary.compile(&grammar) {
                Err(error) => assert!(error.to_string().len() < 700, "{error}"),
                // Large, but its automaton is built only as far as an answer goes.
                Ok(mut matcher) => {
                    assert!(matches!(&grammar, Grammar::Pattern(p) if p.contains("1000")));
                    matcher.allowed().unwrap();
                }
            }
            vocabulary.compile(&Grammar::Object).unwrap();
        }
        // A schema that refers to itself is sound.
        let list = serde_json::json!({"$ref": "#/$defs/l", "$defs": {"l": {"type": "array", "items": {"$ref": "#/$defs/l"}}}});
        let matcher = vocabulary.compile(&Grammar::Schema(list)).unwrap();
        assert!(takes(&matcher, "[[],[[]]]") && !takes(&matcher, "[1]"));
        assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    }
}
