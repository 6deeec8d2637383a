//! What the environment says, read once at the edge and typed.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use hub::Access;
use kernels::Isa;

use crate::error::{refused, usage, usage_hint};

/// Threads more than this are a typing mistake.
const THREADS_MAX: usize = 4096;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where Freehold keeps its own files; `None` when neither `FREEHOLD_HOME` nor a home is known.
    home: Option<PathBuf>,
    /// The instruction set to compute with.
    pub(crate) isa: Isa,
    /// `FREEHOLD_THREADS`.
    pub(crate) threads: Option<usize>,
    /// `VISUAL`, else `EDITOR`.
    pub(crate) editor: Option<String>,
    /// `FREEHOLD_OFFLINE` and `--offline`.
    pub(crate) access: Access,
    /// `FREEHOLD_POLICY`: the policy's file, in place of the one in the home.
    pub(crate) policy: Option<PathBuf>,
    /// Who is at work, for logs.
    pub(crate) user: String,
}

impl Settings {
    /// Reads the variables through `get`.
    pub(crate) fn from_environment(get: &dyn Fn(&str) -> Option<OsString>) -> anyhow::Result<Self> {
        let text = |name: &str| -> anyhow::Result<Option<String>> {
            let Some(value) = get(name).filter(|value| !value.is_empty()) else { return Ok(None) };
            let value = value.into_string();
            value
                .map(Some)
                .map_err(|found| usage(format!("{name} is {}, expected text", found.display())))
        };
        let isa = match text("FREEHOLD_ISA")? {
            None => Isa::best(),
            Some(name) => isa(&name)?,
        };
        let threads = text("FREEHOLD_THREADS")?.map(|found| {
            let number = found.parse().ok().filter(|threads| (1..=THREADS_MAX).contains(threads));
            number.ok_or_else(|| {
                usage(format!("FREEHOLD_THREADS is {found}, expected 1 to {THREADS_MAX}"))
            })
        });
        let editor = text("VISUAL")?.or(text("EDITOR")?);
        let access =
            match text("FREEHOLD_OFFLINE")?.as_deref().map(str::to_ascii_lowercase).as_deref() {
                None | Some("0" | "false" | "no" | "off") => Access::Online,
                Some("1" | "true" | "yes" | "on") => Access::Offline,
                Some(found) => {
                    return Err(usage(format!("FREEHOLD_OFFLINE is {found:?}, expected 1 or 0")));
                }
            };
        let user = text("USER")?.or(text("LOGNAME")?).or(text("USERNAME")?);
        Ok(Settings {
            home: home(get),
            isa,
            threads: threads.transpose()?,
            editor,
            access,
            policy: get("FREEHOLD_POLICY").filter(|path| !path.is_empty()).map(PathBuf::from),
            user: user.unwrap_or_else(|| "unknown".to_owned()),
        })
    }

    /// Where Freehold keeps its own files.
    pub(crate) fn home(&self) -> anyhow::Result<&Path> {
        self.home.as_deref().ok_or_else(|| {
            crate::error::failed(
                "no home folder is known",
                "set FREEHOLD_HOME to a folder where Freehold may keep its files",
            )
        })
    }

    /// Threads to use: those asked for, else `FREEHOLD_THREADS`, else one a physical core.
    pub(crate) fn threads(&self, asked: Option<usize>) -> usize {
        asked.or(self.threads).unwrap_or_else(|| machine::Machine::detect().cpu.default_threads())
    }
}

fn isa(name: &str) -> anyhow::Result<Isa> {
    let listed = || Isa::available().iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
    let isa: Isa = name.parse().map_err(|_| {
        let hint = format!("this machine has: {}", listed());
        usage_hint(format!("FREEHOLD_ISA is {name:?}, expected scalar, avx2, avx512 or neon"), hint)
    })?;
    if !isa.is_available() {
        let hint = format!("this machine has: {}", listed());
        return Err(refused(format!("FREEHOLD_ISA is {isa}, which this machine lacks"), hint));
    }
    Ok(isa)
}

/// `FREEHOLD_HOME`, or `freehold` in the platform's data folder.
fn home(get: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(home) = path("FREEHOLD_HOME") {
        return Some(home);
    }
    let data = if cfg!(windows) {
        path("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        path("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        let stated = path("XDG_DATA_HOME").filter(|path| path.is_absolute());
        stated.or_else(|| path("HOME").map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("freehold"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> anyhow::Result<Settings> {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(k, v)| ((*k).to_owned(), OsString::from(v))).collect();
        Settings::from_environment(&|name| {
            variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn what_is_set_is_taken() {
        let vars = [("FREEHOLD_HOME", "/x"), ("FREEHOLD_ISA", "scalar"), ("FREEHOLD_THREADS", "3")];
        let settings = read(&vars).unwrap();
        assert_eq!(settings.home().unwrap(), Path::new("/x"));
        assert_eq!((settings.isa, settings.threads), (Isa::Scalar, Some(3)));
        assert_eq!(settings.threads(None), 3);
        assert_eq!(settings.threads(Some(1)), 1);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        for (name, value) in [
            ("FREEHOLD_ISA", "sse9"),
            ("FREEHOLD_THREADS", "0"),
            ("FREEHOLD_THREADS", "-1"),
            ("FREEHOLD_THREADS", "many"),
            ("FREEHOLD_OFFLINE", "perhaps"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert_eq!(crate::error::code(&error), crate::error::USAGE);
            assert!(error.to_string().contains(name), "{error}");
        }
        assert_eq!(read(&[("FREEHOLD_ISA", "")]).unwrap().isa, Isa::best());
    }

    #[test]
    fn no_home_is_an_error_only_when_one_is_needed() {
        let error = read(&[]).unwrap().home().unwrap_err();
        assert_eq!(crate::error::code(&error), crate::error::FAILED);
    }
}
