//! The same bytes elsewhere, or an error.

use hub::{Error, LockFile, Locked};
use testkit::fake_hub::{Content, Repo};

use crate::common::{Room, gguf, name, settings, typical};

const MODEL: &str = "org/model-GGUF:Q8_0";

#[test]
fn a_lock_brings_the_same_bytes_to_another_machine_though_the_branch_moved() {
    let room = Room::new(typical());
    let hub = room.hub();
    let pulled = hub.pull(&name(MODEL), &hub::Silent).unwrap();
    let path = room.folder.path().join("freehold.lock");
    let mut file = LockFile::new();
    file.set(hub.lock(&pulled).unwrap());
    file.write(&path).unwrap();
    let locked: Locked = LockFile::read(&path).unwrap().get(MODEL).unwrap().clone();
    assert_eq!(locked.files.len(), 3);
    assert!(locked.template_sha256.is_some(), "the template decides what a conversation becomes");
    assert_eq!(locked.endpoint.as_deref(), Some(room.fake.endpoint().as_str()));

    let repo = room.fake.world().remove("org/model-GGUF").unwrap();
    room.fake.world().add(repo.commit().large("model-Q8_0.gguf", Content::from(gguf(64))));
    let elsewhere = tempfile::tempdir().unwrap();
    let fresh = hub::Hub::new(settings(&room.fake.endpoint(), elsewhere.path())).unwrap();
    let same = fresh.pull_locked(&locked, &hub::Silent).unwrap();
    assert_eq!(same.commit, pulled.commit);
    assert_eq!(std::fs::read(&same.open).unwrap(), std::fs::read(&pulled.open).unwrap());
    assert_ne!(fresh.pull(&name(MODEL), &hub::Silent).unwrap().commit, pulled.commit);

    // From the store alone, without a request.
    let mut offline = settings(&room.fake.endpoint(), elsewhere.path());
    offline.access = hub::Access::Offline;
    assert!(hub::Hub::new(offline).unwrap().pull_locked(&locked, &hub::Silent).is_ok());
}

#[test]
fn every_difference_is_named() {
    let room = Room::new(typical());
    let hub = room.hub();
    let pulled = hub.pull(&name(MODEL), &hub::Silent).unwrap();
    let locked = hub.lock(&pulled).unwrap();
    let with = |edit: &dyn Fn(&mut Locked)| {
        let mut changed = locked.clone();
        edit(&mut changed);
        match hub.pull_locked(&changed, &hub::Silent) {
            Err(Error::Locked { what, .. }) => what,
            other => format!("{other:?}"),
        }
    };
    assert_eq!(with(&|l| l.files[2].bytes += 1), "the size of model-Q8_0.gguf");
    assert_eq!(with(&|l| l.files[2].sha256 = "0".repeat(64)), "the hash of model-Q8_0.gguf");
    assert_eq!(with(&|l| l.files[0].sha256 = "0".repeat(64)), "the hash of LICENSE");
    assert_eq!(with(&|l| l.files[0].git = Some("0".repeat(40))), "the hash of LICENSE");
    assert_eq!(with(&|l| l.template_sha256 = None), "the chat template");
    assert_eq!(with(&|l| l.files[0].path = "LICENCE".into()), "LICENCE");
    assert!(with(&|l| l.commit = "1".repeat(40)).contains("NoSuchRevision"));
}

#[test]
fn templates_of_folders_are_locked_too() {
    let config = r#"{"chat_template":"{{ x }}"}"#;
    let repo = Repo::new("org/s")
        .small("config.json", "{}")
        .small("tokenizer_config.json", config)
        .large("model.safetensors", Content::from(crate::common::safetensors("a", 4)));
    let room = Room::new(repo);
    let hub = room.hub();
    let locked = hub.lock(&hub.pull(&name("org/s"), &hub::Silent).unwrap()).unwrap();
    assert_eq!(locked.template_sha256.unwrap(), Content::from(b"{{ x }}".to_vec()).sha256());
}
