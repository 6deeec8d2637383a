//! Models from a hub to the store and out of it again, against a hub on this computer that speaks the real
//! protocol.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use testkit::fake_hub::{Content, FakeHub, Repo};

use crate::support::{Done, done, gguf, program};

/// A home, a store and a hub of their own.
pub(crate) struct Room {
    folder: tempfile::TempDir,
    pub(crate) hub: FakeHub,
}

/// The model most tests pull.
pub(crate) const TINY: &str = "org/tiny-GGUF";

const CARD: &str = "---\nlicense: apache-2.0\nlanguage: en\nbase_model: org/tiny\n\
    pipeline_tag: text-generation\n---\n# Tiny\n\nA model for tests.\n";

impl Room {
    /// With one model in one quantization, and the model it was made from.
    pub(crate) fn new() -> Self {
        let weights = Content::from(fs::read(gguf()).unwrap());
        let tiny = Repo::new(TINY).small("README.md", CARD).large("tiny-F32.gguf", weights.clone());
        let other = Content::large(300_000, 7);
        let tiny = tiny.large("tiny-Q8_0.gguf", other).small("config.py", "print('no')");
        let base = Repo::new("org/tiny").small("README.md", "---\nlicense: mit\n---\nbase\n");
        let hub = FakeHub::start();
        hub.world().add(tiny);
        hub.world().add(base);
        Room { folder: tempfile::tempdir().unwrap(), hub }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program in this room.
    pub(crate) fn program(&self) -> Command {
        let mut command = program();
        self.furnish(&mut command);
        command
    }

    /// The room's environment.
    pub(crate) fn furnish(&self, command: &mut Command) {
        command
            .env("FREEHOLD_HOME", self.path("home"))
            .env("HF_HOME", self.path("hf"))
            .env("HF_ENDPOINT", self.hub.endpoint())
            .env("USER", "ada")
            .current_dir(self.folder.path());
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        done(self.program().args(arguments))
    }

    /// Runs it and asserts that it went well.
    pub(crate) fn ok(&self, arguments: &[&str]) -> Done {
        let done = self.run(arguments);
        assert_eq!(done.code, 0, "{arguments:?}: {} {}", done.out, done.err);
        done
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        self.ok(&[arguments, &["--json"]].concat()).json()
    }

    pub(crate) fn policy(&self, text: &str) {
        fs::create_dir_all(self.path("home")).unwrap();
        let text = format!("schema = \"freehold-policy/1\"\n{text}");
        fs::write(self.path("home/freehold-policy.toml"), text).unwrap();
    }
}

const NAME: &str = "org/tiny-GGUF:F32";

#[test]
fn a_model_is_pulled_listed_run_verified_copied_and_removed() {
    let room = Room::new();
    room.run(&["run", NAME, "hi"]).refused(1, &["not on this computer", "freehold pull"]);
    let pulled = room.json(&["pull", NAME]);
    assert_eq!(pulled["files"].as_array().unwrap().len(), 2, "{pulled}");
    assert_eq!(pulled["decision"]["verdict"], "allow", "{pulled}");
    assert!(pulled["licence"].as_str().unwrap().contains("Apache"), "{pulled}");
    let list = room.json(&["ls"]);
    assert_eq!(list["models"][0]["name"], TINY);
    assert_eq!(list["models"][0]["revisions"][0]["weights"], serde_json::json!(["F32"]));
    // The same words as from the file itself.
    let answer = |model: &str| {
        let options = ["--raw", "--temperature", "0", "-n", "6", "--json"];
        room.ok(&[&["run", model, "hello"], &options[..]].concat()).json()["ids"].clone()
    };
    assert_eq!(answer(NAME), answer(gguf()));
    assert_eq!(room.json(&["inspect", NAME])["tensor_count"], 24);
    room.ok(&["alias", "small", NAME]);
    assert_eq!(answer("small"), answer(gguf()));
    let checked = room.json(&["verify", "--force"]);
    assert_eq!((&checked["right"], &checked["wrong"]), (&2.into(), &0.into()));
    room.ok(&["cp", TINY, "out"]);
    assert_eq!(fs::read(room.path("out/tiny-F32.gguf")).unwrap(), fs::read(gguf()).unwrap());
    let removed = room.json(&["rm", TINY]);
    assert!(removed["bytes"].as_u64().unwrap() > 10_000, "{removed}");
    assert_eq!(room.json(&["ls"])["models"], serde_json::json!([]));
    room.run(&["run", "small", "hi"]).refused(1, &["freehold pull"]);
}

#[test]
fn what_was_spoilt_in_the_store_is_found_and_refused() {
    let room = Room::new();
    room.ok(&["pull", NAME]);
    let blobs = room.path("hf/hub/models--org--tiny-GGUF/blobs");
    let largest = fs::read_dir(blobs).unwrap().map(|entry| entry.unwrap().path());
    let largest = largest.max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let mut bytes = fs::read(&largest).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&largest, bytes).unwrap();
    let found = room.run(&["verify"]);
    assert_eq!(found.code, 3, "{}", found.err);
    assert!(found.out.contains("tiny-F32.gguf is wrong"), "{}", found.out);
    room.run(&["run", NAME, "hi"]).refused(3, &["tiny-F32.gguf"]);
}

