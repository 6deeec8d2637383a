//! Interruptions: cut connections, busy servers, changed files, runs that end in the middle.

use std::time::Duration;

use hub::{Error, Event};
use testkit::fake_hub::{Content, Quirk, Repo};

use crate::common::{Heard, Room, large, name, typical, walk};

const SIZE: u64 = 24 << 20;

/// Makes a pull end in the middle: one connection, cut again and again, no patience.
fn interrupted(room: &Room, after: u64) -> Error {
    room.fake.quirk(Quirk::Cut { after, times: 1000 });
    let hub = room.hub_with(|settings| {
        settings.connections = 1;
        settings.limits.tries = 1;
    });
    let fault = hub.pull(&name("org/large"), &hub::Silent).unwrap_err();
    room.fake.behave();
    fault
}

#[test]
fn what_was_fetched_is_not_fetched_again() {
    let room = Room::new(large(SIZE));
    let fault = interrupted(&room, 3 << 20);
    assert!(matches!(fault, Error::Network { .. }), "{fault}");
    room.assert_nothing_visible();
    let before = room.fake.sent();
    assert!(before >= 3 << 20);
    let heard = Heard::default();
    let pulled = room.hub().pull(&name("org/large"), &heard).unwrap();
    assert_eq!(
        heard.count(|event| matches!(event, Event::Started { resumed, .. } if *resumed == 3 << 20)),
        1
    );
    assert_eq!(before + room.fake.sent() - before, pulled.bytes(), "every byte once");
    assert_eq!(heard.restarts(), 0);
}

#[test]
fn connections_that_break_are_taken_up_again() {
    let room = Room::new(large(SIZE));
    room.fake.quirk(Quirk::Cut { after: 1 << 20, times: 10 });
    let heard = Heard::default();
    let pulled = room.hub().pull(&name("org/large"), &heard).unwrap();
    // How many of the ten cuts meet a connection with more to send depends on who comes first.
    assert!(heard.count(|event| matches!(event, Event::Retrying { .. })) > 0);
    assert_eq!(pulled.fetched, pulled.bytes());
}

#[test]
fn a_busy_server_is_asked_again_and_a_broken_one_not_for_ever() {
    let room = Room::new(large(1000));
    for (status, times) in [(503, 2), (429, 1)] {
        room.fake.quirk(Quirk::Fail {
            target: "/resolve/".into(),
            status,
            times,
            retry_after: Some(0),
        });
    }
    let heard = Heard::default();
    room.hub().pull(&name("org/large"), &heard).unwrap();
    assert_eq!(heard.count(|event| matches!(event, Event::Retrying { .. })), 3);
    let other = Room::new(large(1000));
    other.fake.quirk(Quirk::Fail {
        target: "/resolve/".into(),
        status: 500,
        times: 1000,
        retry_after: None,
    });
    let fault = other.hub().pull(&name("org/large"), &heard).unwrap_err();
    assert!(matches!(fault, Error::Status { status: 500, .. }), "{fault}");
    assert_eq!(other.fake.log().iter().filter(|seen| seen.target.contains("/resolve/")).count(), 5);
    other.assert_nothing_visible();
}

#[test]
fn h6_a_file_that_changed_on_the_server_is_begun_anew_and_said_so() {
    let room = Room::new(large(SIZE));
    interrupted(&room, 3 << 20);
    room.fake.quirk(Quirk::CdnTag("\"another\"".into()));
    let heard = Heard::default();
    let pulled = room.hub().pull(&name("org/large"), &heard).unwrap();
    assert_eq!(heard.restarts(), 1);
    assert_eq!(pulled.bytes(), SIZE + 2);
    // The request said under which condition the rest was wanted.
    assert!(room.fake.log().iter().any(|seen| seen.if_range.is_some()));
}

