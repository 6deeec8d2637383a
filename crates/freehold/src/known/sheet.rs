//! What was learned of models, one JSON file each under `FREEHOLD_HOME/facts`. A help, never a need: a
//! sheet that cannot be read or written is as if it were not there.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use policy::Facts;
use sha2::{Digest, Sha256};

use crate::program::App;

/// Longer sheets are not ours.
const BYTES_MAX: u64 = 16 << 20;
/// After this time the hub is asked again, where it may be.
const FRESH: Duration = Duration::from_hours(7 * 24);

/// What was learned of a model.
pub(super) fn of(app: &App, id: &str) -> Option<Facts> {
    let path = path(app, id)?;
    let sensible = fs::metadata(&path).is_ok_and(|file| file.len() <= BYTES_MAX);
    let text = sensible.then(|| fs::read(&path).ok())??;
    let facts: Facts = serde_json::from_slice(&text).ok()?;
    facts.id.eq_ignore_ascii_case(id).then_some(facts)
}

/// The same, if it was learned lately.
pub(super) fn fresh(app: &App, id: &str) -> Option<Facts> {
    let changed = fs::metadata(path(app, id)?).ok()?.modified().ok()?;
    let age = SystemTime::now().duration_since(changed).unwrap_or_default();
    (age <= FRESH).then(|| of(app, id))?
}

/// Keeps what was learned of a model with a name on a hub.
pub(super) fn keep(app: &App, facts: &Facts) {
    if facts.revision.is_none() {
        return;
    }
    let Some(path) = path(app, &facts.id) else { return };
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(std::path::Path::new("."));
        fs::create_dir_all(folder)?;
        let mut beside = tempfile::NamedTempFile::new_in(folder)?;
        beside.write_all(&serde_json::to_vec(facts)?)?;
        beside.persist(&path)?;
        Ok(())
    };
    drop(write());
}

fn path(app: &App, id: &str) -> Option<PathBuf> {
    let lower = id.to_ascii_lowercase();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '+' };
    let readable: String = lower.chars().take(80).map(plain).collect();
    let hash = crate::house::hex(&Sha256::digest(lower.as_bytes())[..6]);
    let home = app.settings.home().ok()?;
    Some(home.join("facts").join(format!("{readable}.{hash}.json")))
}
