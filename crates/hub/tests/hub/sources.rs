//! The other sources: plain addresses, this computer, Ollama, registries.

use std::{fs, path::Path};

use hub::{Error, Place, Trust};
use testkit::fake_hub::{Artifact, Content, Quirk, Repo};

use crate::common::{Room, gguf, name, safetensors, typical};

#[test]
fn a_plain_address_needs_its_hash_and_is_held_to_it() {
    let room = Room::new(typical());
    let content = Content::from(gguf(320));
    room.fake.world().plain.insert("m-Q8_0.gguf".into(), content.clone());
    let url = format!("{}/plain/m-Q8_0.gguf", room.fake.endpoint());
    let hub = room.hub();
    let fault = hub.pull(&name(&url), &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::NoHash { .. }) && fault.is_refusal() && fault.hint().is_some());
    let wrong = name(&format!("{url}#sha256={}", "0".repeat(64)));
    assert!(matches!(hub.pull(&wrong, &hub::Silent), Err(Error::Mismatch { .. })));
    room.assert_nothing_visible();
    let right = name(&format!("{url}#sha256={}", content.sha256()));
    let pulled = hub.pull(&right, &hub::Silent).unwrap();
    assert_eq!(fs::read(&pulled.open).unwrap(), gguf(320));
    assert_eq!(pulled.commit, content.sha256()[..40]);
    // Found again without asking anybody, and pinned like every other.
    let offline = room.hub_with(|settings| settings.access = hub::Access::Offline);
    assert!(offline.find(&right, Trust::Remembered).unwrap().is_some());
    let locked = hub.lock(&pulled).unwrap();
    assert_eq!(offline.pull_locked(&locked, &hub::Silent).unwrap().open, pulled.open);
    // A server without ranges says its length too.
    room.fake.quirk(Quirk::IgnoreRange);
    assert_eq!(hub.listing(&right).unwrap().files[0].bytes, gguf(320).len() as u64);
}

#[test]
fn files_and_folders_of_this_computer_are_used_where_they_lie() {
    let room = Room::new(typical());
    let folder = room.folder.path().join("mine");
    fs::create_dir_all(folder.join(".git")).unwrap();
    fs::write(folder.join(".git/config"), "x").unwrap();
    fs::write(folder.join("config.json"), "{}").unwrap();
    fs::write(folder.join("model.safetensors"), safetensors("a", 10)).unwrap();
    fs::write(folder.join("m-Q8_0-00001-of-00002.gguf"), gguf(320)).unwrap();
    let hub = room.hub_with(|settings| settings.access = hub::Access::Offline);
    let place = |path: &Path| hub::ModelName {
        place: Place::Local { path: path.to_path_buf() },
        quant: None,
        revision: None,
    };
    let pulled = hub.pull(&place(&folder), &hub::Silent).unwrap();
    assert_eq!(pulled.open, folder);
    assert_eq!(pulled.files.len(), 2);
    assert!(!room.cache().exists(), "nothing is copied");
    let locked = hub.lock(&pulled).unwrap();
    assert!(hub.pull_locked(&locked, &hub::Silent).is_ok());
    // Another file of the same length: its time says so, and its hash is taken anew.
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(folder.join("model.safetensors"), safetensors("b", 10)).unwrap();
    assert!(matches!(hub.pull_locked(&locked, &hub::Silent), Err(Error::Locked { .. })));
    // One shard stands for all, and all have to be there.
    let fault =
        hub.pull(&place(&folder.join("m-Q8_0-00001-of-00002.gguf")), &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::MissingFile { .. }), "{fault}");
    fs::write(folder.join("m-Q8_0-00002-of-00002.gguf"), gguf(320)).unwrap();
    let both = hub.pull(&place(&folder.join("m-Q8_0-00001-of-00002.gguf")), &hub::Silent).unwrap();
    assert_eq!((both.files.len(), both.quant.as_deref()), (2, Some("Q8_0")));
    assert!(matches!(hub.pull(&place(&folder.join("none")), &hub::Silent), Err(Error::Io { .. })));
}

/// An Ollama store with one model; the layers by their kind.
fn ollama(root: &Path, layers: &[(&str, &[u8])]) {
    let mut lines = Vec::new();
    fs::create_dir_all(root.join("blobs")).unwrap();
    for (kind, bytes) in layers {
        let digest = Content::from(bytes.to_vec()).sha256();
        fs::write(root.join("blobs").join(format!("sha256-{digest}")), bytes).unwrap();
        lines.push(format!(r#"{{"mediaType":"application/vnd.ollama.image.{kind}","digest":"sha256:{digest}","size":{}}}"#, bytes.len()));
    }
    let manifest = format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, lines.join(","));
    let folder = root.join("manifests/registry.ollama.ai/library/qwen3");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("4b"), manifest).unwrap();
}