#[test]
fn h6_a_server_that_ignores_ranges_is_served_in_one_go() {
    let room = Room::new(large(SIZE));
    interrupted(&room, 3 << 20);
    room.fake.quirk(Quirk::IgnoreRange);
    let heard = Heard::default();
    let pulled = room.hub().pull(&name("org/large"), &heard).unwrap();
    assert_eq!(heard.restarts(), 1, "what was there cannot be gone on with");
    assert!(pulled.fetched >= SIZE);
    let fresh = Room::new(large(SIZE));
    fresh.fake.quirk(Quirk::IgnoreRange);
    let heard = Heard::default();
    assert_eq!(fresh.hub().pull(&name("org/large"), &heard).unwrap().fetched, SIZE + 2);
    assert_eq!(heard.restarts(), 0);
}

#[test]
fn h6_a_branch_that_moves_while_it_is_listed_changes_nothing() {
    let first = typical();
    let old = first.head();
    let repo = first.commit().large("model-Q4_K_M.gguf", Content::large(999, 9));
    let new = repo.head();
    let room = Room::new(repo);
    // It stands at the old commit until it was asked for, and then at the new one.
    {
        let mut world = room.fake.world();
        let repo = world.remove("org/model-GGUF").unwrap();
        let mut repo = repo.branch("later");
        repo.point("main", &old);
        world.add(repo);
    }
    room.fake.quirk(Quirk::MoveMain { repo: "org/model-GGUF".into(), to: new.clone() });
    let pulled = room.hub().pull(&name("org/model-GGUF"), &hub::Silent).unwrap();
    assert_eq!(pulled.commit, old);
    assert!(weights::Checkpoint::open(&pulled.open).is_ok(), "the old commit's weights, whole");
    assert!(
        room.fake
            .log()
            .iter()
            .filter(|seen| seen.target.contains("/resolve/"))
            .all(|seen| seen.target.contains(&old))
    );
}

#[test]
fn small_files_and_servers_without_ranges_survive_cuts_too() {
    let room = Room::new(large(1 << 20));
    room.fake.quirk(Quirk::Cut { after: 100_000, times: 3 });
    let heard = Heard::default();
    let pulled = room.hub().pull(&name("org/large"), &heard).unwrap();
    assert_eq!(
        pulled.fetched,
        pulled.bytes(),
        "taken up where it broke, though it began without a range"
    );
    assert_eq!(heard.restarts(), 0);
    let room = Room::new(large(SIZE));
    room.fake.quirk(Quirk::IgnoreRange);
    room.fake.quirk(Quirk::Cut { after: 10 << 20, times: 2 });
    let heard = Heard::default();
    room.hub().pull(&name("org/large"), &heard).unwrap();
    assert!(heard.restarts() >= 1);
}

#[test]
fn rotten_leftovers_are_noticed_by_the_hash() {
    let room = Room::new(large(SIZE));
    interrupted(&room, 3 << 20);
    let part = walk(&room.cache())
        .into_iter()
        .find(|path| path.to_string_lossy().ends_with(".incomplete"))
        .unwrap();
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[1 << 20] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let heard = Heard::default();
    let pulled = room.hub().pull(&name("org/large"), &heard).unwrap();
    assert_eq!(heard.restarts(), 1);
    assert_eq!(pulled.bytes(), SIZE + 2);
}

#[test]
fn addresses_that_run_out_are_renewed() {
    let room = Room::new(large(SIZE));
    room.fake.quirk(Quirk::AddressGoodFor(1));
    room.hub_with(|settings| settings.connections = 1)
        .pull(&name("org/large"), &hub::Silent)
        .unwrap();
}

#[test]
fn a_server_that_sends_drop_by_drop_is_given_up() {
    let room = Room::new(Repo::new("org/large").large("x-Q8_0.gguf", Content::large(1 << 20, 1)));
    room.fake.quirk(Quirk::Rate(100));
    let hub = room.hub_with(|settings| {
        settings.limits.silence = Duration::from_millis(300);
        settings.limits.tries = 1;
    });
    let fault = hub.pull(&name("org/large"), &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::Stalled { .. }), "{fault}");
}
