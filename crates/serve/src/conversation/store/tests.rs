use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
};

use super::*;
use crate::conversation::Search;

fn owner() -> Owner {
    Owner::new(Some("ann"))
}

fn message(id: &str, parent: Option<&str>, content: &str) -> Message {
    Message {
        id: id.to_owned(),
        parent: parent.map(str::to_owned),
        role: if parent.is_some() { Role::Assistant } else { Role::User },
        content: content.to_owned(),
        reasoning: String::new(),
        state: Ending::Done,
        model: None,
        stats: None,
        created: 0,
    }
}

fn begun(store: &Store, id: &str) {
    store.save(&owner(), id, Change::default()).unwrap();
}

fn contents(store: &Store, id: &str) -> Vec<String> {
    store.get(&owner(), id).unwrap().messages.into_iter().map(|m| m.content).collect()
}

/// The room an owner is said to use, and what is there, counted anew.
fn balance(store: &Store) -> (i64, i64) {
    let db = store.writer();
    let said =
        db.query_row("select coalesce(sum(bytes), 0) from conversations", [], |row| row.get(0));
    let there = db.query_row(
        "select (select coalesce(sum(octet_length(settings)), 0) from conversations)
              + (select coalesce(sum(octet_length(content) + octet_length(reasoning)
                   + coalesce(octet_length(model), 0) + coalesce(octet_length(stats), 0)), 0) from messages)",
        [],
        |row| row.get(0),
    );
    (said.unwrap(), there.unwrap())
}

#[test]
fn a_tree_is_stored_and_read_as_it_grew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/conversations.sqlite");
    let store = Store::open(&path).unwrap();
    let settings = serde_json::from_str(r#"{"temperature": 0.5, "system": "Be kind."}"#).unwrap();
    let change =
        Change { title: Some(" A\nname ".into()), settings: Some(settings), current: None };
    assert_eq!(store.save(&owner(), "c", change).unwrap().title, "A name");
    store.save_message(&owner(), "c", &message("u", None, "hello")).unwrap();
    let mut answer = message("a1", Some("u"), "hal");
    answer.state = Ending::Partial;
    store.save_message(&owner(), "c", &answer).unwrap();
    // More of the same message, and the same again: nothing is doubled.
    answer.content = "hallo".into();
    answer.reasoning = "hm".into();
    answer.state = Ending::Done;
    answer.model = Some("house".into());
    answer.stats = Some(serde_json::from_str(r#"{"completion_tokens": 3}"#).unwrap());
    store.save_message(&owner(), "c", &answer).unwrap();
    store.save_message(&owner(), "c", &answer).unwrap();
    store.save_message(&owner(), "c", &message("a2", Some("u"), "servus")).unwrap();
    drop(store);

    let store = Store::open(&path).unwrap();
    let whole = store.get(&owner(), "c").unwrap();
    assert_eq!(whole.settings["temperature"], 0.5);
    assert_eq!(whole.current.as_deref(), Some("a2"));
    assert_eq!(contents(&store, "c"), ["hello", "hallo", "servus"]);
    let kept = &whole.messages[1];
    assert_eq!(
        (kept.reasoning.as_str(), kept.state, &kept.stats),
        ("hm", Ending::Done, &answer.stats)
    );
    let back = Change { current: Some("a1".into()), ..Change::default() };
    assert_eq!(store.save(&owner(), "c", back).unwrap().messages, 3);
    assert_eq!(store.get(&owner(), "c").unwrap().current.as_deref(), Some("a1"));
    let (said, there) = balance(&store);
    assert_eq!(said, there);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "others may read {mode:o}");
    }
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let store = Store::in_memory().unwrap();
    begun(&store, "c");
    store.save_message(&owner(), "c", &message("u", None, "hello")).unwrap();
    let refused = |result: Result<(), Error>, part: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    let save = |m: &Message| store.save_message(&owner(), "c", m);
    refused(save(&message("a", Some("gone"), "")), "no such parent");
    refused(save(&message("u", Some("u"), "")), "keeps its parent");
    refused(save(&Message { role: Role::Assistant, ..message("u", None, "") }), "keeps its role");
    refused(save(&message("a b", None, "")), "no name");
    refused(store.save_message(&owner(), "d", &message("u", None, "")), "no such conversation");
    let to = |id: &str| Change { current: Some(id.into()), ..Change::default() };
    refused(store.save(&owner(), "c", to("gone")).map(drop), "no such message");
    refused(store.save(&owner(), "new", to("gone")).map(drop), "no such message");
    refused(store.save(&owner(), "../c", Change::default()).map(drop), "no name");
    refused(store.delete(&owner(), "new"), "no such conversation");
    assert_eq!(contents(&store, "c"), ["hello"]);
}

