//! API keys: created once and shown once, kept as a hash, compared in constant time.
//!
//! A key reads `fh-<id>-<secret>`: the id is public and names its row, the secret is 32 random
//! bytes. Since it is random and long, one SHA-256 suffices; a slow hash is for words people choose.
//! An unknown id takes the same path as a wrong secret.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Error, id};

/// What a key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Ask models.
    Infer,
    /// Read metrics.
    Metrics,
    /// Everything, and what others may not: priorities, models.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 3] = [Scope::Infer, Scope::Metrics, Scope::Admin];

    /// As typed.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Infer => "infer",
            Scope::Metrics => "metrics",
            Scope::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Scope::ALL
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or_else(|| format!("{text:?} is no scope, expected infer, metrics or admin"))
    }
}

/// What a key allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What it is called, for people.
    pub name: String,
    /// What for.
    pub scopes: Vec<Scope>,
    /// Which models; none: all.
    pub models: Vec<String>,
    /// Requests a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens of prompts and answers a minute.
    pub tokens_per_minute: Option<u64>,
    /// Tokens of prompts and answers a day (UTC).
    pub tokens_per_day: Option<u64>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<u64>,
}

impl Default for Grant {
    fn default() -> Self {
        Grant {
            name: String::new(),
            scopes: vec![Scope::Infer],
            models: vec![],
            requests_per_minute: None,
            tokens_per_minute: None,
            tokens_per_day: None,
            expires: None,
        }
    }
}

impl Grant {
    /// Whether it allows this.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }

    /// Whether it allows this model.
    pub fn allows_model(&self, name: &str) -> bool {
        self.models.is_empty() || self.models.iter().any(|model| model == name)
    }
}

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Names it; no secret.
    pub id: String,
    /// What it allows.
    pub grant: Grant,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When it was taken back.
    pub revoked: Option<u64>,
}

/// A key whose secret is still known: only when it is made.
pub struct Created {
    /// What to send.
    pub token: String,
    /// What is kept.
    pub key: Key,
}

struct Kept {
    key: Key,
    hash: [u8; 32],
}

/// The keys, in a SQLite file that `freehold key` and servers share.
pub struct Keys {
    inner: Mutex<Inner>,
}

struct Inner {
    db: Connection,
    /// SQLite's count of changes by others, at which `kept` was read.
    version: i64,
    kept: HashMap<String, Kept>,
}

const SCHEMA: &str = "
create table if not exists keys (
  id text primary key,
  hash blob not null,
  name text not null,
  scopes text not null,
  models text not null,
  requests_per_minute integer,
  tokens_per_minute integer,
  tokens_per_day integer,
  created integer not null,
  expires integer,
  revoked integer
) strict;
create table if not exists usage (
  at integer not null,
  key text,
  request text not null,
  route text not null,
  model text not null,
  prompt_tokens integer not null,
  cached_tokens integer not null,
  completion_tokens integer not null,
  outcome text not null,
  milliseconds integer not null
) strict;
create index if not exists usage_by_key on usage (key, at);
";

/// Opens the file of keys and usage records, made if need be, readable by its owner only.
pub(crate) fn database(path: &Path) -> Result<Connection, Error> {
    let failed = |source: rusqlite::Error| Error::Database { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder)
            .map_err(|source| Error::File { path: folder.to_owned(), source })?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let made = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        made.map_err(|source| Error::File { path: path.to_owned(), source })?;
    }
    let db = Connection::open(path).map_err(failed)?;
    db.busy_timeout(std::time::Duration::from_secs(5)).map_err(failed)?;
    db.pragma_update(None, "journal_mode", "wal").map_err(failed)?;
    db.pragma_update(None, "synchronous", "full").map_err(failed)?;
    db.execute_batch(SCHEMA).map_err(failed)?;
    Ok(db)
}

impl Keys {
    /// Opens the file, made if need be.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let db = database(path)?;
        let inner = Inner { db, version: -1, kept: HashMap::new() };
        Ok(Keys { inner: Mutex::new(inner) })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a key; its secret is known only now.
    pub fn create(&self, grant: Grant) -> Result<Created, Error> {
        let id = id::new("").chars().take(10).collect::<String>();
        let mut secret = [0; 32];
        id::fill(&mut secret);
        let token = format!("fh-{id}-{}", hex(&secret));
        let key = Key { id, grant, created: now(), revoked: None };
        let grant = &key.grant;
        let scopes: Vec<&str> = grant.scopes.iter().map(|scope| scope.name()).collect();
        let number = |n: Option<u64>| n.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        self.inner().db.execute(
            "insert into keys values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, null)",
            params![
                key.id,
                hash(&token).to_vec(),
                grant.name,
                scopes.join(" "),
                serde_json::to_string(&grant.models).unwrap_or_default(),
                number(grant.requests_per_minute),
                number(grant.tokens_per_minute),
                number(grant.tokens_per_day),
                key.created.cast_signed(),
                number(grant.expires),
            ],
        )?;
        self.inner().version = -1;
        Ok(Created { token, key })
    }

    /// All keys, oldest first.
    pub fn list(&self) -> Result<Vec<Key>, Error> {
        let mut keys: Vec<Key> = read(&self.inner().db)?.into_iter().map(|kept| kept.key).collect();
        keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        Ok(keys)
    }

