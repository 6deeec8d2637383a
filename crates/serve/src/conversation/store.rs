//! The file of conversations. One connection writes, another reads, so that a search never keeps a
//! message from being stored.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::{
    Change, Conversation, Ending, Error, Limits, Message, Owner, Role, Summary, check_name,
};

const SCHEMA: &str = "
create table conversations (
  owner text not null,
  id text not null,
  title text not null,
  settings text not null,
  current text,
  created integer not null,
  updated integer not null,
  bytes integer not null,
  messages integer not null,
  primary key (owner, id)
) strict, without rowid;
create index conversations_by_time on conversations (owner, updated, id);
create table messages (
  owner text not null,
  conversation text not null,
  id text not null,
  place integer not null,
  parent text,
  role text not null,
  content text not null,
  reasoning text not null,
  state text not null,
  model text,
  stats text,
  created integer not null,
  primary key (owner, conversation, id),
  foreign key (owner, conversation) references conversations (owner, id) on delete cascade
) strict;
create unique index messages_in_order on messages (owner, conversation, place);
pragma user_version = 1;
";
const VERSION: i64 = 1;

/// See the module. Cheap to clone; all clones are one store.
#[derive(Clone)]
pub(crate) struct Store {
    shared: Arc<Shared>,
    limits: Limits,
}

struct Shared {
    write: Mutex<Connection>,
    /// None where the store is in memory only.
    read: Option<Mutex<Connection>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the file, made if need be, readable by its owner only.
    pub(crate) fn open(path: &Path) -> Result<Self, crate::Error> {
        let file = |source| crate::Error::File { path: path.to_owned(), source };
        let failed = |source| crate::Error::Database { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(file)?;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
            drop(made.map_err(file)?);
        }
        let write = connect(Connection::open(path).map_err(failed)?).map_err(failed)?;
        let read = Connection::open(path).map_err(failed)?;
        read.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
        read.pragma_update(None, "query_only", true).map_err(failed)?;
        Ok(Self::over(write, Some(read)))
    }

    /// A store that ends with the process.
    pub(crate) fn in_memory() -> Result<Self, crate::Error> {
        let failed = |source| crate::Error::Database { path: ":memory:".into(), source };
        let write = Connection::open_in_memory().and_then(connect).map_err(failed)?;
        Ok(Self::over(write, None))
    }

    fn over(write: Connection, read: Option<Connection>) -> Self {
        let shared = Shared { write: Mutex::new(write), read: read.map(Mutex::new) };
        Store { shared: Arc::new(shared), limits: Limits::default() }
    }

