//! `huggingface_hub`, the client everybody else uses, and this one: one cache, either way.
//!
//! `FREEHOLD_TEST_HUB_PYTHON` names an interpreter that has the package; `.ci/run` installs one. Without it
//! these tests say that they skip.

use std::{
    env,
    process::{Command, Output},
};

use hub::{Access, Outcome, Trust};
use testkit::fake_hub::{Content, Repo};

use crate::common::{CARD, Room, gguf, name, safetensors};

#[expect(clippy::print_stderr, reason = "a skipped test must say so")]
fn python() -> Option<String> {
    let python = env::var("FREEHOLD_TEST_HUB_PYTHON").ok();
    if python.is_none() {
        eprintln!("skipped: FREEHOLD_TEST_HUB_PYTHON names no interpreter with huggingface_hub");
    }
    python
}

fn run(python: &str, room: &Room, offline: &str, code: &str) -> Output {
    Command::new(python)
        .args(["-c", code])
        .env("HF_ENDPOINT", room.fake.endpoint())
        .env("HF_HUB_CACHE", room.cache())
        .env("HF_HOME", room.folder.path().join("hf-home"))
        .env("HF_HUB_OFFLINE", offline)
        .env("HF_HUB_DISABLE_XET", "1")
        .env("HF_HUB_DISABLE_TELEMETRY", "1")
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap()
}

fn says(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn repo() -> Repo {
    Repo::new("org/shared")
        .small("README.md", CARD)
        .small("config.json", "{}")
        .small("sub/deep/extra.json", "[]")
        .large("model.safetensors", Content::from(safetensors("a", 3_000_000)))
        .branch("v1")
}

#[test]
fn python_reads_offline_what_we_pulled() {
    let Some(python) = python() else { return };
    let room = Room::new(repo());
    let pulled = room.hub().pull(&name("org/shared@v1"), &hub::Silent).unwrap();
    room.fake.forget();
    let code = "from huggingface_hub import hf_hub_download, snapshot_download, scan_cache_dir, try_to_load_from_cache\n\
                print(hf_hub_download('org/shared', 'model.safetensors', revision='v1'))\n\
                print(snapshot_download('org/shared', revision='v1'))\n\
                info = scan_cache_dir()\n\
                assert not info.warnings, info.warnings\n\
                print([(r.repo_id, r.nb_files, sorted(x for v in r.revisions for x in v.refs)) for r in info.repos])";
    let said = says(&run(&python, &room, "1", code));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], pulled.root.join("model.safetensors").to_str().unwrap());
    assert_eq!(lines[1], pulled.root.to_str().unwrap());
    assert_eq!(lines[2], "[('org/shared', 3, ['v1'])]");
    assert_eq!(room.fake.connections(), 0);
    // Online, it has nothing to fetch.
    says(&run(
        &python,
        &room,
        "0",
        "from huggingface_hub import hf_hub_download\nhf_hub_download('org/shared', 'model.safetensors', revision='v1')",
    ));
    assert_eq!(room.fake.sent(), 0);
}

#[test]
fn we_verify_and_use_offline_what_python_pulled() {
    let Some(python) = python() else { return };
    let room = Room::new(repo());
    let code =
        "from huggingface_hub import snapshot_download\nprint(snapshot_download('org/shared'))";
    let folder = says(&run(&python, &room, "0", code));
    room.fake.forget();
    let offline = room.hub_with(|settings| settings.access = Access::Offline);
    let pulled = offline.pull(&name("org/shared"), &hub::Silent).unwrap();
    assert_eq!(pulled.root.to_str().unwrap(), folder);
    assert_eq!(pulled.files.len(), 3);
    assert!(weights::Checkpoint::open(&pulled.open).is_ok());
    let held = offline.held(&name("org/shared")).unwrap();
    assert_eq!(
        (held.revisions[0].files.len(), held.revisions[0].references.as_slice()),
        (4, &["main".to_owned()][..])
    );
    let checks = offline.store().verify(&held.revisions[0], Trust::Nothing).unwrap();
    assert!(checks.iter().all(|(_, check)| check.is_some_and(hub::Check::is_right)));
    assert_eq!(room.fake.connections(), 0);
    let online = room.hub().pull(&name("org/shared"), &hub::Silent).unwrap();
    assert!(online.files.iter().all(|file| file.outcome == Outcome::Present));
    assert_eq!(room.fake.sent(), 0);
}

#[test]
fn each_goes_on_where_the_other_ended() {
    let Some(python) = python() else { return };
    let room = Room::new(repo().large("extra-Q8_0.gguf", Content::from(gguf(64))));
    let one = "from huggingface_hub import hf_hub_download\nprint(hf_hub_download('org/shared', 'config.json'))";
    says(&run(&python, &room, "0", one));
    room.fake.forget();
    let pulled = room.hub().pull(&name("org/shared"), &hub::Silent).unwrap();
    let config = pulled.files.iter().find(|file| file.path == "config.json").unwrap();
    assert_eq!(config.outcome, Outcome::Present);
    room.fake.forget();
    let all =
        "from huggingface_hub import snapshot_download\nprint(snapshot_download('org/shared'))";
    says(&run(&python, &room, "0", all));
    let extra = gguf(64).len() as u64 + 2;
    assert_eq!(room.fake.sent(), extra, "only what was missing");
    let held = room.hub().held(&name("org/shared")).unwrap();
    let checks = room.hub().store().verify(&held.revisions[0], Trust::Nothing).unwrap();
    assert!(
        checks.len() == 5
            && checks.iter().all(|(_, check)| check.is_some_and(hub::Check::is_right))
    );
    // What we remove, it does not miss; what it removes, we do not.
    room.hub().store().remove(&held, None).unwrap();
    assert_eq!(
        says(&run(
            &python,
            &room,
            "0",
            "from huggingface_hub import scan_cache_dir\nprint(len(scan_cache_dir().repos))"
        )),
        "0"
    );
}
