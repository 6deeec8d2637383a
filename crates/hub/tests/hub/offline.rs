//! Offline is a promise: no socket, whatever is asked. (H9)

use std::{
    env, fs,
    path::Path,
    process::{Command, Output},
};

use hub::{Access, Error, Hub, SearchQuery, Trust};
use testkit::fake_hub::FakeHub;

use crate::common::{Room, name, settings, typical};

const MODEL: &str = "org/model-GGUF";

#[test]
fn h9_offline_what_is_there_is_used_and_what_is_not_is_named() {
    let room = Room::new(typical());
    let pulled = room.hub().pull(&name(MODEL), &hub::Silent).unwrap();
    room.fake.forget();
    let hub = room.hub_with(|settings| settings.access = Access::Offline);
    assert_eq!(hub.pull(&name(MODEL), &hub::Silent).unwrap().open, pulled.open);
    assert!(
        hub.find(&name(&format!("{MODEL}@{}", pulled.commit)), Trust::Remembered)
            .unwrap()
            .is_some()
    );
    let missing = |result: Result<(), Error>| match result {
        Err(fault @ Error::Offline { .. }) => {
            assert!(fault.is_refusal() && fault.hint().is_some());
            fault.to_string()
        }
        other => panic!("{other:?}"),
    };
    let text = missing(hub.pull(&name("org/model-GGUF:Q8_0"), &hub::Silent).map(drop));
    assert!(text.contains("org/model-GGUF:Q8_0"), "{text}");
    missing(hub.pull(&name("org/other"), &hub::Silent).map(drop));
    missing(hub.listing(&name(MODEL)).map(drop));
    missing(hub.outdated().map(drop));
    missing(hub.search(&SearchQuery { words: "x".into(), ..SearchQuery::default() }).map(drop));
    missing(
        hub.pull(&name(&format!("https://example.org/x#sha256={}", "0".repeat(64))), &hub::Silent)
            .map(drop),
    );
    missing(hub.pull(&name("oci://ghcr.io/a/b:1"), &hub::Silent).map(drop));
    assert_eq!(room.fake.connections(), 0);
}

/// A library that is loaded before all others and ends the process at its first socket.
const TRAP: &str = r"
#include <unistd.h>
#include <stdlib.h>
int socket(int domain, int type, int protocol) {
    (void)domain; (void)type; (void)protocol;
    static const char said[] = ";

fn trap(folder: &Path) -> Option<std::path::PathBuf> {
    let source = folder.join("trap.c");
    let code = format!(
        "{TRAP}\"a socket was opened\\n\"; if (write(2, said, sizeof said - 1)) {{}} _exit(86); }}\n"
    );
    fs::write(&source, code).ok()?;
    let library = folder.join("trap.so");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .output()
        .ok()?;
    built.status.success().then_some(library)
}

/// Runs the test below in a process of its own, under the trap.
fn trapped(library: &Path, folder: &Path, endpoint: &str, access: &str) -> Output {
    Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "offline::child_of_the_trap",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env("LD_PRELOAD", library)
        .env("FREEHOLD_TEST_ROOM", folder)
        .env("FREEHOLD_TEST_ENDPOINT", endpoint)
        .env("FREEHOLD_TEST_ACCESS", access)
        .output()
        .unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn h9_seen_from_outside_offline_opens_no_socket() {
    let room = Room::new(typical());
    room.hub().pull(&name(MODEL), &hub::Silent).unwrap();
    let Some(library) = trap(room.folder.path()) else {
        eprintln!("skipped: no C compiler to build the trap with");
        return;
    };
    let online = trapped(&library, room.folder.path(), &room.fake.endpoint(), "online");
    assert_eq!(
        online.status.code(),
        Some(86),
        "the trap works: {}",
        String::from_utf8_lossy(&online.stderr)
    );
    let offline = trapped(&library, room.folder.path(), &room.fake.endpoint(), "offline");
    let text = String::from_utf8_lossy(&offline.stdout).into_owned()
        + &String::from_utf8_lossy(&offline.stderr);
    assert!(offline.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
#[ignore = "run by the test above in a process of its own"]
fn child_of_the_trap() {
    let Ok(folder) = env::var("FREEHOLD_TEST_ROOM") else { return };
    let mut settings = settings(&env::var("FREEHOLD_TEST_ENDPOINT").unwrap(), Path::new(&folder));
    if env::var("FREEHOLD_TEST_ACCESS").unwrap() == "offline" {
        settings.access = Access::Offline;
    }
    settings.proxy = Some("http://127.0.0.1:1".into());
    settings.no_proxy = vec!["127.0.0.1".into()];
    let hub = Hub::new(settings).unwrap();
    hub.pull(&name(MODEL), &hub::Silent).unwrap();
    let held = hub.held(&name(MODEL)).unwrap();
    hub.store().verify(&held.revisions[0], Trust::Nothing).unwrap();
    let locked = hub.lock(&hub.find(&name(MODEL), Trust::Nothing).unwrap().unwrap()).unwrap();
    hub.pull_locked(&locked, &hub::Silent).unwrap();
    for text in ["org/other", "oci://ghcr.io/a/b", "ollama:x", "https://huggingface.co/a/b"] {
        assert!(hub.pull(&name(text), &hub::Silent).is_err());
    }
    assert!(hub.search(&SearchQuery::default()).is_err() && hub.outdated().is_err());
}

#[test]
fn a_proxy_is_used_and_its_exceptions_are_not() {
    let room = Room::new(typical());
    // The fake hub is no proxy; it is enough that the request arrives there.
    let proxy = FakeHub::start();
    let through = room.hub_with(|settings| settings.proxy = Some(proxy.endpoint()));
    assert!(through.listing(&name(MODEL)).is_err());
    assert!(proxy.log().iter().all(|seen| seen.method == "CONNECT") && !proxy.log().is_empty());
    let around = room.hub_with(|settings| {
        settings.proxy = Some(proxy.endpoint());
        settings.no_proxy = vec!["127.0.0.1".into()];
    });
    proxy.forget();
    around.listing(&name(MODEL)).unwrap();
    assert_eq!(proxy.connections(), 0);
    assert!(matches!(
        Hub::new({
            let mut s = room.settings();
            s.proxy = Some("::".into());
            s
        }),
        Err(Error::Setting { .. })
    ));
    assert!(matches!(
        Hub::new({
            let mut s = room.settings();
            s.authorities = Some("/nonexistent".into());
            s
        }),
        Err(Error::Io { .. })
    ));
}
