//! Rule P1: which relative paths a file may name.
//!
//! Index files, archives and manifests name other files. One function decides what such a name may
//! be, so that no reader has its own idea: a path that stays below its folder on every system, means
//! the same thing on every system, and looks like what it is.

use std::{collections::HashSet, path::PathBuf};

use unicode_normalization::is_nfc;

use crate::{
    Error,
    error::{is_bidi, shown},
};

/// Components of a path, at most.
const DEPTH_MAX: usize = 16;
/// Bytes of a path, at most.
const BYTES_MAX: usize = 1024;
/// Bytes of a component, at most.
const COMPONENT_BYTES_MAX: usize = 255;

/// `path` as a relative path that is safe to join to a folder, or which rule it breaks.
///
/// Valid: normalised (NFC), relative, separated by `/`, at most 16 components of 1 to 255 bytes and
/// 1024 bytes in all; no `.` or `..`, no name Windows reserves, no leading or trailing space, no
/// trailing dot, none of `\ : * ? " < > |`, no control or bidirectional character.
pub fn safe_relative_path(path: &str) -> Result<PathBuf, Error> {
    match fault(path) {
        None => Ok(path.split('/').collect()),
        Some(why) => Err(Error::UnsafePath { path: shown(path), why }),
    }
}

/// Checks a set of paths: each by [`safe_relative_path`], and all distinct once case is folded.
pub fn safe_relative_paths<'a>(
    paths: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<PathBuf>, Error> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for path in paths {
        out.push(safe_relative_path(path)?);
        let folded: String =
            path.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
        if !seen.insert(folded) {
            return Err(Error::UnsafePath {
                path: shown(path),
                why: "the same as another path but for case",
            });
        }
    }
    Ok(out)
}

fn fault(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        return Some("it is empty");
    }
    if path.len() > BYTES_MAX {
        return Some("it is longer than 1024 bytes");
    }
    if !is_nfc(path) {
        return Some("it is not in Unicode normal form C");
    }
    if path.split('/').count() > DEPTH_MAX {
        return Some("it has more than 16 components");
    }
    path.split('/').find_map(component_fault)
}

fn component_fault(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is absolute or has an empty component");
    }
    if name.len() > COMPONENT_BYTES_MAX {
        return Some("a component is longer than 255 bytes");
    }
    if name == "." || name == ".." {
        return Some("a component is `.` or `..`");
    }
    if name.starts_with(' ') || name.ends_with(' ') || name.ends_with('.') {
        return Some("a component begins or ends with a space or ends with a dot");
    }
    if name.contains(['\\', ':', '*', '?', '"', '<', '>', '|']) {
        return Some(r#"a component has one of \ : * ? " < > |"#);
    }
    if name.chars().any(|c| c.is_control() || is_bidi(c)) {
        return Some("a component has a control or bidirectional character");
    }
    is_reserved(name).then_some("a component is a name that Windows reserves")
}

/// Names Windows gives to devices, with or without an extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    port.is_some_and(|rest| {
        matches!(rest, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for path in [
            "model-00001-of-00003.safetensors",
            "a/b/c.json",
            "é.txt",
            "console.txt",
            ".gitattributes",
            "a b",
        ] {
            assert!(safe_relative_path(path).is_ok(), "{path}");
        }
        assert_eq!(safe_relative_path("a/b").unwrap(), PathBuf::from("a").join("b"));
    }

    #[test]
    fn everything_else_is_refused() {
        let long = "x".repeat(256);
        let deep = "a/".repeat(16) + "a";
        let total = format!("{}/", "x".repeat(200)).repeat(6) + "x";
        for path in [
            "",
            "/abs",
            "../x",
            "a/../b",
            "./a",
            "a/",
            "a//b",
            r"a\b",
            r"C:\x",
            "c:x",
            "http://x/y",
            "a\0",
            "a\u{202e}b",
            "con",
            "NUL.txt",
            "com1.bin",
            "LPT9",
            " a",
            "a ",
            "a.",
            "a/..",
            "e\u{301}.txt",
            "a\n",
            "a?",
            "~\u{7f}",
            &long,
            &deep,
            &total,
        ] {
            assert!(safe_relative_path(path).is_err(), "{path:?}");
        }
    }

    #[test]
    fn a_set_is_unique_after_case_folding() {
        assert!(safe_relative_paths(["a", "b/A"]).is_ok());
        assert!(safe_relative_paths(["Model.bin", "model.BIN"]).is_err());
        assert!(safe_relative_paths(["straße", "STRASSE"]).is_err());
    }
}
