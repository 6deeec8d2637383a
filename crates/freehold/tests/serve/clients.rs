//! Real clients, unmodified, against the real program: `FREEHOLD_TEST_PYTHON` names a Python with
//! openai, litellm and jsonschema (and anthropic, ollama for their files).

use std::{path::Path, process::Command};

use super::program::Running;

#[test]
fn unmodified_clients_are_served() {
    let Some(python) = std::env::var_os("FREEHOLD_TEST_PYTHON") else {
        eprintln!(
            "skipped: FREEHOLD_TEST_PYTHON names no Python with openai, litellm and jsonschema"
        );
        return;
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../serve/tests/clients");
    let home = tempfile::tempdir().unwrap();
    let server = Running::start(home.path(), &["--ctx", "1024"]);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with("_client.py"))
        .collect();
    files.sort();
    assert!(files.len() >= 2);
    let mut failed = vec![];
    for file in files {
        let done = Command::new(&python)
            .arg(&file)
            .env("FREEHOLD_TEST_URL", server.url())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .unwrap();
        println!("{}:\n{}", file.display(), String::from_utf8_lossy(&done.stdout));
        if !done.status.success() {
            failed.push(format!("{}:\n{}", file.display(), String::from_utf8_lossy(&done.stderr)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
