//! Looking at the store, removing, copying, comparing.

use std::fs;

use hub::{Check, CopyTo, Error, Trust};
use testkit::fake_hub::Content;

use crate::common::{Room, gguf, name, typical, walk};

const MODEL: &str = "org/model-GGUF";

#[test]
fn the_store_lists_what_it_holds_and_verifies_it() {
    let room = Room::new(typical());
    let hub = room.hub();
    assert!(hub.store().list().unwrap().is_empty());
    assert!(matches!(hub.held(&name(MODEL)), Err(Error::NotHeld { .. })));
    let pulled = hub.pull(&name(MODEL), &hub::Silent).unwrap();
    // What is no model of ours does not disturb.
    fs::create_dir_all(room.cache().join("datasets--x--y")).unwrap();
    fs::write(room.cache().join("version.txt"), "1").unwrap();
    let models = hub.store().list().unwrap();
    assert_eq!(models.len(), 1);
    let model = &models[0];
    assert_eq!((model.name.as_str(), model.bytes), (MODEL, pulled.bytes()));
    let revision = &model.revisions[0];
    assert_eq!(
        (revision.references.as_slice(), revision.files.len()),
        (&["main".to_owned()][..], 3)
    );
    assert_eq!(revision.bytes(), pulled.bytes());
    let checks = hub.store().verify(revision, Trust::Remembered).unwrap();
    assert!(checks.iter().all(|(_, check)| *check == Some(Check::Remembered)));
    let checks = hub.store().verify(revision, Trust::Nothing).unwrap();
    assert!(checks.iter().all(|(_, check)| *check == Some(Check::Hashed)));
    let readme = fs::canonicalize(pulled.file("README.md").unwrap()).unwrap();
    fs::write(&readme, "changed").unwrap();
    fs::remove_file(fs::canonicalize(pulled.file("LICENSE").unwrap()).unwrap()).unwrap();
    let checks = hub
        .store()
        .verify(&hub.held(&name(MODEL)).unwrap().revisions[0], Trust::Remembered)
        .unwrap();
    let wrong: Vec<_> = checks
        .iter()
        .filter(|(_, check)| !check.is_some_and(Check::is_right))
        .map(|(path, _)| path.as_str())
        .collect();
    assert_eq!(wrong, ["LICENSE", "README.md"]);
}

#[test]
fn removing_a_revision_keeps_what_others_use_and_touches_nothing_outside() {
    let room = Room::new(typical());
    let hub = room.hub();
    let first = hub.pull(&name(MODEL), &hub::Silent).unwrap();
    let repo = room.fake.world().remove(MODEL).unwrap();
    room.fake.world().add(repo.commit().small("README.md", "# Another"));
    let outdated = hub.outdated().unwrap();
    assert!(outdated.len() == 1 && outdated[0].is_outdated());
    assert_eq!(outdated[0].held, first.commit);
    let second = hub.pull(&name(MODEL), &hub::Silent).unwrap();
    assert_ne!(first.commit, second.commit);
    assert_eq!(second.fetched, 9, "only the card changed");
    assert!(!hub.outdated().unwrap()[0].is_outdated());

    let outside = room.folder.path().join("outside");
    fs::write(&outside, "precious").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, first.root.join("trap")).unwrap();
    hub.store().remove(&hub.held(&name(MODEL)).unwrap(), Some(&first.commit)).unwrap();
    assert!(!first.root.exists());
    assert_eq!(fs::read_to_string(&outside).unwrap(), "precious");
    assert!(hub.find(&name(MODEL), Trust::Nothing).unwrap().is_some());
    let removed = hub.store().remove(&hub.held(&name(MODEL)).unwrap(), None).unwrap();
    assert_eq!(removed.revisions, [second.commit]);
    assert_eq!(removed.bytes, second.files.iter().map(|file| file.bytes).sum::<u64>());
    assert!(!room.cache().join("models--org--model-GGUF").exists());
}

