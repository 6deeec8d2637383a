//! Development only: where the shared test data lies, how tests skip when it does not, and a hub that
//! can be made to misbehave.

pub mod fake_hub;

use std::path::{Path, PathBuf};

/// The `shared` folder beside this repository, with the reference data that may not be committed.
pub fn shared() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    folder.join("data").is_dir().then(|| folder.canonicalize().unwrap_or(folder))
}

/// A file or folder under `shared/data`; says on stderr that a test skips when it is not there.
#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
pub fn data(path: &str) -> Option<PathBuf> {
    let found = shared().map(|folder| folder.join("data").join(path)).filter(|path| path.exists());
    if found.is_none() {
        eprintln!("skipped: ../shared/data/{path} is not here");
    }
    found
}
