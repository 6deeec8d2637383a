//! Recognising a licence by its text.
//!
//! A text is compared in a normal form, so that line ends, indentation, letter case and typographic
//! quotes do not matter, and a changed word does. What is compared is a SHA-256: the texts of others
//! are not kept here. Licences that everyone prefixes with their own copyright line are hashed from
//! their first to their last known phrase; anything of substance before or after is reported.

use sha2::{Digest, Sha256};

use super::{Licence, Licences};

/// What a text was recognised as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Match {
    /// The very text: the licence's id, and which known text.
    Hash(String, String),
    /// The very text with more before or after it: id, which text, the first words of the rest.
    HashWithMore(String, String, String),
    /// Its marks stand in it: id, and the ids of others whose marks stand in it too.
    Markers(String, Vec<String>),
    /// Neither.
    Nothing,
}

/// The normal form: no byte-order mark or invisible characters, straight quotes, plain hyphens,
/// `(c)`, lower-case ASCII letters, one space for every run of white space.
pub(crate) fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for character in text.chars() {
        let mapped = match character {
            '\u{feff}' | '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{ad}' => continue,
            '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' => "'",
            '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' => "\"",
            '\u{2010}'..='\u{2015}' | '\u{2212}' => "-",
            '\u{a9}' => "(c)",
            '\u{2026}' => "...",
            c if c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c) => {
                space = true;
                continue;
            }
            _ => "",
        };
        if space && !out.is_empty() {
            out.push(' ');
        }
        space = false;
        if mapped.is_empty() {
            out.push(character.to_ascii_lowercase());
        } else {
            out.push_str(mapped);
        }
    }
    out
}

/// SHA-256 in hex.
pub(crate) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// A title and some copyright lines are no longer than this.
const MAX_HEAD: usize = 600;

/// Recognises a text already in normal form.
pub(crate) fn recognise(text: &str, licences: &Licences) -> Match {
    let whole = sha256(text);
    let hashed = licences.iter().find_map(|licence| {
        let found = licence.text.known.iter().find_map(|known| {
            let (part, before, after) = match (&known.begin, &known.end) {
                (None, None) => (text, "", ""),
                (begin, end) => {
                    let start =
                        begin.as_ref().map_or(Some(0), |phrase| text.find(phrase.as_str()))?;
                    let rest = &text[start..];
                    let stop = match end {
                        Some(phrase) => rest.find(phrase.as_str())? + phrase.len(),
                        None => rest.len(),
                    };
                    (&rest[..stop], &text[..start], rest[stop..].trim_start())
                }
            };
            let fits = if part.len() == text.len() {
                whole == known.sha256
            } else {
                sha256(part) == known.sha256
            };
            fits.then_some((known, before, after))
        });
        found.map(|(known, before, after)| {
            let usual = known.tails.iter().any(|tail| after.starts_with(tail.as_str()));
            let of = known.of.clone();
            if !after.is_empty() && !usual {
                Match::HashWithMore(licence.id.clone(), of, words(after))
            } else if before.len() > MAX_HEAD {
                Match::HashWithMore(licence.id.clone(), of, words(before))
            } else {
                Match::Hash(licence.id.clone(), of)
            }
        })
    });
    match hashed {
        None => by_markers(text, licences),
        Some(Match::HashWithMore(id, of, rest)) => match by_markers(text, licences) {
            Match::Markers(other, more) if beats(licences, &other, &id) => {
                Match::Markers(other, more)
            }
            _ => Match::HashWithMore(id, of, rest),
        },
        Some(found) => found,
    }
}

/// Whether a licence contains another's text and says more.
fn beats(licences: &Licences, id: &str, other: &str) -> bool {
    licences.find(id).is_some_and(|licence| licence.text.beats.iter().any(|beaten| beaten == other))
}

/// The licence whose marks stand first; one that contains another's text beats it.
fn by_markers(text: &str, licences: &Licences) -> Match {
    let mut found: Vec<(usize, &Licence)> = licences
        .iter()
        .filter(|licence| !licence.text.markers.is_empty())
        .filter_map(|licence| {
            let places = licence.text.markers.iter().map(|marker| text.find(&normal(marker)));
            let places: Option<Vec<usize>> = places.collect();
            Some((places?.into_iter().min()?, licence))
        })
        .collect();
    let beaten: Vec<&String> = found.iter().flat_map(|(_, licence)| &licence.text.beats).collect();
    found.retain(|(_, licence)| !beaten.contains(&&licence.id));
    found.sort_by_key(|(place, _)| *place);
    match found.split_first() {
        None => Match::Nothing,
        Some(((_, first), rest)) => {
            Match::Markers(first.id.clone(), rest.iter().map(|(_, l)| l.id.clone()).collect())
        }
    }
}

/// The first words of a text, for evidence.
fn words(text: &str) -> String {
    let short: Vec<&str> = text.split(' ').take(12).collect();
    short.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIT: &str = include_str!("../../../../LICENSE-MIT");
    const APACHE: &str = include_str!("../../../../LICENSE-APACHE");

    #[test]
    fn the_normal_form_forgets_layout_and_keeps_words() {
        let fancy =
            "\u{feff}The \u{201c}Software\u{201d}\r\n\r\n  is\u{a0}\u{a9} \u{2014} ours\u{2019}s\n";
        assert_eq!(normal(fancy), "the \"software\" is (c) - ours's");
        assert_ne!(normal("may use"), normal("may not use"));
    }

    #[test]
    fn our_own_licence_files_are_recognised_by_hash() {
        for (text, id) in [(MIT, "mit"), (APACHE, "apache-2.0")] {
            let found = recognise(&normal(text), Licences::shipped());
            assert!(matches!(&found, Match::Hash(found, _) if found == id), "{found:?}");
        }
    }

    #[test]
    fn a_changed_word_is_no_hash_and_an_added_clause_is_told() {
        let all = Licences::shipped();
        let changed = MIT.replace("sublicense", "rent");
        assert!(matches!(recognise(&normal(&changed), all), Match::Markers(id, _) if id == "mit"));
        let more = format!("{MIT}\nYou may not use it on Mondays.");
        let found = recognise(&normal(&more), all);
        assert!(
            matches!(&found, Match::HashWithMore(id, _, rest) if id == "mit" && rest.contains("mondays")),
            "{found:?}"
        );
    }

    #[test]
    fn a_text_that_contains_another_is_the_one_that_says_more() {
        let kimi =
            format!("{MIT}\nOur only modification part is that, if it is used a lot, show it.");
        let found = recognise(&normal(&kimi), Licences::shipped());
        assert_eq!(found, Match::Markers("kimi-modified-mit".into(), vec![]));
    }
}
