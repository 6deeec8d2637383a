//! Where a long piece may be cut without changing its tokens.
//!
//! SentencePiece vocabularies merge over whole texts. But every merge gives a token, so no merge
//! crosses a place whose two characters stand side by side in no token at all. Such places are
//! nearly all beginnings of words, `x▁`; cutting there keeps chains of symbols short, which is
//! ten times faster than one chain for the whole text.

use hashbrown::HashSet;

use super::vocab::Vocab;

const MARK: char = '▁';

/// The cuts a vocabulary allows.
#[derive(Debug, Default)]
pub(crate) struct Cuts {
    /// Characters before a mark inside some token; `None` when nothing may be cut.
    joined: Option<HashSet<char>>,
}

impl Cuts {
    /// The cuts of a vocabulary in which the mark itself is a token.
    pub(crate) fn new(vocab: &Vocab) -> Self {
        if vocab.spoken("▁").is_none() {
            return Self::default();
        }
        let mut joined = HashSet::new();
        for (_, text) in vocab.iter() {
            let before = text.match_indices(MARK).map(|(at, _)| text[..at].chars().next_back());
            joined.extend(before.flatten());
        }
        Self { joined: Some(joined) }
    }

    /// Calls `each` with the parts of a piece, in order.
    pub(crate) fn parts<'a, E>(
        &self,
        piece: &'a str,
        mut each: impl FnMut(&'a str) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(joined) = &self.joined else { return each(piece) };
        let mut from = 0;
        for (at, _) in piece.match_indices(MARK) {
            let before = piece[from..at].chars().next_back();
            if before.is_some_and(|before| !joined.contains(&before)) {
                each(&piece[from..at])?;
                from = at;
            }
        }
        each(&piece[from..])
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::Findings;
    use super::super::vocab::TokenKind;
    use super::*;

    #[test]
    fn cuts_stand_only_where_no_token_does() {
        let mut vocab = Vocab::default();
        for (id, text) in ["▁", "▁▁", "a", ".▁", "▁the"].into_iter().enumerate() {
            vocab.add(id as u32, text, TokenKind::Normal, &mut Findings::default()).unwrap();
        }
        let mut parts = Vec::new();
        let _ = Cuts::new(&vocab).parts("▁a▁▁the.▁a▁b", |part| {
            parts.push(part);
            Ok::<(), ()>(())
        });
        assert_eq!(parts, ["▁a", "▁▁the.▁a", "▁b"]);
    }
}
