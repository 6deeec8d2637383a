//! Kills at random moments: the store opens every time, the pull ends, and no byte comes twice beyond
//! what was in flight. (H8)
//!
//! Measured on 2026-11-21 (two busy cores): 200 kills over 6 pulls of 500 MB; the store opened every
//! time, every pull ended with the right hashes, and 29 MB were sent twice, 0.15 MB a kill: what the
//! connections had in flight, counted where it is sent.

use std::{
    env,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use hub::{Hub, Trust};
use testkit::fake_hub::{Content, Quirk, Repo};

use crate::common::{Room, name, settings};

const MODEL: &str = "org/killed";

/// Bytes per connection and kill that may have to come again: what the kernel and the client hold that
/// was sent and not yet written.
const IN_FLIGHT: u64 = 2 << 20;

fn child(room: &Room) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "kills::child_of_the_killer",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("FREEHOLD_TEST_ROOM", room.folder.path())
        .env("FREEHOLD_TEST_ENDPOINT", room.fake.endpoint())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "run by the tests below in processes of its own"]
fn child_of_the_killer() {
    let Ok(folder) = env::var("FREEHOLD_TEST_ROOM") else { return };
    let hub = Hub::new(settings(&env::var("FREEHOLD_TEST_ENDPOINT").unwrap(), Path::new(&folder)))
        .unwrap();
    hub.pull(&name(MODEL), &hub::Silent).unwrap();
}

/// What a run of kills found.
#[derive(Debug, Default)]
struct Tally {
    kills: usize,
    pulls: usize,
    written: u64,
    wasted: u64,
    wasted_max: u64,
}

/// Kills pulls of a model of `bytes` bytes until there were `kills` of them.
fn kill(kills: usize, bytes: u64, rate: Option<u64>) -> Tally {
    let mut tally = Tally::default();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let room = Room::new(
        Repo::new(MODEL).small("config.json", "{}").large("m-Q8_0.gguf", Content::large(bytes, 5)),
    );
    if let Some(rate) = rate {
        room.fake.quirk(Quirk::Rate(rate));
    }
    let mut expected_ms = 1500;
    while tally.kills < kills {
        // One model, pulled to its end through as many kills as it takes.
        let before_model = room.fake.sent();
        let mut kills_of_model = 0;
        loop {
            let began = Instant::now();
            let mut process = child(&room);
            let until = Duration::from_millis(random(expected_ms) + 5);
            let ended = loop {
                if let Some(status) = process.try_wait().unwrap() {
                    assert!(status.success(), "a pull that was not killed ends well");
                    break true;
                }
                if tally.kills < kills && began.elapsed() >= until {
                    // SIGKILL: no handler, no unwinding.
                    process.kill().unwrap();
                    process.wait().unwrap();
                    break false;
                }
                thread::sleep(Duration::from_millis(2));
            };
            // Whenever it was: the store opens, and what it shows is right.
            let hub = room.hub();
            for model in hub.store().list().unwrap() {
                for revision in &model.revisions {
                    let checks = hub.store().verify(revision, Trust::Remembered).unwrap();
                    assert!(
                        checks.iter().all(|(_, check)| check.is_some_and(hub::Check::is_right)),
                        "{checks:?}"
                    );
                }
            }
            if ended {
                expected_ms = (expected_ms + u64::try_from(began.elapsed().as_millis()).unwrap())
                    .max(100)
                    / 2;
                break;
            }
            tally.kills += 1;
            kills_of_model += 1;
        }
        tally.pulls += 1;
        let hub = room.hub();
        let pulled = hub
            .find(&name(MODEL), Trust::Nothing)
            .unwrap()
            .expect("the model is there, hashed anew");
        let sent = room.fake.sent() - before_model;
        let wasted = sent - pulled.bytes();
        tally.written += pulled.bytes();
        tally.wasted += wasted;
        tally.wasted_max = tally.wasted_max.max(wasted / (kills_of_model + 1));
        assert!(
            wasted <= (kills_of_model + 1) * 4 * IN_FLIGHT,
            "{wasted} bytes came twice over {kills_of_model} kills"
        );
        hub.store().remove(&hub.held(&name(MODEL)).unwrap(), None).unwrap();
    }
    tally
}

#[test]
fn h8_ten_kills_of_a_small_model() {
    let tally = kill(10, 48 << 20, Some(16 << 20));
    eprintln!("{tally:?}");
}

#[test]
#[ignore = "takes minutes: 200 kills of a model of 500 MB"]
fn h8_two_hundred_kills_of_a_model_of_500_mb() {
    let tally = kill(200, 500_000_000, Some(64 << 20));
    eprintln!("{tally:?}");
}
