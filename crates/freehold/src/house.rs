//! The house model: built into the program, so that `freehold run` answers before anything is fetched.
//!
//! The weights crate opens paths, so the model is written once to `FREEHOLD_HOME/house/<sha256>.gguf`
//! (beside, then renamed: a crash leaves no half file) and that file is opened. A file there whose
//! hash is another is written anew.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::{error::failed, program::App};

/// The model's bytes, where the build found them.
const MODEL: Option<&[u8]> = include!(concat!(env!("OUT_DIR"), "/house.rs"));

/// What is said before the house model speaks.
pub(crate) const INTRODUCTION: &str = "This is Freehold's small built-in model. For a larger one, give a file: freehold run model.gguf";

/// The path of the house model, written there first if need be.
pub(crate) fn path(app: &App) -> anyhow::Result<PathBuf> {
    let Some(bytes) = MODEL else {
        return Err(failed(
            "this build has no model of its own",
            "give one: freehold run model.gguf (any GGUF file, or the folder of a Hugging Face release)",
        ));
    };
    placed(bytes, &app.settings.home()?.join("house"))
}

/// Makes sure that `folder` holds these bytes under their hash.
fn placed(bytes: &[u8], folder: &Path) -> anyhow::Result<PathBuf> {
    let hash = hex(&Sha256::digest(bytes));
    let path = folder.join(format!("{hash}.gguf"));
    if hash_of(&path).is_some_and(|found| found == hash) {
        return Ok(path);
    }
    let cannot = || format!("the house model cannot be written to {}", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    let mut beside = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
    beside.write_all(bytes).with_context(cannot)?;
    beside.as_file().sync_all().with_context(cannot)?;
    beside.persist(&path).with_context(cannot)?;
    Ok(path)
}

fn hash_of(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_written_once_and_again_when_it_was_spoilt() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("house");
        let path = placed(b"weights", &folder).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"weights");
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        assert_eq!(placed(b"weights", &folder).unwrap(), path);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        fs::write(&path, b"weighty").unwrap();
        assert_eq!(placed(b"weights", &folder).unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), b"weights");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left beside it");
    }
}
