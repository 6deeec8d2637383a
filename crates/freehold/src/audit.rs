//! The audit log's file: `FREEHOLD_HOME/audit/log.jsonl`, with its end beside it in `head`.
//!
//! An entry is written and synced before what it decides is done, under a lock, so that several processes
//! keep one chain. The head is a help: where it does not fit the log's end (a crash in between), the
//! whole log is checked and the head found anew. A last line that was interrupted is taken off, and
//! that is itself an entry; anything else that does not fit is left as it is and nothing is added.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use policy::PolicyState;
use policy::audit::{BreakKind, Entry, Head, MAX_LINE, Verifier, append_line};
use serde_json::Value;

use crate::{clock, program::App};

/// The log and its head.
pub(crate) struct Log {
    folder: PathBuf,
}

impl Log {
    /// Where it lies: the folder the policy names, else the program's own.
    pub(crate) fn of(app: &App) -> anyhow::Result<Self> {
        let stated = match crate::gate::state(app) {
            PolicyState::Ready(policy) => policy.audit.path.as_ref().map(PathBuf::from),
            PolicyState::Absent | PolicyState::Unreadable(_) => None,
        };
        match stated {
            Some(folder) => Ok(Log { folder }),
            None => Ok(Log { folder: app.settings.home()?.join("audit") }),
        }
    }

    /// The file of entries.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("log.jsonl")
    }

    fn head_path(&self) -> PathBuf {
        self.folder.join("head")
    }

    /// The end as it was last written beside the log.
    pub(crate) fn head(&self) -> Option<Head> {
        fs::read_to_string(self.head_path()).ok()?.trim().parse().ok()
    }

    /// Checks every line; `anchors` are heads kept elsewhere.
    pub(crate) fn verifier(&self, anchors: Vec<Head>) -> anyhow::Result<Verifier> {
        let mut verifier = Verifier::new(anchors);
        self.lines(|line| Ok(verifier.line(line)?))?;
        Ok(verifier)
    }

    /// Every line with its line feed; none when there is no log.
    pub(crate) fn lines(
        &self,
        mut each: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let file = match File::open(self.path()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        let mut reader = BufReader::new(file);
        let mut line = vec![];
        loop {
            line.clear();
            let bound = MAX_LINE as u64 + 1;
            if reader.by_ref().take(bound).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            each(&line)?;
        }
    }

    fn append(&self, entry: &Entry) -> anyhow::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.folder.join("lock"))?;
        lock.lock()?;
        let head = self.end()?;
        let (line, next) = append_line(&head, entry)?;
        let mut file = OpenOptions::new().create(true).append(true).open(self.path())?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        self.keep(&next)
    }

    /// The end to go on from.
    fn end(&self) -> anyhow::Result<Head> {
        let kept = self.head().unwrap_or_default();
        if self.last_hash()? == Some(kept.hash.clone()) || (kept.count == 0 && self.is_empty()) {
            return Ok(kept);
        }
        let mut verifier = Verifier::new([]);
        let mut torn = None;
        let mut good = 0_u64;
        self.lines(|line| {
            match verifier.line(line) {
                Ok(()) => good += line.len() as u64,
                Err(fault) if fault.kind == BreakKind::Torn => torn = Some(line.len()),
                Err(fault) => return Err(fault.into()),
            }
            Ok(())
        })?;
        let head = verifier.head().clone();
        if kept.count > head.count {
            anyhow::bail!(
                "the log has {} entries, its head knows of {}: its end was cut off",
                head.count,
                kept.count
            );
        }
        let Some(bytes) = torn else { return Ok(head) };
        let file = OpenOptions::new().write(true).open(self.path())?;
        file.set_len(good)?;
        file.sync_all()?;
        let mut entry = Entry {
            time: clock::timestamp(),
            actor: "freehold".to_owned(),
            action: "audit.trim".to_owned(),
            ..Entry::default()
        };
        entry.details.insert("bytes".to_owned(), Value::from(bytes as u64));
        let (line, next) = append_line(&head, &entry)?;
        let mut file = OpenOptions::new().append(true).open(self.path())?;
        file.write_all(line.as_bytes())?;
        file.sync_all()?;
        Ok(next)
    }

    fn is_empty(&self) -> bool {
        fs::metadata(self.path()).map_or(true, |file| file.len() == 0)
    }

    /// The hash of the last line, if the log ends with a whole one.
    fn last_hash(&self) -> anyhow::Result<Option<String>> {
        let mut file = match File::open(self.path()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MAX_LINE as u64 + 1)))?;
        let mut tail = vec![];
        file.take(MAX_LINE as u64 + 1).read_to_end(&mut tail)?;
        let Some(whole) = tail.strip_suffix(b"\n") else { return Ok(None) };
        let start = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let entry: Option<Value> = serde_json::from_slice(&whole[start..]).ok();
        Ok(entry.and_then(|entry| entry["hash"].as_str().map(str::to_owned)))
    }

    fn keep(&self, head: &Head) -> anyhow::Result<()> {
        let mut beside = tempfile::NamedTempFile::new_in(&self.folder)?;
        writeln!(beside, "{head}")?;
        beside.as_file().sync_all()?;
        beside.persist(self.head_path())?;
        sync_folder(&self.folder);
        Ok(())
    }
}