    /// Takes a key back; false when there is none of that id that was still good.
    pub fn revoke(&self, id: &str) -> Result<bool, Error> {
        let mut inner = self.inner();
        inner.version = -1;
        let changed = inner.db.execute(
            "update keys set revoked = ?2 where id = ?1 and revoked is null",
            params![id, now().cast_signed()],
        )?;
        Ok(changed > 0)
    }

    /// Whether there is any key that could let somebody in.
    pub fn any(&self) -> Result<bool, Error> {
        Ok(self.list()?.iter().any(|key| key.is_good(now())))
    }

    /// Tokens a key used since a moment, in seconds since 1970.
    pub fn used(&self, id: &str, since: u64) -> Result<u64, Error> {
        let sum: Option<i64> = self
            .inner()
            .db
            .query_row(
                "select sum(prompt_tokens + completion_tokens) from usage where key = ?1 and at >= ?2",
                params![id, since.cast_signed()],
                |row| row.get(0),
            )
            .optional()?
            .flatten();
        Ok(sum.unwrap_or(0).max(0).cast_unsigned())
    }

    /// The key a token is, if it is one and still good.
    pub fn find(&self, token: &str) -> Result<Option<Key>, Error> {
        let mut inner = self.inner();
        inner.refresh()?;
        let presented = hash(token);
        let id = token.strip_prefix("fh-").and_then(|rest| rest.split_once('-')).map(|(id, _)| id);
        // An unknown id is compared too, with what nothing hashes to.
        let kept = id.and_then(|id| inner.kept.get(id));
        let expected = kept.map_or([0; 32], |kept| kept.hash);
        let equal = bool::from(presented.ct_eq(&expected));
        let key = kept.filter(|kept| equal && kept.key.is_good(now()));
        Ok(key.map(|kept| kept.key.clone()))
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Inner {
    /// Reads the keys again where another process changed the file.
    fn refresh(&mut self) -> Result<(), Error> {
        let version: i64 = self.db.query_row("pragma data_version", [], |row| row.get(0))?;
        if version != self.version {
            let kept = read(&self.db)?;
            self.kept = kept.into_iter().map(|kept| (kept.key.id.clone(), kept)).collect();
            self.version = version;
        }
        Ok(())
    }
}

impl Key {
    /// Whether it lets anybody in at this time.
    pub fn is_good(&self, now: u64) -> bool {
        self.revoked.is_none() && self.grant.expires.is_none_or(|expires| now < expires)
    }
}

fn read(db: &Connection) -> Result<Vec<Kept>, Error> {
    let mut query = db.prepare_cached(
        "select id, hash, name, scopes, models, requests_per_minute, tokens_per_minute, tokens_per_day, created, expires, revoked from keys",
    )?;
    let number = |n: Option<i64>| n.map(|n| n.max(0).cast_unsigned());
    let rows = query.query_map([], |row| {
        let scopes: String = row.get(3)?;
        let models: String = row.get(4)?;
        let hash: Vec<u8> = row.get(1)?;
        Ok(Kept {
            hash: hash.try_into().unwrap_or([0; 32]),
            key: Key {
                id: row.get(0)?,
                grant: Grant {
                    name: row.get(2)?,
                    scopes: scopes.split(' ').filter_map(|scope| scope.parse().ok()).collect(),
                    // Models that cannot be read are no models, not all of them.
                    models: serde_json::from_str(&models).unwrap_or_else(|_| vec![String::new()]),
                    requests_per_minute: number(row.get(5)?),
                    tokens_per_minute: number(row.get(6)?),
                    tokens_per_day: number(row.get(7)?),
                    expires: number(row.get(9)?),
                },
                created: row.get::<_, i64>(8)?.max(0).cast_unsigned(),
                revoked: number(row.get(10)?),
            },
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_works_until_it_is_revoked_or_ends_and_its_secret_is_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/keys.sqlite");
        let (server, tool) = (Keys::open(&path).unwrap(), Keys::open(&path).unwrap());
        assert!(!server.any().unwrap());
        assert_eq!(server.find("fh-x-y").unwrap(), None);
        let grant = Grant { name: "ann".into(), models: vec!["m".into()], ..Grant::default() };
        let created = tool.create(grant.clone()).unwrap();
        assert!(server.any().unwrap());
        let found = server.find(&created.token).unwrap().unwrap();
        assert_eq!(found.grant, grant);
        assert!(found.grant.allows(Scope::Infer) && !found.grant.allows(Scope::Metrics));
        assert!(found.grant.allows_model("m") && !found.grant.allows_model("n"));
        let secret = created.token.rsplit('-').next().unwrap().to_owned();
        for file in std::fs::read_dir(path.parent().unwrap()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
        }
        let wrong = created.token.replace(&secret, &"0".repeat(64));
        for token in ["", "fh-", &created.key.id, &wrong, &created.token[..20], "Bearer"] {
            assert_eq!(server.find(token).unwrap(), None, "{token}");
        }
        assert!(tool.revoke(&created.key.id).unwrap());
        assert!(!tool.revoke(&created.key.id).unwrap());
        assert_eq!(server.find(&created.token).unwrap(), None, "at once, in another process too");
        let past = tool.create(Grant { expires: Some(now() - 1), ..Grant::default() }).unwrap();
        assert_eq!(server.find(&past.token).unwrap(), None);
        assert_eq!(server.list().unwrap().len(), 2);
        assert!(!server.any().unwrap());
    }
}