#[test]
fn a_model_of_ollama_comes_in_and_nothing_of_ollama_changes() {
    let room = Room::new(typical());
    let root = room.folder.path().join("ollama");
    ollama(
        &root,
        &[
            ("model", &gguf(320)),
            ("license", b"Apache"),
            ("license", b"Notice"),
            ("params", b"{}"),
            ("template", b"{{ .Prompt }}"),
        ],
    );
    let before: Vec<_> = crate::common::walk(&root)
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    let hub = room.hub_with(|settings| {
        settings.ollama = Some(root.clone());
        settings.access = hub::Access::Offline;
    });
    let pulled = hub.pull(&name("ollama:qwen3:4b"), &hub::Silent).unwrap();
    let paths: Vec<&str> = pulled.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        ["LICENSE", "LICENSE.2", "ollama-params.json", "ollama-template.txt", "qwen3-4b.gguf"]
    );
    assert!(weights::Checkpoint::open(&pulled.open).is_ok());
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(
            fs::metadata(&pulled.open).unwrap().nlink(),
            2,
            "the same bytes under a second name"
        );
    }
    // Removing it here leaves it there.
    let held = hub.held(&name("ollama:qwen3:4b")).unwrap();
    hub.store().remove(&held, None).unwrap();
    let after: Vec<_> = crate::common::walk(&root)
        .into_iter()
        .map(|path| (fs::read(&path).unwrap(), path))
        .collect();
    assert_eq!(before, after);
    assert!(matches!(
        hub.pull(&name("ollama:qwen3:9b"), &hub::Silent),
        Err(Error::NotFound { .. })
    ));
}

#[test]
fn h2_an_ollama_store_that_lies_is_refused() {
    let room = Room::new(typical());
    let root = room.folder.path().join("ollama");
    let hub = room.hub_with(|settings| settings.ollama = Some(root.clone()));
    let digest = Content::from(gguf(320)).sha256();
    let write = |text: String| {
        ollama(&root, &[("model", &gguf(320))]);
        fs::write(root.join("manifests/registry.ollama.ai/library/qwen3/4b"), text).unwrap();
    };
    let layer = |digest: &str, size: u64| {
        format!(
            r#"{{"schemaVersion":2,"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"{digest}","size":{size}}}]}}"#
        )
    };
    let size = gguf(320).len() as u64;
    for text in [
        layer("sha256:../../../../etc/passwd", 1),
        layer("../../x", 1),
        layer(&format!("sha256:{}", "0".repeat(64)), size),
        layer(&format!("sha256:{digest}"), size + 1),
        layer(&format!("sha256:{digest}"), u64::MAX),
        format!(
            r#"{{"schemaVersion":2,"layers":[{}]}}"#,
            vec![r#"{"mediaType":"x","digest":"y","size":1}"#; 2000].join(",")
        ),
        r#"{"schemaVersion":1}"#.to_owned(),
        "[".repeat(100_000),
        String::new(),
    ] {
        write(text.clone());
        assert!(
            hub.pull(&name("ollama:qwen3:4b"), &hub::Silent).is_err(),
            "{}",
            &text[..text.len().min(80)]
        );
    }
    // The right name over other bytes.
    write(layer(&format!("sha256:{digest}"), size));
    let mut bytes = gguf(320);
    bytes[500] ^= 1;
    fs::write(root.join("blobs").join(format!("sha256-{digest}")), bytes).unwrap();
    let fault = hub.pull(&name("ollama:qwen3:4b"), &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::Mismatch { .. }), "{fault}");
    assert!(
        !room.cache().join("models--ollama--registry.ollama.ai--library--qwen3/snapshots").exists()
    );
}