#[test]
fn what_nobody_leads_to_is_pruned_but_not_what_is_being_fetched() {
    let room = Room::new(typical());
    let hub = room.hub();
    hub.pull(&name(MODEL), &hub::Silent).unwrap();
    let blobs = room.cache().join("models--org--model-GGUF/blobs");
    let digits = "a".repeat(64);
    fs::write(blobs.join(format!("{digits}.freehold.incomplete")), [0; 10]).unwrap();
    fs::write(blobs.join("b".repeat(64)), [0; 7]).unwrap();
    let busy = "c".repeat(64);
    fs::write(blobs.join(format!("{busy}.freehold.incomplete")), [0; 5]).unwrap();
    let lock =
        fs::File::create(room.cache().join(format!(".locks/models--org--model-GGUF/{busy}.lock")))
            .unwrap();
    lock.lock().unwrap();
    let removed = hub.store().prune().unwrap();
    assert_eq!((removed.blobs, removed.bytes), (2, 17));
    assert!(blobs.join(format!("{busy}.freehold.incomplete")).exists());
    assert!(hub.find(&name(MODEL), Trust::Nothing).unwrap().is_some());
    // While a model is pulled, it is neither swept nor removed.
    let pull =
        fs::File::open(room.cache().join(".locks/models--org--model-GGUF/freehold.lock")).unwrap();
    pull.lock_shared().unwrap();
    fs::write(blobs.join("d".repeat(64)), [0; 3]).unwrap();
    assert_eq!(hub.store().prune().unwrap().blobs, 0);
    assert!(matches!(
        hub.store().remove(&hub.held(&name(MODEL)).unwrap(), None),
        Err(Error::Busy { .. })
    ));
}

#[test]
fn models_are_copied_to_folders_and_caches_through_their_hashes() {
    let room = Room::new(typical());
    let hub = room.hub();
    let pulled = hub.pull(&name(MODEL), &hub::Silent).unwrap();
    let model = hub.held(&name(MODEL)).unwrap();
    let folder = room.folder.path().join("plain");
    let bytes =
        hub.store().copy(&model, &model.revisions[0], &CopyTo::Folder(folder.clone())).unwrap();
    assert_eq!(bytes, pulled.bytes());
    assert_eq!(fs::read(folder.join("model-Q4_K_M.gguf")).unwrap(), gguf(320_000));
    assert!(!fs::symlink_metadata(folder.join("LICENSE")).unwrap().is_symlink());
    let other = tempfile::tempdir().unwrap();
    hub.store()
        .copy(&model, &model.revisions[0], &CopyTo::Cache(other.path().join("cache")))
        .unwrap();
    let mut settings = crate::common::settings("http://127.0.0.1:1", other.path());
    settings.access = hub::Access::Offline;
    let elsewhere = hub::Hub::new(settings).unwrap();
    assert!(elsewhere.find(&name(MODEL), Trust::Nothing).unwrap().is_some());
    // Bytes that rotted are not handed on.
    let blob = fs::canonicalize(&pulled.open).unwrap();
    let mut rotten = fs::read(&blob).unwrap();
    rotten[9] ^= 1;
    fs::write(&blob, rotten).unwrap();
    let target = room.folder.path().join("rotten");
    let fault =
        hub.store().copy(&model, &model.revisions[0], &CopyTo::Folder(target.clone())).unwrap_err();
    assert!(matches!(fault, Error::Mismatch { .. }));
    assert!(walk(&target).iter().all(|path| !path.ends_with("model-Q4_K_M.gguf")));
}

#[test]
fn one_file_can_be_fetched_alone() {
    let room = Room::new(typical().large("model-Q2_K.gguf", Content::from(gguf(64))));
    let hub = room.hub();
    let listing = hub.listing(&name(MODEL)).unwrap();
    let path = hub.fetch(&listing, "model-Q2_K.gguf").unwrap();
    assert_eq!(fs::read(path).unwrap(), gguf(64));
    assert!(hub.fetch(&listing, "../x").is_err());
}
