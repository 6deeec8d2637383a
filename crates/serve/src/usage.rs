//! Records of what was used, per key: written by one thread, on disk before an answer's last word.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};

use crate::{Error, key};

/// What one answer took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Whose, by the key's id.
    pub key: Option<String>,
    /// The request's id.
    pub request: String,
    /// By which route.
    pub route: &'static str,
    /// Which model.
    pub model: String,
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Of these, those not computed again.
    pub cached_tokens: usize,
    /// Tokens of all choices.
    pub completion_tokens: usize,
    /// How it ended.
    pub outcome: &'static str,
    /// From the request to the last token.
    pub duration: Duration,
}

/// A record, and who waits for it to be on disk.
type Line = (Record, oneshot::Sender<()>);

/// Writes records.
#[derive(Debug)]
pub(crate) struct Ledger {
    lines: mpsc::UnboundedSender<Line>,
}

impl Ledger {
    /// Starts the thread that writes to this file.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let db = key::database(path)?;
        let (lines, mut waiting) = mpsc::unbounded_channel::<Line>();
        let write = move || {
            let mut batch = vec![];
            while waiting.blocking_recv_many(&mut batch, 256) > 0 {
                // A record that cannot be written is dropped with its sender: whoever waits sees it.
                if write_all(&db, &batch).is_ok() {
                    batch.drain(..).for_each(|(_, done)| {
                        let _ = done.send(());
                    });
                }
                batch.clear();
            }
        };
        std::thread::Builder::new()
            .name("usage".to_owned())
            .spawn(write)
            .map_err(|source| Error::File { path: path.to_owned(), source })?;
        Ok(Ledger { lines })
    }

    /// Hands a record over; told when it is on disk.
    pub(crate) fn write(&self, record: Record) -> oneshot::Receiver<()> {
        let (done, told) = oneshot::channel();
        drop(self.lines.send((record, done)));
        told
    }
}

fn write_all(db: &Connection, batch: &[Line]) -> Result<(), rusqlite::Error> {
    let at = key::now().cast_signed();
    db.execute_batch("begin immediate")?;
    let result = batch.iter().try_for_each(|(record, _)| {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        db.prepare_cached("insert into usage values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
            .execute(params![
                at,
                record.key,
                record.request,
                record.route,
                record.model,
                count(record.prompt_tokens),
                count(record.cached_tokens),
                count(record.completion_tokens),
                record.outcome,
                i64::try_from(record.duration.as_millis()).unwrap_or(i64::MAX),
            ])
            .map(drop)
    });
    match result {
        Ok(()) => db.execute_batch("commit"),
        Err(error) => {
            drop(db.execute_batch("rollback"));
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_on_disk_when_they_are_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.sqlite");
        let ledger = Ledger::open(&path).unwrap();
        let record = |prompt_tokens| Record {
            key: Some("ann".into()),
            prompt_tokens,
            completion_tokens: 5,
            ..Record::default()
        };
        for n in [10, 20] {
            ledger.write(record(n)).blocking_recv().unwrap();
        }
        let keys = crate::key::Keys::open(&path).unwrap();
        assert_eq!(keys.used("ann", 0).unwrap(), 40);
        assert_eq!(keys.used("ann", key::now() + 1).unwrap(), 0);
        assert_eq!(keys.used("bob", 0).unwrap(), 0);
    }
}
