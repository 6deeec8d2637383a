//! The drawing in ARCHITECTURE.md can't lie: a crate uses only crates on lower lines, and `unsafe`
//! stays where it is said to be.

use std::{collections::BTreeMap, path::Path, process::Command};

use serde_json::Value;

/// Every crate and the line it stands on. A crate uses only crates of lower lines.
const LINES: &[(&str, u32)] = &[
    ("quant", 0),
    ("model", 0),
    ("text", 0),
    ("policy", 0),
    ("kernels", 1),
    ("weights", 1),
    ("machine", 2),
    ("engine", 3),
    ("hub", 3),
    ("serve", 4),
    ("freehold", 5),
];

/// Beside all lines: used by tests only, or by nobody.
const BESIDE: &[&str] = &["testkit", "xtask"];

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

#[test]
fn crates_use_only_crates_on_lower_lines() {
    let lines: BTreeMap<&str, u32> = LINES.iter().copied().collect();
    let metadata = metadata();
    let mut faults = vec![];
    for package in metadata["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("a name");
        if BESIDE.contains(&name) {
            continue;
        }
        let Some(line) = lines.get(name) else {
            faults.push(format!("{name} stands on no line: add it to LINES and ARCHITECTURE.md"));
            continue;
        };
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("a name");
            let in_tests = dependency["kind"] == "dev";
            let fault = match lines.get(used) {
                Some(lower) => !in_tests && lower >= line,
                None => BESIDE.contains(&used) && !in_tests,
            };
            if fault {
                faults.push(format!("{name} (line {line}) uses {used}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn unsafe_code_stays_where_it_is_said_to_be() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = vec![];
    let mut folders = vec![crates.canonicalize().expect("a folder")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("readable");
                let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
                let word = concat!("uns", "afe");
                let marks = [format!("{word} {{"), format!("{word} fn"), format!("{word} impl")];
                if code
                    .into_iter()
                    .any(|line| marks.iter().any(|mark| line.contains(mark.as_str())))
                {
                    found.push(path);
                }
            }
        }
    }
    let allowed = |path: &Path| {
        let path = path.to_string_lossy();
        // A test may count allocations, which takes an allocator of its own.
        path.contains("/kernels/")
            || path.ends_with("weights/src/source/map.rs")
            || path.contains("/tests/")
    };
    let strays: Vec<_> = found.iter().filter(|path| !allowed(path)).collect();
    assert!(strays.is_empty(), "{strays:?}");
    assert!(!found.is_empty(), "the search itself works");
}

#[test]
fn the_architecture_names_every_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text =
        std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    for (name, _) in LINES {
        assert!(text.contains(&format!("`{name}`")), "ARCHITECTURE.md does not mention `{name}`");
    }
    assert!(text.lines().count() <= 250, "ARCHITECTURE.md is longer than 250 lines");
}