#[test]
fn owners_know_nothing_of_each_other() {
    let store = Store::in_memory().unwrap();
    let bob = Owner::new(Some("bob"));
    begun(&store, "c");
    store.save_message(&owner(), "c", &message("u", None, "mine")).unwrap();
    assert!(matches!(store.get(&bob, "c"), Err(Error::Missing(_))));
    assert!(matches!(store.delete(&bob, "c"), Err(Error::Missing(_))));
    assert!(store.save_message(&bob, "c", &message("x", Some("u"), "")).is_err());
    // The same name is theirs to use, and is another conversation.
    store.save(&bob, "c", Change { title: Some("Bob's".into()), ..Change::default() }).unwrap();
    store.save_message(&bob, "c", &message("u", None, "his")).unwrap();
    assert_eq!(contents(&store, "c"), ["mine"]);
    store.delete(&bob, "c").unwrap();
    assert_eq!(contents(&store, "c"), ["mine"]);
    assert!(store.list(&bob, &Search::new("", None, 9)).unwrap().found.is_empty());
    assert!(store.all(&Owner::new(None)).unwrap().is_empty());
}

#[test]
fn everything_has_a_limit() {
    let limits = Limits {
        conversations: 2,
        messages: 3,
        message_bytes: 100,
        bytes: 150,
        title_chars: 10,
        settings_bytes: 40,
        stats_bytes: 20,
    };
    let store = Store::in_memory().unwrap().with_limits(limits);
    begun(&store, "a");
    begun(&store, "b");
    let full = |result: Result<(), Error>, what: &str| {
        let error = result.unwrap_err();
        assert!(matches!(error, Error::Full { .. } | Error::TooLong { .. }), "{error}");
        assert!(error.to_string().contains(what), "{error}");
    };
    full(store.save(&owner(), "c", Change::default()).map(drop), "conversations");
    let title = Change { title: Some("ä".repeat(11)), ..Change::default() };
    full(store.save(&owner(), "a", title).map(drop), "title");
    let settings = serde_json::from_str(&format!(r#"{{"system": "{}"}}"#, "x".repeat(40))).unwrap();
    let settings = Change { settings: Some(settings), ..Change::default() };
    full(store.save(&owner(), "a", settings).map(drop), "settings");
    full(store.save_message(&owner(), "a", &message("m", None, &"x".repeat(101))), "message");
    let stats = serde_json::from_str(r#"{"a": "0123456789012345"}"#).ok();
    full(store.save_message(&owner(), "a", &Message { stats, ..message("m", None, "") }), "stats");
    store.save_message(&owner(), "a", &message("1", None, &"x".repeat(100))).unwrap();
    full(store.save_message(&owner(), "b", &message("1", None, &"x".repeat(60))), "bytes");
    // Growing counts what is added only; what was freed can be used again.
    store.save_message(&owner(), "a", &message("1", None, &"y".repeat(99))).unwrap();
    store.save_message(&owner(), "b", &message("1", None, &"x".repeat(40))).unwrap();
    store.delete(&owner(), "a").unwrap();
    store.save_message(&owner(), "b", &message("2", None, "")).unwrap();
    store.save_message(&owner(), "b", &message("3", None, "")).unwrap();
    full(store.save_message(&owner(), "b", &message("4", None, "")), "messages");
    let (said, there) = balance(&store);
    assert_eq!(said, there);
}

#[test]
fn an_import_is_all_or_nothing_and_overwrites_nothing() {
    let store = Store::in_memory().unwrap();
    begun(&store, "c");
    store.save_message(&owner(), "c", &message("u", None, "old")).unwrap();
    let one = |id: &str, text: &str| Conversation {
        id: id.into(),
        title: "T".into(),
        settings: serde_json::Map::default(),
        current: Some("u".into()),
        created: 5,
        updated: 7,
        messages: vec![message("u", None, text)],
    };
    assert_eq!(
        store
            .import(&owner(), vec![one("c", "new"), one("d", "new"), one("no name", "new")])
            .unwrap(),
        3
    );
    assert_eq!(contents(&store, "c"), ["old"]);
    let all = store.all(&owner()).unwrap();
    assert_eq!(all.len(), 4);
    assert_eq!((all[0].created, all[0].updated), (5, 7));
    // What goes out comes back the same.
    let other = Store::in_memory().unwrap();
    let read = crate::conversation::read(&crate::conversation::bundle(&all)).unwrap();
    other.import(&owner(), read).unwrap();
    assert_eq!(other.all(&owner()).unwrap(), all);
    let tight = store.with_limits(Limits { conversations: 5, ..Limits::default() });
    assert!(tight.import(&owner(), vec![one("e", ""), one("f", "")]).is_err());
    assert_eq!(tight.all(&owner()).unwrap().len(), 4);
    let (said, there) = balance(&tight);
    assert_eq!(said, there);
}

#[test]
fn what_is_deleted_is_not_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let store = Store::open(&path).unwrap();
    let secret = "the-word-that-must-go";
    begun(&store, "c");
    store.save_message(&owner(), "c", &message("u", None, &secret.repeat(20))).unwrap();
    store.delete(&owner(), "c").unwrap();
    drop(store); // The last connection folds the log into the file.
    let bytes = std::fs::read(&path).unwrap();
    assert!(!bytes.windows(secret.len()).any(|w| w == secret.as_bytes()));
}

#[test]
fn a_file_of_a_newer_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    drop(Store::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9).unwrap();
    let error = Store::open(&path).unwrap_err().to_string();
    assert!(error.contains("version 9"), "{error}");
    std::fs::write(&path, "no database at all, just some words that fill a line").unwrap();
    assert!(Store::open(&path).is_err());
}

/// Every save that returned is there after `kill -9`; the one under way is whole or not there.
#[test]
fn kill_9_loses_nothing_that_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.sqlite");
    let mut saved: HashMap<String, usize> = HashMap::new();
    for round in 0..3 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "conversation::store::tests::child_that_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env("FREEHOLD_TEST_FILE", &path)
            .env("FREEHOLD_TEST_ROUND", round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // The harness writes lines of its own, and may begin ours with some of its words.
        let told =
            lines.filter_map(|line| line.split_once("saved ").map(|(_, rest)| rest.to_owned()));
        for line in told.take(15 + round * 7) {
            let (id, bytes) = line.split_once(' ').unwrap();
            saved.insert(id.to_owned(), bytes.parse().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert_eq!(saved.len(), 15 + 22 + 29);
    let store = Store::open(&path).unwrap();
    let there: HashMap<String, usize> = store
        .get(&owner(), "c")
        .unwrap()
        .messages
        .into_iter()
        .map(|m| (m.id, m.content.len()))
        .collect();
    for (id, bytes) in saved {
        assert_eq!(there.get(&id), Some(&bytes), "{id}");
    }
    let (said, counted) = balance(&store);
    assert_eq!(said, counted, "a message is there in part");
    let whole: String =
        store.writer().query_row("pragma integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
}

#[test]
#[ignore = "the other half of kill_9_loses_nothing_that_was_saved"]
fn child_that_is_killed() {
    let (Ok(path), Ok(round)) =
        (std::env::var("FREEHOLD_TEST_FILE"), std::env::var("FREEHOLD_TEST_ROUND"))
    else {
        println!("skipped: run by its other half only");
        return;
    };
    let store = Store::open(Path::new(&path)).unwrap();
    begun(&store, "c");
    for n in 0..2000 {
        let (id, bytes) = (format!("{round}-{n}"), 10 + n * 37 % 3000);
        store.save_message(&owner(), "c", &message(&id, None, &"x".repeat(bytes))).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "saved {id} {bytes}").unwrap();
        out.flush().unwrap();
    }
}