/// Adds an entry and syncs it.
pub(crate) fn append(app: &App, entry: &Entry) -> anyhow::Result<()> {
    let log = Log::of(app)?;
    log.append(entry).with_context(|| format!("{}", log.path().display()))
}

/// A folder's own entries reach the disk; where a system has no such thing, nothing is lost but time.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        drop(folder.sync_all());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(action: &str) -> Entry {
        let time = "2026-11-21T11:30:00Z".to_owned();
        Entry { time, actor: "ada".to_owned(), action: action.to_owned(), ..Entry::default() }
    }

    fn log() -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let log = Log { folder: folder.path().join("audit") };
        (folder, log)
    }

    fn entries(log: &Log) -> u64 {
        log.verifier(log.head().into_iter().collect()).unwrap().finish().unwrap().entries
    }

    #[test]
    fn entries_chain_and_a_lost_head_is_found_again() {
        let (_folder, log) = log();
        (0..3).for_each(|_| log.append(&entry("pull")).unwrap());
        assert_eq!(entries(&log), 3);
        fs::remove_file(log.head_path()).unwrap();
        log.append(&entry("run")).unwrap();
        assert_eq!(entries(&log), 4);
    }

    #[test]
    fn an_interrupted_line_is_taken_off_and_that_is_told() {
        let (_folder, log) = log();
        log.append(&entry("pull")).unwrap();
        let mut file = OpenOptions::new().append(true).open(log.path()).unwrap();
        file.write_all(b"{\"action\":\"pu").unwrap();
        log.append(&entry("run")).unwrap();
        assert_eq!(entries(&log), 3);
        assert!(fs::read_to_string(log.path()).unwrap().contains("audit.trim"));
    }

    #[test]
    fn a_log_that_was_changed_or_cut_takes_nothing_more() {
        let (_folder, log) = log();
        (0..3).for_each(|_| log.append(&entry("pull")).unwrap());
        let whole = fs::read_to_string(log.path()).unwrap();
        fs::write(log.path(), whole.replacen("ada", "eve", 1)).unwrap();
        assert!(log.verifier(vec![]).is_err());
        fs::remove_file(log.head_path()).unwrap();
        assert!(log.append(&entry("run")).is_err());
        fs::write(log.path(), &whole).unwrap();
        log.append(&entry("run")).unwrap();
        let cut: String = whole.split_inclusive('\n').take(2).collect();
        fs::write(log.path(), cut).unwrap();
        let error = log.append(&entry("run")).unwrap_err().to_string();
        assert!(error.contains("cut off"), "{error}");
    }

    #[test]
    fn many_writers_keep_one_chain() {
        let (_folder, log) = log();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..5).for_each(|_| log.append(&entry("run")).unwrap()));
            }
        });
        assert_eq!(entries(&log), 20);
    }
}
