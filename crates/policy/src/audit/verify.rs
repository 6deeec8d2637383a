//! Checking a log, line by line, in one pass and little memory.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Head, MAX_LINE, canonical, chained, is_hash};
use crate::shown;

/// A log that fits together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// How many entries.
    pub entries: u64,
    /// The last one's hash.
    pub head: String,
    /// The head as an anchor to keep elsewhere.
    pub anchor: String,
    /// The first entry's time.
    pub first: Option<String>,
    /// The last entry's time.
    pub last: Option<String>,
    /// How often each action was logged with each verdict, such as `pull allow`.
    pub counts: BTreeMap<String, u64>,
    /// Lines whose time lies before that of the line above: no break, but worth a look.
    pub backwards: Vec<u64>,
    /// Whether an anchor was held against it; without one, a cut at the end cannot be told.
    pub anchored: bool,
}

/// Where a log stops fitting together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Break {
    /// The line, counted from 1.
    pub line: u64,
    /// What kind of break.
    pub kind: BreakKind,
    /// In plain words.
    pub says: String,
}

impl std::fmt::Display for Break {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "audit log, line {}: {}", self.line, self.says)
    }
}

impl std::error::Error for Break {}

/// Kinds of breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakKind {
    /// The last line has no end: a write was interrupted. Only this may be trimmed, and the trimming
    /// is itself logged.
    Torn,
    /// A line is longer than any that is written.
    TooLong,
    /// A line is no entry.
    NotAnEntry,
    /// A line is an entry, but not as it was written.
    NotCanonical,
    /// A line was left out, put in, or put elsewhere.
    Sequence,
    /// A line does not follow from the one above.
    Previous,
    /// A line was changed.
    Hash,
    /// An anchor knows of more entries than there are: the end was cut off.
    CutOff,
    /// An anchor knows another entry at this place: the log was rewritten.
    Rewritten,
}

/// Takes lines one by one.
#[derive(Debug)]
pub struct Verifier {
    head: Head,
    anchors: Vec<Head>,
    anchored: bool,
    first: Option<String>,
    last: Option<String>,
    counts: BTreeMap<String, u64>,
    backwards: Vec<u64>,
}

/// More kinds of actions or backward lines than this are not counted apart.
const MAX_KEPT: usize = 1000;

impl Verifier {
    /// A verifier that holds anchors kept elsewhere against the log.
    pub fn new(anchors: impl IntoIterator<Item = Head>) -> Self {
        let mut anchors: Vec<Head> =
            anchors.into_iter().filter(|anchor| anchor.count > 0).collect();
        anchors.sort();
        anchors.reverse();
        Self {
            head: Head::default(),
            anchored: !anchors.is_empty(),
            anchors,
            first: None,
            last: None,
            counts: BTreeMap::new(),
            backwards: Vec::new(),
        }
    }