#[test]
fn model_artifacts_of_registries_are_pulled_by_digest() {
    let room = Room::new(typical());
    let pack = Artifact::new()
        .layer(
            "application/vnd.cncf.model.weight.v1.raw",
            Some("m-Q8_0.gguf"),
            Content::from(gguf(320)),
        )
        .layer(
            "application/vnd.cncf.model.doc.v1.raw",
            Some("README.md"),
            Content::from(b"# x".to_vec()),
        )
        .locked("short-lived");
    let docker = Artifact::new()
        .layer("application/vnd.docker.ai.gguf.v3", None, Content::from(gguf(640)))
        .layer("application/vnd.docker.ai.license", None, Content::from(b"MIT".to_vec()));
    room.fake.world().artifacts.insert(("org/pack".into(), "1.0".into()), pack);
    room.fake.world().artifacts.insert(("ai/docker".into(), "latest".into()), docker);
    let hub = room.hub();
    let at = |rest: &str| name(&format!("oci://{}/{rest}", room.fake.host()));
    let listing = hub.listing(&at("org/pack:1.0")).unwrap();
    assert_eq!(listing.about.licences, ["Apache-2.0"]);
    let pulled = hub.pull(&at("org/pack:1.0"), &hub::Silent).unwrap();
    assert!(weights::Checkpoint::open(&pulled.open).is_ok());
    assert_eq!(pulled.files.len(), 2);
    let docker = hub.pull(&at("ai/docker"), &hub::Silent).unwrap();
    assert_eq!(docker.open.file_name().unwrap(), "model.gguf");
    assert_eq!(hub.store().list().unwrap().len(), 2);
    // Offline it is found by its tag.
    let offline = room.hub_with(|settings| settings.access = hub::Access::Offline);
    assert_eq!(offline.pull(&at("org/pack:1.0"), &hub::Silent).unwrap().open, pulled.open);
    // The registry's token went to the registry alone.
    assert!(
        room.fake
            .log()
            .iter()
            .all(|seen| seen.authorization.is_none() || seen.target.starts_with("/v2/org/pack"))
    );
}

#[test]
fn h13_registries_that_lie_are_refused() {
    let room = Room::new(typical());
    let good =
        Artifact::new().layer("application/vnd.docker.ai.gguf.v3", None, Content::from(gguf(320)));
    let manifest = good.manifest.clone();
    room.fake.world().artifacts.insert(("org/m".into(), "1".into()), good);
    let hub = room.hub();
    let at = name(&format!("oci://{}/org/m:1", room.fake.host()));
    room.fake.quirk(Quirk::ManifestIs(b"{\"schemaVersion\":2,\"layers\":[]}".to_vec()));
    assert!(
        matches!(hub.pull(&at, &hub::Silent), Err(Error::Mismatch { .. })),
        "not the digest the registry states"
    );
    room.fake.behave();
    let change = |edit: &dyn Fn(&mut serde_json::Value)| {
        let mut artifact = Artifact::new().layer(
            "application/vnd.docker.ai.gguf.v3",
            None,
            Content::from(gguf(320)),
        );
        artifact.manifest = manifest.clone();
        edit(&mut artifact.manifest);
        room.fake.world().artifacts.insert(("org/m".into(), "1".into()), artifact);
        hub.pull(&at, &hub::Silent)
    };
    let evil = testkit::fake_hub::FakeHub::start();
    let urls = serde_json::json!([format!("{}/x", evil.endpoint())]);
    assert!(
        change(&|m| m["layers"][0]["urls"] = urls.clone()).is_ok(),
        "foreign addresses are not read"
    );
    assert_eq!(evil.connections(), 0);
    assert!(matches!(
        change(&|m| m["layers"][0]["digest"] = "sha256:../x".into()),
        Err(Error::Answer { .. })
    ));
    assert!(matches!(
        change(&|m| m["layers"][0]["size"] = u64::MAX.into()),
        Err(Error::OverLimit { .. })
    ));
    assert!(
        change(&|m| m["layers"][0]["digest"] = format!("sha256:{}", "1".repeat(64)).into())
            .is_err()
    );
    let many = vec![manifest["layers"][0].clone(); 10_000];
    assert!(matches!(change(&|m| m["layers"] = many.clone().into()), Err(Error::OverLimit { .. })));
    assert!(matches!(change(&|m| m["schemaVersion"] = 1.into()), Err(Error::Answer { .. })));
    assert!(change(&|m| m["layers"] = serde_json::json!([])).is_err());
}

#[test]
fn policies_can_match_where_a_model_comes_from() {
    assert_eq!(name("org/m:Q8_0@v1").source(), "hf:org/m");
    let room = Room::new(Repo::new("org/m"));
    assert!(matches!(room.hub().pull(&name("org/m"), &hub::Silent), Err(Error::NoWeights { .. })));
}