    #[cfg(test)]
    pub(crate) fn with_limits(self, limits: Limits) -> Self {
        Store { limits, ..self }
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        self.shared.write.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn reader(&self) -> MutexGuard<'_, Connection> {
        let connection = self.shared.read.as_ref().unwrap_or(&self.shared.write);
        connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A whole conversation.
    pub(crate) fn get(&self, owner: &Owner, id: &str) -> Result<Conversation, Error> {
        let mut db = self.reader();
        // One transaction: head and messages are of the same moment.
        let moment = db.transaction()?;
        whole(&moment, owner, id)?.ok_or(Error::Missing("conversation"))
    }

    /// All of an owner's conversations, oldest first.
    pub(crate) fn all(&self, owner: &Owner) -> Result<Vec<Conversation>, Error> {
        let mut db = self.reader();
        let moment = db.transaction()?;
        let mut query = moment
            .prepare_cached("select id from conversations where owner = ?1 order by created, id")?;
        let ids = query
            .query_map([owner.name()], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        let each = ids.iter().map(|id| whole(&moment, owner, id));
        each.filter_map(Result::transpose).collect()
    }

    /// Changes a conversation, or begins it.
    pub(crate) fn save(&self, owner: &Owner, id: &str, change: Change) -> Result<Summary, Error> {
        check_name("conversation", id)?;
        let title = change.title.map(|title| self.title(&title)).transpose()?;
        let settings = change.settings.map(|map| self.settings(&map)).transpose()?;
        let mut db = self.writer();
        let work = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let now = now();
        let there = summary(&work, owner, id)?;
        if there.is_none() {
            self.room_for_one(&work, owner)?;
            work.prepare_cached(
                "insert into conversations values (?1, ?2, ?3, '{}', null, ?4, ?4, 2, 0)",
            )?
            .execute(params![owner.name(), id, "New conversation", now])?;
        }
        if let Some(current) = &change.current {
            let found = message_row(&work, owner, id, current)?.is_some();
            found.then_some(()).ok_or(Error::Missing("message"))?;
        }
        let grown =
            settings.as_ref().map_or(0, String::len) + title.as_ref().map_or(0, String::len);
        self.room(&work, owner, grown)?;
        work.prepare_cached(
            "update conversations set title = coalesce(?3, title),
               bytes = bytes + case when ?4 is null then 0 else octet_length(?4) - octet_length(settings) end,
               settings = coalesce(?4, settings), current = coalesce(?5, current)
             where owner = ?1 and id = ?2",
        )?
        .execute(params![owner.name(), id, title, settings, change.current])?;
        let saved = summary(&work, owner, id)?.ok_or(Error::Missing("conversation"))?;
        work.commit()?;
        Ok(saved)
    }

    /// Stores a message: a new one under its parent, which becomes the current one, or more of one
    /// that is already there.
    pub(crate) fn save_message(
        &self,
        owner: &Owner,
        conversation: &str,
        message: &Message,
    ) -> Result<(), Error> {
        check_name("message", &message.id)?;
        let size = self.size(message)?;
        let mut db = self.writer();
        let work = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let head = summary(&work, owner, conversation)?.ok_or(Error::Missing("conversation"))?;
        let before = message_row(&work, owner, conversation, &message.id)?;
        match &before {
            Some(old) if old.parent != message.parent => return Err(Error::Changed("parent")),
            Some(old) if old.role != message.role => return Err(Error::Changed("role")),
            Some(old) => {
                let had = self.size(old).unwrap_or(0);
                self.room(&work, owner, size.saturating_sub(had))?;
                rewrite(&work, owner, conversation, message)?;
                grow(&work, owner, conversation, count(size) - count(had), 0)?;
            }
            None => {
                if let Some(parent) = &message.parent {
                    let found = message_row(&work, owner, conversation, parent)?.is_some();
                    found.then_some(()).ok_or(Error::Missing("parent"))?;
                }
                if head.messages >= self.limits.messages {
                    let most = self.limits.messages;
                    return Err(Error::Full { what: "messages of a conversation", most });
                }
                self.room(&work, owner, size)?;
                let message = Message { created: now(), ..message.clone() };
                insert(&work, owner, conversation, &message, head.messages)?;
                grow(&work, owner, conversation, count(size), 1)?;
                work.prepare_cached(
                    "update conversations set current = ?3 where owner = ?1 and id = ?2",
                )?
                .execute(params![owner.name(), conversation, message.id])?;
            }
        }
        work.prepare_cached(
            "update conversations set updated = max(updated, ?3) where owner = ?1 and id = ?2",
        )?
        .execute(params![owner.name(), conversation, now()])?;
        Ok(work.commit()?)
    }

    /// Deletes a conversation and everything said in it.
    pub(crate) fn delete(&self, owner: &Owner, id: &str) -> Result<(), Error> {
        let deleted = self.writer().execute(
            "delete from conversations where owner = ?1 and id = ?2",
            params![owner.name(), id],
        )?;
        if deleted == 0 { Err(Error::Missing("conversation")) } else { Ok(()) }
    }

    /// Adds conversations, all or none; one whose name is taken gets another. Gives how many.
    pub(crate) fn import(&self, owner: &Owner, all: Vec<Conversation>) -> Result<usize, Error> {
        let many = all.len();
        let mut db = self.writer();
        let work = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for mut one in all {
            if check_name("conversation", &one.id).is_err()
                || summary(&work, owner, &one.id)?.is_some()
            {
                one.id = crate::id::new("");
            }
            self.add(&work, owner, &one)?;
        }
        work.commit()?;
        Ok(many)
    }

    fn add(&self, work: &Transaction<'_>, owner: &Owner, one: &Conversation) -> Result<(), Error> {
        if one.messages.len() > self.limits.messages {
            let (found, most) = (one.messages.len(), self.limits.messages);
            return Err(Error::TooLong { what: "a conversation", found, most });
        }
        self.room_for_one(work, owner)?;
        let settings = self.settings(&one.settings)?;
        let now = now();
        let when = |ms: i64| if ms > 0 && ms <= now { ms } else { now };
        let created = when(one.created);
        let updated = when(one.updated).max(created);
        let mut bytes = settings.len();
        work.prepare_cached(
            "insert into conversations values (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
        )?
        .execute(params![
            owner.name(),
            one.id,
            self.title(&one.title)?,
            settings,
            one.current,
            created,
            updated,
            count(one.messages.len()),
        ])?;
        for (place, message) in one.messages.iter().enumerate() {
            bytes += self.size(message)?;
            let message = Message { created: when(message.created), ..message.clone() };
            insert(work, owner, &one.id, &message, place)?;
        }
        self.room(work, owner, bytes)?;
        grow(work, owner, &one.id, count(bytes), 0)
    }

    fn title(&self, title: &str) -> Result<String, Error> {
        let plain: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let (found, most) = (plain.chars().count(), self.limits.title_chars);
        if found > most {
            return Err(Error::TooLong { what: "title", found, most });
        }
        let plain = plain.trim();
        Ok(if plain.is_empty() { "New conversation".to_owned() } else { plain.to_owned() })
    }

    fn settings(&self, map: &serde_json::Map<String, serde_json::Value>) -> Result<String, Error> {
        let text = serde_json::Value::from(map.clone()).to_string();
        let (found, most) = (text.len(), self.limits.settings_bytes);
        if found > most { Err(Error::TooLong { what: "settings", found, most }) } else { Ok(text) }
    }

    /// What a message takes of its owner's room.
    fn size(&self, message: &Message) -> Result<usize, Error> {
        let stats = stats_text(message).map_or(0, |text| text.len());
        let model = message.model.as_ref().map_or(0, String::len);
        let size = message.content.len() + message.reasoning.len() + model;
        let most = self.limits.message_bytes;
        if size > most {
            return Err(Error::TooLong { what: "message", found: size, most });
        }
        if stats > self.limits.stats_bytes {
            return Err(Error::TooLong {
                what: "stats",
                found: stats,
                most: self.limits.stats_bytes,
            });
        }
        Ok(size + stats)
    }

    fn room(&self, work: &Transaction<'_>, owner: &Owner, more: usize) -> Result<(), Error> {
        if more == 0 {
            return Ok(());
        }
        let used: i64 = work
            .prepare_cached("select coalesce(sum(bytes), 0) from conversations where owner = ?1")?
            .query_row([owner.name()], |row| row.get(0))?;
        let fits =
            usize::try_from(used).unwrap_or(usize::MAX).saturating_add(more) <= self.limits.bytes;
        let full = Error::Full { what: "bytes of all conversations", most: self.limits.bytes };
        if fits { Ok(()) } else { Err(full) }
    }

    fn room_for_one(&self, work: &Transaction<'_>, owner: &Owner) -> Result<(), Error> {
        let many: i64 = work
            .prepare_cached("select count(*) from conversations where owner = ?1")?
            .query_row([owner.name()], |row| row.get(0))?;
        let fits = usize::try_from(many).unwrap_or(usize::MAX) < self.limits.conversations;
        let full = Error::Full { what: "conversations", most: self.limits.conversations };
        if fits { Ok(()) } else { Err(full) }
    }
}

/// Prepares a connection that writes.
fn connect(db: Connection) -> Result<Connection, rusqlite::Error> {
    db.busy_timeout(Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "secure_delete", true)?;
    // Two servers may open a new file at once: one makes the tables, the other waits and sees them.
    db.execute_batch("begin immediate")?;
    let version: i64 = db.query_row("pragma user_version", [], |row| row.get(0))?;
    match version {
        0 => db.execute_batch(SCHEMA)?,
        VERSION => (),
        _ => {
            let newer = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_SCHEMA);
            let message = format!(
                "the file is of version {version}, expected {VERSION}: written by a newer program"
            );
            return Err(rusqlite::Error::SqliteFailure(newer, Some(message)));
        }
    }
    db.execute_batch("commit")?;
    Ok(db)
}

const SUMMARY: &str = "id, title, created, updated, messages";

/// Reads a [`SUMMARY`].
pub(super) fn summary_of(row: &Row<'_>) -> Result<Summary, rusqlite::Error> {
    let messages: i64 = row.get(4)?;
    Ok(Summary {
        id: row.get(0)?,
        title: row.get(1)?,
        created: row.get(2)?,
        updated: row.get(3)?,
        messages: usize::try_from(messages).unwrap_or(0),
        snippet: None,
    })
}

fn summary(work: &Transaction<'_>, owner: &Owner, id: &str) -> Result<Option<Summary>, Error> {
    let query = format!("select {SUMMARY} from conversations where owner = ?1 and id = ?2");
    Ok(work.prepare_cached(&query)?.query_row(params![owner.name(), id], summary_of).optional()?)
}

fn whole(work: &Transaction<'_>, owner: &Owner, id: &str) -> Result<Option<Conversation>, Error> {
    let head = work
        .prepare_cached(
            "select id, title, settings, current, created, updated from conversations where owner = ?1 and id = ?2",
        )?
        .query_row(params![owner.name(), id], |row| {
            let settings: String = row.get(2)?;
            Ok(Conversation {
                id: row.get(0)?,
                title: row.get(1)?,
                settings: serde_json::from_str(&settings).unwrap_or_default(),
                current: row.get(3)?,
                created: row.get(4)?,
                updated: row.get(5)?,
                messages: vec![],
            })
        })
        .optional()?;
    let Some(head) = head else { return Ok(None) };
    let messages = work
        .prepare_cached(&format!(
            "select {MESSAGE} from messages where owner = ?1 and conversation = ?2 order by place"
        ))?
        .query_map(params![owner.name(), id], message_of)?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Conversation { messages, ..head }))
}

