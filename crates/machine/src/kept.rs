//! Measurements kept as files, each with the processor it was made on: of another one they are
//! measured again, and so is a file that is not whole.

use std::path::Path;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{Cpu, Error};

/// Raised when the meaning of a kept number changes: older files are measured again.
const VERSION: u32 = 2;
/// A file of ours has some kilobytes.
const BYTES_MAX: u64 = 65_536;

/// What is kept at `path`, if it is of this processor.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, cpu: &Cpu) -> Option<T> {
    let sensible = std::fs::metadata(path).is_ok_and(|file| file.len() < BYTES_MAX);
    let text = sensible.then(|| std::fs::read_to_string(path).ok())??;
    let mut record = serde_json::from_str::<Value>(&text).ok()?;
    let measured = record.as_object_mut()?.remove("measured")?;
    (record == of(cpu)).then(|| serde_json::from_value(measured).ok())?
}

/// Keeps `measured` at `path`: written beside and renamed, so no reader sees half a file.
pub(crate) fn write<T: Serialize>(path: &Path, cpu: &Cpu, measured: &T) -> Result<(), Error> {
    let fail = |action, path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail("create", folder))?;
    }
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut record = of(cpu);
    let text = serde_json::to_value(measured).and_then(|measured| {
        record["measured"] = measured;
        serde_json::to_string_pretty(&record)
    });
    let text = text.map_err(|error| fail("write", path)(error.into()))?;
    std::fs::write(&beside, text + "\n").map_err(fail("write", &beside))?;
    std::fs::rename(&beside, path).map_err(|source| {
        std::fs::remove_file(&beside).ok();
        fail("write", path)(source)
    })
}

/// What measurements depend on.
fn of(cpu: &Cpu) -> Value {
    json!({
        "version": VERSION,
        "cpu": format!("{} {} {}", cpu.vendor, cpu.name, cpu.signature),
        "microcode": cpu.microcode,
        "usable_threads": cpu.usable_threads,
    })
}