#[test]
fn a_model_is_shown_and_planned_before_anything_is_downloaded() {
    let room = Room::new();
    let shown = room.json(&["show", NAME]);
    assert_eq!(shown["place"], "on the hub");
    assert_eq!(shown["plan"]["verdict"]["answer"], "fits", "{shown}");
    assert_eq!(shown["plan"]["params"], room.json(&["plan", gguf()])["params"]);
    let sets: Vec<&str> = shown["quantizations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|set| set["name"].as_str().unwrap())
        .collect();
    assert_eq!(sets, ["F32", "Q8_0"]);
    assert!(shown["card"].as_str().unwrap().contains("A model for tests"));
    assert!(shown["read_bytes"].as_u64().unwrap() < fs::metadata(gguf()).unwrap().len() + 4096);
    let plan = room.json(&["plan", NAME]);
    assert_eq!(plan["options"][0]["memory"], shown["plan"]["options"][0]["memory"]);
    assert!(
        !room.path("hf/hub/models--org--tiny-GGUF/snapshots").exists(),
        "nothing is in the store"
    );
    let page = room.ok(&["show", NAME]).out;
    for words in ["licence", "openness", "to be fetched", "fits", "freehold pull"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Reading numbers needs the model itself.
    room.run(&["inspect", NAME, "--deep"]).refused(1, &["freehold pull"]);
}

#[test]
fn a_lock_file_brings_the_same_bytes_to_another_machine_or_fails() {
    let here = Room::new();
    here.ok(&["pull", NAME, "--lock"]);
    let lock = fs::read_to_string(here.path("freehold.lock")).unwrap();
    assert!(lock.contains("commit = ") && lock.contains("sha256 = "), "{lock}");
    let there = Room::new();
    fs::write(there.path("freehold.lock"), &lock).unwrap();
    let lock_of = |room: &Room| room.hub.endpoint();
    let moved = lock.replace(&lock_of(&here), &lock_of(&there));
    fs::write(there.path("freehold.lock"), moved).unwrap();
    there.ok(&["pull", "--locked"]);
    assert_eq!(there.json(&["ls"])["models"][0]["name"], TINY);
    // The publisher puts other bytes under the same name: a third machine gets nothing.
    let third = Room::new();
    let other =
        Repo::new(TINY).small("README.md", CARD).large("tiny-F32.gguf", Content::large(9000, 1));
    third.hub.world().add(other);
    fs::write(
        third.path("freehold.lock"),
        lock.replace(&here.hub.endpoint(), &third.hub.endpoint()),
    )
    .unwrap();
    let refused = third.run(&["pull", "--locked"]);
    assert!(refused.code != 0, "{}", refused.out);
    assert_eq!(third.json(&["ls"])["models"], serde_json::json!([]));
    here.run(&["pull", "org/other", "--locked"]).refused(1, &["not in freehold.lock"]);
}

#[test]
fn a_branch_that_moved_on_is_outdated() {
    let room = Room::new();
    room.ok(&["pull", NAME]);
    let before = room.json(&["outdated"]);
    assert_eq!(before[0]["outdated"], false, "{before}");
    let weights = Content::from(fs::read(gguf()).unwrap());
    let newer = Repo::new(TINY)
        .small("README.md", "---\nlicense: apache-2.0\n---\nnewer\n")
        .large("tiny-F32.gguf", weights);
    room.hub.world().add(newer);
    let after = room.json(&["outdated"]);
    assert_eq!(after[0]["outdated"], true, "{after}");
    assert!(room.ok(&["outdated"]).out.contains("freehold pull org/tiny-GGUF@main"));
}

#[test]
fn what_binds_is_the_strictest_of_a_model_and_all_it_was_made_from() {
    let room = Room::new();
    let card =
        "---\nlicense: apache-2.0\nbase_model: org/middle\nbase_model_relation: quantized\n---\n";
    let weights = Content::from(fs::read(gguf()).unwrap());
    room.hub
        .world()
        .add(Repo::new("org/copy").small("README.md", card).large("m-F32.gguf", weights));
    room.hub.world().add(
        Repo::new("org/middle")
            .small("README.md", "---\nlicense: apache-2.0\nbase_model: org/root\n---\n"),
    );
    room.hub
        .world()
        .add(Repo::new("org/root").small("README.md", "---\nlicense: cc-by-nc-4.0\n---\n"));
    let found = room.json(&["licence", "org/copy"]);
    assert_eq!(found["parts"].as_array().unwrap().len(), 3, "{found}");
    let sell =
        found["answers"].as_array().unwrap().iter().find(|a| a["question"] == "sell").unwrap();
    assert_eq!(sell["ruling"], "no", "{sell}");
    let page = room.ok(&["licence", "org/copy", "--long"]).out;
    assert!(page.contains("May we sell what we build? no") && page.contains("org/root"), "{page}");
    // What was learned is known offline too, without asking again.
    room.ok(&["pull", "org/copy"]);
    room.hub.forget();
    let offline = room.json(&["licence", "org/copy", "--offline"]);
    assert_eq!(offline["terms"], found["terms"]);
    assert_eq!(room.hub.connections(), 0);
    let openness = room.json(&["openness", "org/copy", "--offline"]);
    assert_eq!(openness["level"], "restricted", "{openness}");
    assert!(room.ok(&["openness", "org/copy"]).out.contains("missing for Class III"));
}

#[test]
fn the_hub_is_searched_and_offline_the_catalogue() {
    let room = Room::new();
    let found = room.json(&["search", "tiny", "--all"]);
    let first = found.as_array().unwrap().iter().find(|row| row["name"] == TINY);
    assert!(first.is_some(), "{found}");
    let offline = room.json(&["search", "qwen3", "--offline"]);
    assert!(offline.as_array().unwrap().len() > 1, "{offline}");
    assert!(offline[0]["sources"][0].as_str().is_some() && offline[0]["fits"].as_str().is_some());
    let chat = room.json(&["catalogue", "--task", "chat", "--max", "4B", "--class", "open-source"]);
    for model in chat.as_array().unwrap() {
        assert!(model["parameters"].as_u64().unwrap() <= 4_000_000_000, "{model}");
        assert_eq!(model["licence_class"], "open-source", "{model}");
    }
    assert!(chat.as_array().unwrap().len() > 3);
    room.run(&["catalogue", "--class", "free"]).refused(2, &["open-source"]);
}

#[test]
fn names_that_are_none_are_told_apart() {
    let room = Room::new();
    room.run(&["run", "nothing", "hi"])
        .refused(1, &["no file, alias or pulled model", "freehold ls"]);
    room.run(&["pull", "org/tiny-GGUF:Q5_0"]).refused(2, &["F32", "Q8_0"]);
    room.run(&["pull", "org/../x"]).refused(2, &["no model name"]);
    room.run(&["pull", "org/none"]).refused(1, &["org/none"]);
    room.run(&["rm", "org/none"]).refused(1, &["not in the store"]);
    room.run(&["pull"]).refused(2, &["freehold search"]);
    room.run(&["alias", "house", NAME]).refused(1, &["built-in"]);
    assert!(Path::new(gguf()).exists());
}