const MESSAGE: &str = "id, parent, role, content, reasoning, state, model, stats, created";

fn message_of(row: &Row<'_>) -> Result<Message, rusqlite::Error> {
    let (role, state): (String, String) = (row.get(2)?, row.get(5)?);
    let stats: Option<String> = row.get(7)?;
    Ok(Message {
        id: row.get(0)?,
        parent: row.get(1)?,
        role: Role::from_name(&role).unwrap_or(Role::User),
        content: row.get(3)?,
        reasoning: row.get(4)?,
        state: Ending::from_name(&state).unwrap_or_default(),
        model: row.get(6)?,
        stats: stats.and_then(|text| serde_json::from_str(&text).ok()),
        created: row.get(8)?,
    })
}

fn message_row(
    work: &Transaction<'_>,
    owner: &Owner,
    conversation: &str,
    id: &str,
) -> Result<Option<Message>, Error> {
    let query = format!(
        "select {MESSAGE} from messages where owner = ?1 and conversation = ?2 and id = ?3"
    );
    let mut query = work.prepare_cached(&query)?;
    Ok(query.query_row(params![owner.name(), conversation, id], message_of).optional()?)
}

fn insert(
    work: &Transaction<'_>,
    owner: &Owner,
    conversation: &str,
    message: &Message,
    place: usize,
) -> Result<(), Error> {
    work.prepare_cached(
        "insert into messages values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        owner.name(),
        conversation,
        message.id,
        count(place),
        message.parent,
        message.role.name(),
        message.content,
        message.reasoning,
        message.state.name(),
        message.model,
        stats_text(message),
        message.created,
    ])?;
    Ok(())
}

fn rewrite(
    work: &Transaction<'_>,
    owner: &Owner,
    conversation: &str,
    message: &Message,
) -> Result<(), Error> {
    work.prepare_cached(
        "update messages set content = ?4, reasoning = ?5, state = ?6, model = ?7, stats = ?8
         where owner = ?1 and conversation = ?2 and id = ?3",
    )?
    .execute(params![
        owner.name(),
        conversation,
        message.id,
        message.content,
        message.reasoning,
        message.state.name(),
        message.model,
        stats_text(message),
    ])?;
    Ok(())
}

fn grow(
    work: &Transaction<'_>,
    owner: &Owner,
    id: &str,
    bytes: i64,
    messages: i64,
) -> Result<(), Error> {
    work.prepare_cached(
        "update conversations set bytes = bytes + ?3, messages = messages + ?4 where owner = ?1 and id = ?2",
    )?
    .execute(params![owner.name(), id, bytes, messages])?;
    Ok(())
}

fn stats_text(message: &Message) -> Option<String> {
    message.stats.as_ref().map(|map| serde_json::Value::from(map.clone()).to_string())
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
