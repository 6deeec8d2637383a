//! The list of conversations, whole or those in which certain words were said.
//!
//! A search reads one owner's own words, newest conversation first, and stops when enough are found.
//! That is bounded by the room an owner has, needs no second copy of what was said, finds parts of
//! words in every script, and can tell nobody anything about others.

use rusqlite::params;

use super::{Error, Owner, Store, Summary, store::summary_of};

const WORDS_MAX: usize = 8;
const WORD_CHARS_MAX: usize = 64;
const SNIPPET_BEFORE: usize = 24;
const SNIPPET_CHARS: usize = 120;

/// What is wanted of the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Search {
    /// All of these must be in the title or in one message, large or small letters.
    words: Vec<String>,
    /// Where the last page ended.
    before: Option<Cursor>,
    limit: usize,
}

impl Search {
    pub(crate) fn new(text: &str, before: Option<Cursor>, limit: usize) -> Self {
        let fold =
            |word: &str| word.chars().take(WORD_CHARS_MAX).collect::<String>().to_lowercase();
        let words = text.split_whitespace().take(WORDS_MAX).map(fold).collect();
        Search { words, before, limit: limit.clamp(1, 200) }
    }
}

/// A place in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    updated: i64,
    id: String,
}

impl Cursor {
    /// As the list's answer names it.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (updated, id) = text.split_once('.')?;
        super::check_name("conversation", id).ok()?;
        Some(Cursor { updated: updated.parse().ok()?, id: id.to_owned() })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.updated, self.id)
    }
}

/// A part of the list, newest first, and where the next one begins.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) found: Vec<Summary>,
    pub(crate) next: Option<Cursor>,
}

impl Store {
    /// An owner's conversations, newest first.
    pub(crate) fn list(&self, owner: &Owner, search: &Search) -> Result<Listed, Error> {
        let db = self.reader();
        let mut heads = db.prepare_cached(
            "select id, title, created, updated, messages from conversations
             where owner = ?1 and (updated, id) < (?2, ?3) order by updated desc, id desc",
        )?;
        let from = search.before.clone().unwrap_or(Cursor { updated: i64::MAX, id: String::new() });
        let rows = heads.query_map(params![owner.name(), from.updated, from.id], summary_of)?;
        let mut said = db.prepare_cached(
            "select content from messages where owner = ?1 and conversation = ?2 order by place",
        )?;
        let mut found: Vec<Summary> = vec![];
        for row in rows {
            let head = row?;
            let hit = if search.words.is_empty() || holds(&head.title.to_lowercase(), &search.words)
            {
                Some(None)
            } else {
                let texts =
                    said.query_map(params![owner.name(), head.id], |row| row.get::<_, String>(0))?;
                first_hit(texts, &search.words)?.map(Some)
            };
            let Some(snippet) = hit else { continue };
            if found.len() == search.limit {
                let last = found.last();
                let next = last.map(|last| Cursor { updated: last.updated, id: last.id.clone() });
                return Ok(Listed { found, next });
            }
            found.push(Summary { snippet, ..head });
        }
        Ok(Listed { found, next: None })
    }
}

fn holds(folded: &str, words: &[String]) -> bool {
    words.iter().all(|word| folded.contains(word.as_str()))
}

fn first_hit(
    texts: impl Iterator<Item = Result<String, rusqlite::Error>>,
    words: &[String],
) -> Result<Option<String>, Error> {
    for text in texts {
        let text = text?;
        let folded = text.to_lowercase();
        if holds(&folded, words) {
            return Ok(Some(snippet(&text, &folded, words)));
        }
    }
    Ok(None)
}

/// A line of the text around the first of the words.
fn snippet(text: &str, folded: &str, words: &[String]) -> String {
    let at = words.iter().filter_map(|word| folded.find(word.as_str())).min().unwrap_or(0);
    let before = folded[..at].chars().count();
    let skip = before.saturating_sub(SNIPPET_BEFORE);
    let part: String = text.chars().skip(skip).take(SNIPPET_CHARS).collect();
    let line = part.split_whitespace().collect::<Vec<_>>().join(" ");
    if skip > 0 { format!("…{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Change, Ending, Message, Role};

    fn filled() -> (Store, Owner) {
        let store = Store::in_memory().unwrap();
        let owner = Owner::new(None);
        for (id, title, text) in [
            ("a", "Gardens", "How do I grow Tomaten in the shade?"),
            ("b", "Rust", "Explain `Pin<&mut T>` to me, bitte über Zeiger"),
            ("c", "Kochen", "番茄炒蛋怎么做?"),
        ] {
            let change = Change { title: Some(title.into()), ..Change::default() };
            store.save(&owner, id, change).unwrap();
            let message = Message {
                id: "m".into(),
                parent: None,
                role: Role::User,
                content: text.into(),
                reasoning: String::new(),
                state: Ending::Done,
                model: None,
                stats: None,
                created: 0,
            };
            store.save_message(&owner, id, &message).unwrap();
        }
        (store, owner)
    }

    fn ids(store: &Store, owner: &Owner, text: &str) -> Vec<String> {
        let listed = store.list(owner, &Search::new(text, None, 50)).unwrap();
        let mut ids: Vec<String> = listed.found.into_iter().map(|found| found.id).collect();
        ids.sort();
        ids
    }

    #[test]
    fn words_are_found_in_titles_and_texts_of_every_script() {
        let (store, owner) = filled();
        for (text, expected) in [
            ("", vec!["a", "b", "c"]),
            ("garden", vec!["a"]),
            ("TOMAT shade", vec!["a"]),
            ("tomat rust", vec![]),
            ("pin<&mut", vec!["b"]),
            ("ÜBER", vec!["b"]),
            ("炒蛋", vec!["c"]),
            ("%", vec![]),
            ("_", vec![]),
            ("' or 1=1 --", vec![]),
        ] {
            assert_eq!(ids(&store, &owner, text), expected, "{text}");
        }
        assert!(ids(&store, &Owner::new(Some("other")), "").is_empty());
        let listed = store.list(&owner, &Search::new("tomaten", None, 50)).unwrap();
        let snippet = listed.found[0].snippet.as_deref().unwrap();
        assert!(snippet.contains("Tomaten"), "{snippet}");
    }

    #[test]
    fn pages_join_to_the_whole_list() {
        let (store, owner) = filled();
        let (mut seen, mut before) = (vec![], None);
        loop {
            let listed = store.list(&owner, &Search::new("", before.clone(), 2)).unwrap();
            seen.extend(listed.found.into_iter().map(|found| found.id));
            let Some(next) = listed.next else { break };
            before = Some(Cursor::parse(&next.to_string()).unwrap());
        }
        let mut sorted = seen.clone();
        sorted.sort();
        assert_eq!((sorted, seen.len()), (vec!["a".into(), "b".into(), "c".into()], 3));
        assert_eq!(Cursor::parse("x"), None);
        assert_eq!(Cursor::parse("1.a b"), None);
    }

    #[test]
    fn a_snippet_of_any_letters_is_cut_between_letters() {
        let text = "İ".repeat(300) + " needle " + &"ß".repeat(300);
        let folded = text.to_lowercase();
        assert!(
            snippet(&text, &folded, &["needle".to_owned()]).chars().count() <= SNIPPET_CHARS + 1
        );
    }
}