    /// Checks the next line, given with its line feed.
    pub fn line(&mut self, line: &[u8]) -> Result<(), Break> {
        let number = self.head.count + 1;
        let broken = |kind, says: &str| Break { line: number, kind, says: says.to_owned() };
        let Some(text) = line.strip_suffix(b"\n") else {
            let says = "it has no end: the last write was interrupted";
            return Err(broken(BreakKind::Torn, says));
        };
        if line.len() > MAX_LINE {
            return Err(broken(BreakKind::TooLong, "it is longer than any line that is written"));
        }
        let parsed = std::str::from_utf8(text)
            .ok()
            .and_then(|text| Some((text, serde_json::from_str(text).ok()?)));
        let Some((text, Value::Object(mut entry))) = parsed else {
            return Err(broken(BreakKind::NotAnEntry, "it is no JSON object"));
        };
        if canonical(&Value::Object(entry.clone())).as_deref() != Ok(text) {
            return Err(broken(BreakKind::NotCanonical, "it is not in the form it was written in"));
        }
        let field = |name: &str| entry.get(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(sequence), Some(previous), Some(hash), Some(time), Some(action)) = (
            entry.get("seq").and_then(Value::as_u64),
            field("prev"),
            field("hash"),
            field("time"),
            field("action"),
        ) else {
            return Err(broken(BreakKind::NotAnEntry, "it lacks seq, prev, hash, time or action"));
        };
        if sequence != self.head.count {
            let says = format!(
                "it is entry {sequence} where {} belongs: a line was left out, put in or moved",
                self.head.count
            );
            return Err(broken(BreakKind::Sequence, &says));
        }
        if previous != self.head.hash {
            return Err(broken(BreakKind::Previous, "it does not follow from the line above"));
        }
        let verdict = entry
            .get("details")
            .and_then(|d| d.get("verdict"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        entry.shift_remove("hash");
        if !is_hash(&hash)
            || chained(&self.head.hash, &Value::Object(entry)).as_deref() != Ok(hash.as_str())
        {
            return Err(broken(BreakKind::Hash, "it was changed: its hash does not fit it"));
        }
        self.head = Head { count: number, hash };
        while let Some(anchor) = self.anchors.last().filter(|anchor| anchor.count == number) {
            if anchor.hash != self.head.hash {
                return Err(broken(
                    BreakKind::Rewritten,
                    "an anchor kept elsewhere knows another entry here: the log was rewritten",
                ));
            }
            self.anchors.pop();
        }
        if self.last.as_ref().is_some_and(|last| time < *last) && self.backwards.len() < MAX_KEPT {
            self.backwards.push(number);
        }
        let key = verdict.map_or_else(
            || shown(&action),
            |verdict| format!("{} {}", shown(&action), shown(&verdict)),
        );
        if self.counts.len() < MAX_KEPT || self.counts.contains_key(&key) {
            *self.counts.entry(key).or_default() += 1;
        }
        self.first.get_or_insert_with(|| shown(&time));
        self.last = Some(time);
        Ok(())
    }

    /// The end of the log so far, to go on writing from.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Says that there are no more lines.
    pub fn finish(self) -> Result<Summary, Break> {
        if let Some(anchor) = self.anchors.first() {
            let says = format!(
                "the log ends after {} entries, but an anchor kept elsewhere knows of {}: its end was cut off",
                self.head.count, anchor.count
            );
            return Err(Break { line: self.head.count + 1, kind: BreakKind::CutOff, says });
        }
        Ok(Summary {
            entries: self.head.count,
            anchor: self.head.to_string(),
            head: self.head.hash,
            first: self.first,
            last: self.last.map(|time| shown(&time)),
            counts: self.counts,
            backwards: self.backwards,
            anchored: self.anchored,
        })
    }
}

/// Checks a whole log at hand.
pub fn verify(log: &[u8], anchors: &[Head]) -> Result<Summary, Break> {
    let mut verifier = Verifier::new(anchors.iter().cloned());
    for line in log.split_inclusive(|&byte| byte == b'\n') {
        verifier.line(line)?;
    }
    verifier.finish()
}

#[cfg(test)]
mod tests {
    use super::super::{Entry, Subject, append_line};
    use super::*;

    fn log(entries: usize) -> (Vec<String>, Vec<Head>) {
        let mut head = Head::default();
        let (mut lines, mut heads) = (Vec::new(), Vec::new());
        for index in 0..entries {
            let mut entry = Entry {
                time: format!("2026-11-21T11:00:{:02}Z", index % 60),
                actor: "ada".into(),
                action: if index % 2 == 0 { "pull" } else { "run" }.into(),
                subjects: vec![Subject { name: format!("org/model-{index}"), digest: None }],
                ..Entry::default()
            };
            entry.details.insert("verdict".into(), "allow".into());
            let (line, next) = append_line(&head, &entry).unwrap();
            lines.push(line);
            head = next.clone();
            heads.push(next);
        }
        (lines, heads)
    }

    fn kind(lines: &[String], anchors: &[Head]) -> (u64, BreakKind) {
        let error = verify(lines.concat().as_bytes(), anchors).unwrap_err();
        (error.line, error.kind)
    }

    #[test]
    fn what_is_written_verifies() {
        let (lines, heads) = log(20);
        let summary = verify(lines.concat().as_bytes(), &heads).unwrap();
        assert_eq!((summary.entries, summary.anchored), (20, true));
        assert_eq!(summary.counts["pull allow"], 10);
        assert_eq!(summary.anchor.parse::<Head>().unwrap(), heads[19]);
        assert_eq!(verify(b"", &[]).unwrap().entries, 0);
    }

    #[test]
    fn i2_edits_deletions_and_reordering_are_found_at_their_line() {
        let (lines, _) = log(10);
        for at in 0..10 {
            let mut edited = lines.clone();
            edited[at] = edited[at].replace("org/model", "org/other");
            assert_eq!(kind(&edited, &[]), (at as u64 + 1, BreakKind::Hash));
        }
        let mut gone = lines.clone();
        gone.remove(4);
        assert_eq!(kind(&gone, &[]), (5, BreakKind::Sequence));
        let mut moved = lines.clone();
        moved.swap(2, 3);
        assert_eq!(kind(&moved, &[]), (3, BreakKind::Sequence));
        let mut doubled = lines.clone();
        doubled.insert(5, lines[4].clone());
        assert_eq!(kind(&doubled, &[]), (6, BreakKind::Sequence));
        let mut spaced = lines.clone();
        spaced[1] = spaced[1].replace(',', ", ");
        assert_eq!(kind(&spaced, &[]), (2, BreakKind::NotCanonical));
        let mut twice = lines.clone();
        twice[1] = twice[1].replacen('{', "{\"actor\":\"eve\",", 1);
        assert_eq!(kind(&twice, &[]), (2, BreakKind::NotCanonical));
    }

    #[test]
    fn i2_every_flipped_bit_and_every_torn_end_is_found() {
        let (lines, _) = log(3);
        let good = lines.concat().into_bytes();
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bad = good.clone();
                bad[at] ^= 1 << bit;
                assert!(verify(&bad, &[]).is_err(), "byte {at} bit {bit}");
            }
        }
        for end in 1..good.len() {
            let whole = good[..end].last() == Some(&b'\n');
            match verify(&good[..end], &[]) {
                Ok(_) => assert!(whole),
                Err(error) => assert!(!whole && error.kind == BreakKind::Torn, "{error}"),
            }
        }
    }

