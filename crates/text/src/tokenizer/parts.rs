//! Putting a tokenizer together, whatever file it comes from.

use super::added::{AddedToken, AddedTokens};
use super::findings::{Finding, FindingKind, Findings};
use super::normalize::Normalizer;
use super::pretokenize::PreTokenizer;
use super::specials::SpecialIds;
use super::template::Template;
use super::vocab::{TokenKind, Vocab};
use super::{Decoder, Model, Tokenizer, bytes};
use crate::Result;

/// Everything a reader gathers.
pub(crate) struct Assembly {
    pub(crate) vocab: Vocab,
    pub(crate) added: Vec<AddedToken>,
    pub(crate) normalizer: Vec<Normalizer>,
    pub(crate) pre_tokenizer: Vec<PreTokenizer>,
    pub(super) model: Model,
    pub(crate) decoder: Decoder,
    pub(crate) template: Template,
    pub(crate) specials: SpecialIds,
    pub(crate) findings: Findings,
}

impl Assembly {
    pub(crate) fn finish(mut self) -> Result<Tokenizer> {
        note_byte_tokens(&self.vocab, &mut self.findings);
        let normalizer = &self.normalizer;
        let normalize = |text: &str| {
            let text = std::borrow::Cow::Borrowed(text);
            let done = normalizer.iter().try_fold(text, |text, step| step.apply(text, true))?;
            Ok(done.into_owned())
        };
        let added = AddedTokens::new(self.added, normalize, &mut self.findings)?;
        for token in added.iter() {
            let kind = match self.vocab.kind(token.id) {
                Some(kind @ (TokenKind::Unknown | TokenKind::Control)) => kind,
                _ if token.special => TokenKind::Control,
                _ => TokenKind::UserDefined,
            };
            self.vocab.set_kind(token.id, kind);
        }
        // Some models name their end token as the unknown one, too.
        let unknown = self.specials.unk.filter(|_| {
            let specials = &self.specials;
            specials.unk != specials.eos && specials.unk != specials.bos
        });
        if let Some(id) = unknown.filter(|&id| self.vocab.is_marker(id)) {
            self.vocab.set_kind(id, TokenKind::Unknown);
        }
        self.specials.find_ends(&self.vocab);
        Ok(Tokenizer {
            vocab: self.vocab,
            added,
            normalizer: self.normalizer,
            splitter: self.pre_tokenizer,
            model: self.model,
            decoder: self.decoder,
            template: self.template,
            specials: self.specials,
            findings: self.findings,
        })
    }
}

/// Reports tokens that look like byte tokens and are none.
fn note_byte_tokens(vocab: &Vocab, findings: &mut Findings) {
    for (id, text) in vocab.iter().filter(|(_, text)| text.starts_with("<0x")) {
        if text.ends_with('>') && bytes::from_hex_token(text).is_none() {
            let detail = format!("token {id} is {text:?}, not two hexadecimal digits");
            findings.add(Finding::new(FindingKind::MalformedByteToken, detail));
        }
    }
}
