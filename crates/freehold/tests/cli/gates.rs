//! The policy's gates at pull and at run, and the log of what they decided.

use std::fs;

use testkit::fake_hub::{Content, Repo};

use crate::{
    hub::{Room, TINY},
    support::gguf,
};

const NAME: &str = "org/tiny-GGUF:F32";

#[test]
fn a_denied_model_is_never_downloaded_and_the_reason_is_named() {
    let room = Room::new();
    // Longer than a header, so that the whole can be told from its beginning.
    let mut weights = fs::read(gguf()).unwrap();
    weights.resize(weights.len() + (4 << 20), 0);
    let large = Repo::new(TINY).small("README.md", "---\nlicense: mit\n---\n");
    room.hub.world().add(large.large("tiny-F32.gguf", Content::from(weights)));
    room.policy("[sources]\ndeny = [\"hf:org/*\"]\n");
    room.run(&["pull", NAME]).refused(3, &["deny", "sources", "freehold policy explain"]);
    assert!(room.hub.sent() < 2 << 20, "only headers were read: {}", room.hub.sent());
    assert!(!room.path("hf/hub/models--org--tiny-GGUF/snapshots").exists());
    let explained = room.run(&["policy", "explain", NAME, "--gate", "pull"]);
    assert_eq!(explained.code, 3);
    assert!(explained.out.contains("sources.deny"), "{}", explained.out);
    let log = room.ok(&["audit", "show"]).out;
    assert!(log.contains("deny") && log.contains("ada") && log.contains(TINY), "{log}");
}

#[test]
fn a_model_pulled_earlier_is_refused_at_run_once_the_policy_says_so() {
    let room = Room::new();
    room.ok(&["pull", NAME]);
    let run = ["run", NAME, "hello", "--raw", "-n", "2"];
    room.ok(&run);
    room.policy("[licence]\ndeny = [\"apache-2.0\"]\n");
    room.run(&run).refused(3, &["licence.deny"]);
    // A file that never was in the store passes the same gate.
    room.policy("[sources]\nallow = [\"hf:org/*\"]\n");
    room.ok(&run);
    room.run(&["run", gguf(), "hello", "--raw", "-n", "2"]).refused(3, &["sources"]);
    room.policy("[memory]\nmemory_max = \"1MiB\"\n");
    room.run(&run).refused(3, &["memory"]);
}

#[test]
fn where_a_person_has_to_say_yes_nobody_at_a_terminal_is_a_no() {
    let room = Room::new();
    room.policy("[licence]\nask = [\"apache-2.0\"]\n");
    room.run(&["pull", NAME]).refused(3, &["a person has to say yes", "licence.ask"]);
    let entries = room.json(&["audit", "show"]);
    assert_eq!(entries[0]["details"]["answer"], "nobody", "{entries}");
    let waiver = "[[waiver]]\nid = \"w1\"\nby = \"Ada\"\nreason = \"a test\"\nrule = \"licence.ask\"\n\
        model = \"org/tiny-GGUF\"\nfrom = \"2026-01-01\"\nuntil = \"2999-01-01\"\n";
    room.policy(&format!("[licence]\nask = [\"apache-2.0\"]\n{waiver}"));
    let pulled = room.ok(&["pull", NAME]);
    assert!(pulled.err.contains("waiver w1 by Ada"), "{}", pulled.err);
    room.policy(&format!("[licence]\nask = [\"apache-2.0\"]\n{}", waiver.replace("2999", "2026")));
    room.run(&["run", NAME, "x"]).refused(3, &["ended on 2026-01-01"]);
}

#[test]
fn a_policy_that_cannot_be_read_allows_nothing() {
    let room = Room::new();
    room.policy("[licence]\ndeny_clases = []\n");
    room.run(&["pull", NAME]).refused(3, &["cannot be read", "deny_clases"]);
    room.run(&["run", gguf(), "x"]).refused(3, &["cannot be read"]);
    room.run(&["policy", "check"]).refused(3, &["line 3"]);
    fs::remove_file(room.path("home/freehold-policy.toml")).unwrap();
    let mut named = room.program();
    named.args(["run", gguf(), "x"]).env("FREEHOLD_POLICY", room.path("not-there.toml"));
    crate::support::done(&mut named).refused(3, &["cannot be read"]);
}

#[test]
fn a_policy_is_begun_checked_and_explained() {
    let room = Room::new();
    assert_eq!(room.json(&["policy", "check"])["state"], "absent");
    room.ok(&["policy", "init"]);
    room.run(&["policy", "init"]).refused(1, &["there already"]);
    assert_eq!(room.json(&["policy", "check"])["state"], "sound");
    let line = room.ok(&["policy", "check", NAME, "--gate", "pull"]).out;
    assert!(line.contains("pull of org/tiny-GGUF"), "{line}");
    let explained = room.json(&["policy", "explain", NAME, "--gate", "serve"]);
    assert_eq!(explained["gate"], "serve");
    assert!(!explained["reasons"].as_array().unwrap().is_empty());
}

#[test]
fn the_log_shows_when_it_was_changed_or_cut() {
    let room = Room::new();
    (0..3).for_each(|_| _ = room.ok(&["pull", NAME]));
    let whole = room.json(&["audit", "verify"]);
    assert_eq!(whole["entries"], 3, "{whole}");
    let anchor = whole["anchor"].as_str().unwrap().to_owned();
    room.ok(&["audit", "verify", "--anchor", &anchor]);
    let path = room.path("home/audit/log.jsonl");
    let log = fs::read_to_string(&path).unwrap();
    fs::write(&path, log.replacen("\"ada\"", "\"eve\"", 1)).unwrap();
    room.run(&["audit", "verify"]).refused(3, &["audit log, line 1"]);
    let cut: String = log.split_inclusive('\n').take(2).collect();
    fs::write(&path, cut).unwrap();
    room.run(&["audit", "verify"]).refused(3, &["cut off"]);
    // A log that does not fit takes nothing more, and then nothing is pulled under a policy.
    room.policy("[audit]\non_failure = \"deny\"\n");
    room.run(&["pull", NAME]).refused(3, &["could not be logged"]);
}