    #[test]
    fn i2_a_cut_end_is_found_by_an_anchor_and_a_fork_too() {
        let (lines, heads) = log(10);
        assert!(verify(lines[..6].concat().as_bytes(), &[]).is_ok(), "a cut alone fits together");
        assert_eq!(kind(&lines[..6], &heads[9..]), (7, BreakKind::CutOff));
        assert_eq!(kind(&[], &heads[..1]), (1, BreakKind::CutOff));

        let mut forked = lines[..5].to_vec();
        let entry =
            Entry { time: "2026-11-21T12:00:00Z".into(), action: "run".into(), ..Entry::default() };
        let mut head = heads[4].clone();
        for _ in 5..10 {
            let (line, next) = append_line(&head, &entry).unwrap();
            forked.push(line);
            head = next;
        }
        assert!(verify(forked.concat().as_bytes(), &[]).is_ok(), "a fork alone fits together");
        assert_eq!(kind(&forked, &heads), (6, BreakKind::Rewritten));
    }

    #[test]
    fn what_cannot_be_written_back_is_refused() {
        let good = Entry { time: "2026-11-21T11:30:00.5Z".into(), ..Entry::default() };
        assert!(append_line(&Head::default(), &good).is_ok());
        let mut fraction = good.clone();
        fraction.details.insert("cost".into(), serde_json::json!(0.5));
        assert!(append_line(&Head::default(), &fraction).is_err());
        let huge = Entry { actor: "x".repeat(MAX_LINE), ..good.clone() };
        assert!(append_line(&Head::default(), &huge).is_err());
        for time in [
            "",
            "now",
            "2026-11-21 11:30:00Z",
            "2026-11-21T11:30:00+01:00",
            "2026-02-30T11:30:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T1:30:00Z",
        ] {
            let wrong = Entry { time: time.into(), ..Entry::default() };
            assert!(append_line(&Head::default(), &wrong).is_err(), "{time}");
        }
        assert!("freehold-audit/1 3 abc".parse::<Head>().is_err());
    }

    #[test]
    fn hostile_lines_are_told_not_trusted() {
        for bad in ["\n", "[]\n", "{}\n", "{\"seq\":0}\n", "\u{feff}{}\n", "nul\0l\n"] {
            assert!(verify(bad.as_bytes(), &[]).is_err(), "{bad:?}");
        }
        let deep = format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(verify(deep.as_bytes(), &[]).unwrap_err().kind, BreakKind::NotAnEntry);
        assert!(verify(&[0xff, b'\n'], &[]).is_err());
    }
}
