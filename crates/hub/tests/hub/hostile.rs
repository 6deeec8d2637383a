//! Hostile hubs: cases H1 to H10, S5, S12 to S15, I4 and I11 of the threat model, each by name.
//!
//! The contract of each: a typed error, nothing outside the store, nothing partial visible, and no token
//! to another host. (H1, H2, H4, H5, H8, S12, S15 and I11 also have unit tests beside the code they are about.)

use std::{fs, time::Instant};

use hub::{Error, HubSettings, ModelName, Token};
use serde_json::json;
use testkit::fake_hub::{Artifact, Content, FakeHub, Gate, Quirk, Repo};

use crate::common::{Room, gguf, name, safetensors, typical};

const MODEL: &str = "org/model-GGUF";

/// Pulls from a hub with this quirk and gives the error; nothing may be visible afterwards.
fn refused(quirk: Quirk) -> Error {
    refused_of(&Room::new(typical()), quirk)
}

fn refused_of(room: &Room, quirk: Quirk) -> Error {
    room.fake.quirk(quirk);
    let fault = room.hub().pull(&name(MODEL), &hub::Silent).unwrap_err();
    room.assert_nothing_visible();
    fault
}

fn entry(path: &str) -> Quirk {
    Quirk::TreeEntry(json!({ "type": "file", "path": path, "size": 1, "oid": "0".repeat(40) }))
}

#[test]
fn h1_paths_that_lead_out_of_the_store_refuse_the_whole_pull() {
    let long = "x".repeat(4096);
    for path in [
        "../../../../x",
        "/abs",
        &long,
        "a\0b",
        "C:\\x",
        "a\\..\\b",
        "x/../../y",
        "CON",
        "a\u{202e}b",
        "",
    ] {
        let fault = refused(entry(path));
        assert!(matches!(fault, Error::Path { .. }) && fault.is_refusal(), "{path}: {fault}");
    }
    // The same name twice where letters have no case.
    assert!(matches!(refused(entry("readme.MD")), Error::Path { .. }));
    assert!(matches!(refused(entry("README.md")), Error::Path { .. }));
}

#[test]
fn h2_hashes_and_commits_are_hexadecimal_or_nothing() {
    for tag in ["\"../../../../x\"", "\"..%2f..\"", "main", "\"\""] {
        let fault = refused(Quirk::Etag(tag.into()));
        assert!(matches!(fault, Error::Disagrees { .. }) && fault.is_refusal(), "{tag}: {fault}");
    }
    for commit in ["../..", "main", &"A".repeat(40), &"b".repeat(40)] {
        let fault = refused(Quirk::RepoCommit((*commit).to_owned()));
        assert!(matches!(fault, Error::Disagrees { .. }), "{commit}: {fault}");
    }
    for sha in ["../../x", "main", "", &"a".repeat(64)] {
        assert!(matches!(refused(Quirk::Sha((*sha).to_owned())), Error::Answer { .. }), "{sha}");
    }
    for oid in ["../../x", "", "xyz", &"A".repeat(40)] {
        let quirk =
            Quirk::TreeEntry(json!({ "type": "file", "path": "x.json", "size": 1, "oid": oid }));
        assert!(matches!(refused(quirk), Error::Answer { .. }), "{oid}");
    }
}

#[test]
fn h3_bytes_that_are_not_the_announced_ones_are_never_seen() {
    let path = "model-Q4_K_M.gguf".to_owned();
    let flipped = refused(Quirk::Flip { path: path.clone(), at: 777 });
    assert!(matches!(flipped, Error::Mismatch { .. }) && flipped.is_refusal(), "{flipped}");
    let flipped = refused(Quirk::Flip { path: "README.md".into(), at: 3 });
    assert!(matches!(flipped, Error::Mismatch { .. }), "{flipped}");
    for bytes in [vec![], vec![1; 10], [gguf(320_000), vec![0]].concat()] {
        let fault = refused(Quirk::Swap { path: path.clone(), bytes });
        assert!(matches!(fault, Error::Disagrees { .. }), "{fault}");
    }
    // A length that is not the truth, in both directions, and none at all with more than was asked.
    let room = Room::new(typical());
    room.fake.quirk(Quirk::Length { path: path.clone(), stated: Some(10) });
    assert!(room.hub().pull(&name(MODEL), &hub::Silent).is_err());
    room.assert_nothing_visible();
    let room = Room::new(typical());
    room.fake.quirk(Quirk::Length { path: path.clone(), stated: None });
    room.fake
        .quirk(Quirk::Swap { path: path.clone(), bytes: [gguf(320_000), vec![0; 100]].concat() });
    assert!(room.hub().pull(&name(MODEL), &hub::Silent).is_err());
    room.assert_nothing_visible();
    let fault = refused(Quirk::Html { path });
    assert!(matches!(fault, Error::Disagrees { .. } | Error::Mismatch { .. }), "{fault}");
    assert!(matches!(refused(Quirk::LinkedSize("1".into())), Error::Disagrees { .. }));
}

#[test]
fn h3_a_pointer_in_the_place_of_the_weights_is_told_apart() {
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 5\n",
        "a".repeat(64)
    );
    let room = Room::new(Repo::new(MODEL).small("model-Q8_0.gguf", pointer));
    let fault = room.hub().pull(&name(MODEL), &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::Pointer { .. }), "{fault}");
    room.assert_nothing_visible();
}

#[test]
fn h4_redirects_stay_within_the_rules_and_without_the_token() {
    let path = "model-Q4_K_M.gguf".to_owned();
    for to in [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x",
        "http://[fe80::1]/x",
        "http://0.0.0.0/x",
        "http://[::ffff:169.254.169.254]/x",
    ] {
        let fault = refused(Quirk::Redirect { path: path.clone(), to: to.into() });
        assert!(matches!(fault, Error::Address { .. }) && fault.is_refusal(), "{to}: {fault}");
    }
    for to in ["file:///etc/passwd", "ftp://x/y", "http://user:pass@127.0.0.1/x"] {
        let fault = refused(Quirk::Redirect { path: path.clone(), to: to.into() });
        assert!(matches!(fault, Error::Answer { .. }), "{to}: {fault}");
    }
    let room = Room::new(typical());
    let looped = format!("{}/{MODEL}/resolve/main/{path}", room.fake.endpoint());
    let fault = refused_of(&room, Quirk::Redirect { path: path.clone(), to: looped });
    assert!(matches!(fault, Error::Redirect { .. }), "{fault}");
    assert!(room.fake.log().iter().filter(|seen| seen.target.ends_with(&path)).count() <= 6);

    // Another host gets the request, and not the token.
    let other = FakeHub::start();
    other.world().plain.insert("x".into(), Content::from(gguf(320_000)));
    let room = Room::new(typical().gated(Gate::Gated));
    room.fake.world().token = Some("hf_secret".into());
    room.fake.quirk(Quirk::Redirect { path, to: format!("{}/plain/x", other.endpoint()) });
    let hub = room.hub_with(|settings| settings.token = Some(Token::new("hf_secret").unwrap()));
    hub.pull(&name(MODEL), &hub::Silent).unwrap();
    assert!(!other.log().is_empty() && other.log().iter().all(|seen| seen.authorization.is_none()));
    let log = room.fake.log();
    assert!(
        log.iter().filter(|seen| seen.server == "cdn").all(|seen| seen.authorization.is_none())
    );
    assert!(
        log.iter().filter(|seen| seen.server == "hub").all(|seen| seen.authorization.is_some())
    );
}

#[test]
fn h4_a_token_does_not_travel_readable_by_all() {
    let mut settings = HubSettings::new("/nonexistent/cache", "/nonexistent/home");
    settings.endpoint = "http://hub.invalid".into();
    settings.token = Some(Token::new("hf_secret").unwrap());
    let fault = hub::Hub::new(settings).unwrap().listing(&name(MODEL)).unwrap_err();
    assert!(matches!(fault, Error::Insecure { .. }), "{fault}");
}

#[test]
fn h5_the_token_is_in_nothing_that_is_shown() {
    let token = "hf_SuperSecret123";
    let mut shown = Vec::new();
    let room = Room::new(typical().gated(Gate::Private));
    room.fake.quirk(Quirk::EchoToken);
    let mut ask = |room: &Room| {
        let hub = room.hub_with(|settings| settings.token = Some(Token::new(token).unwrap()));
        shown.push(format!("{hub:?} {:#?} {:?}", hub.settings(), hub.name(MODEL)));
        let heard = crate::common::Heard::default();
        let fault = hub.pull(&name(MODEL), &heard).unwrap_err();
        let mut source: Option<&dyn std::error::Error> = Some(&fault);
        while let Some(error) = source {
            shown.push(format!("{error} {error:?}"));
            source = error.source();
        }
        shown.push(format!("{:?} {:?}", fault.hint(), heard.0.lock().unwrap()));
    };
    ask(&room);
    room.fake.world().repo(MODEL).unwrap();
    for status in [401, 403, 404, 418, 429, 500] {
        let room = Room::new(typical());
        room.fake.quirk(Quirk::EchoToken);
        room.fake.quirk(Quirk::Fail { target: "/".into(), status, times: 1000, retry_after: None });
        ask(&room);
    }
    assert!(shown.len() > 10);
    for text in &shown {
        assert!(!text.contains("SuperSecret"), "{text}");
        assert!(!text.contains("Signature"), "{text}");
    }
    for path in crate::common::walk(room.folder.path()) {
        assert!(!String::from_utf8_lossy(&fs::read(path).unwrap()).contains("SuperSecret"));
    }
}

#[test]
fn h7_a_model_registered_anew_by_someone_else_does_not_pass_its_lock() {
    let room = Room::new(typical());
    let hub = room.hub();
    let pulled = hub.pull(&name(MODEL), &hub::Silent).unwrap();
    let locked = hub.lock(&pulled).unwrap();
    // Someone else has the name now: other commits, other bytes.
    room.fake.world().add(typical().large("model-Q4_K_M.gguf", Content::from(gguf(64))));
    let elsewhere = tempfile::tempdir().unwrap();
    let fresh =
        hub::Hub::new(crate::common::settings(&room.fake.endpoint(), elsewhere.path())).unwrap();
    let fault = fresh.pull_locked(&locked, &hub::Silent).unwrap_err();
    assert!(
        matches!(
            fault,
            Error::NoSuchRevision { .. } | Error::NotFound { .. } | Error::Locked { .. }
        ),
        "{fault}"
    );
    assert!(!elsewhere.path().join("cache").exists());
    // Whoever has the bytes keeps them.
    assert_eq!(hub.pull_locked(&locked, &hub::Silent).unwrap().commit, pulled.commit);
    // The same commit with other bytes: a server that rewrites history.
    let mut forged = locked.clone();
    forged.files.iter_mut().for_each(|file| file.sha256 = "0".repeat(64));
    assert!(matches!(hub.pull_locked(&forged, &hub::Silent), Err(Error::Locked { .. })));
}

#[test]
fn h8_no_room_is_said_before_anything_is_fetched() {
    let room = Room::new(typical());
    let hub = room.hub().with_space(|_| Some(65 << 20));
    let fault = hub.pull(&name(MODEL), &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::Space { .. }) && fault.is_refusal(), "{fault}");
    assert_eq!(room.fake.sent(), 0);
    room.assert_nothing_visible();
    assert!(room.hub().with_space(|_| Some(66 << 20)).pull(&name(MODEL), &hub::Silent).is_ok());
}

#[cfg(unix)]
#[test]
fn h8_a_store_that_cannot_be_written_is_an_error_and_one_that_leads_elsewhere_is_refused() {
    let room = Room::new(typical());
    // A file where the model's folder belongs.
    fs::create_dir_all(room.cache()).unwrap();
    fs::write(room.cache().join("models--org--model-GGUF"), b"x").unwrap();
    assert!(matches!(room.hub().pull(&name(MODEL), &hub::Silent), Err(Error::Store { .. })));
    // A link to another place where its blobs belong.
    let room = Room::new(typical());
    let outside = tempfile::tempdir().unwrap();
    let repo = room.cache().join("models--org--model-GGUF");
    fs::create_dir_all(&repo).unwrap();
    std::os::unix::fs::symlink(outside.path(), repo.join("blobs")).unwrap();
    assert!(matches!(room.hub().pull(&name(MODEL), &hub::Silent), Err(Error::Store { .. })));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn h10_bombs_floods_and_giants_are_refused_before_they_hurt() {
    for encoding in ["gzip", "br", "zstd"] {
        let fault = refused(Quirk::Encoding(encoding.into()));
        assert!(matches!(fault, Error::Encoded { .. }), "{fault}");
    }
    let began = Instant::now();
    assert!(matches!(refused(Quirk::TreeFlood(100_000)), Error::OverLimit { .. }));
    assert!(matches!(refused(Quirk::EndlessPages), Error::OverLimit { .. } | Error::Path { .. }));
    assert!(matches!(
        refused(Quirk::BigHeader(100_000)),
        Error::OverLimit { .. } | Error::Network { .. }
    ));
    let giant = |bytes: u64| {
        let lfs = json!({ "oid": "1".repeat(64), "size": bytes, "pointerSize": 1 });
        Quirk::TreeEntry(
            json!({ "type": "file", "path": "x-Q2_K.gguf", "size": bytes, "oid": "0".repeat(40), "lfs": lfs }),
        )
    };
    assert!(matches!(refused(giant(u64::MAX)), Error::OverLimit { .. }));
    // A terabyte may be stated, but has no room here.
    let room = Room::new(Repo::new(MODEL).small("config.json", "{}"));
    room.fake.quirk(giant(1 << 40));
    let fault =
        room.hub().with_space(|_| Some(100 << 30)).pull(&name(MODEL), &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::Space { .. }), "{fault}");
    room.assert_nothing_visible();
    assert!(began.elapsed().as_secs() < 30);
}

#[test]
fn s5_an_index_names_only_files_that_are_there_and_inside() {
    for shard in [
        "../../etc/passwd",
        "/abs.safetensors",
        "C:\\x",
        "a\\..\\b",
        "https://evil.org/x",
        "missing.safetensors",
    ] {
        let index = json!({ "metadata": { "total_size": 1 }, "weight_map": { "a": "model-00001-of-00001.safetensors", "b": shard } });
        let repo = Repo::new(MODEL)
            .small("model.safetensors.index.json", index.to_string())
            .large("model-00001-of-00001.safetensors", Content::from(safetensors("a", 10)));
        let room = Room::new(repo);
        let fault = room.hub().pull(&name(MODEL), &hub::Silent).unwrap_err();
        assert!(
            matches!(fault, Error::Path { .. } | Error::MissingFile { .. }),
            "{shard}: {fault}"
        );
        room.assert_nothing_visible();
    }
    let room =
        Room::new(Repo::new(MODEL).large("m-Q8_0-00001-of-00002.gguf", Content::large(10, 1)));
    let fault = room.hub().pull(&name(MODEL), &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::MissingFile { .. }), "{fault}");
}

/// An OCI artifact with one layer.
fn artifact(room: &Room, media_type: &str, path: Option<&str>, content: Content) -> ModelName {
    room.fake
        .world()
        .artifacts
        .insert(("org/m".into(), "1".into()), Artifact::new().layer(media_type, path, content));
    name(&format!("oci://{}/org/m:1", room.fake.host()))
}

#[test]
fn s12_archives_in_artifacts_bring_plain_files_or_nothing() {
    let room = Room::new(typical());
    let mut tar = vec![0_u8; 512];
    tar[..5].copy_from_slice(b"../xx");
    tar[124..135].copy_from_slice(b"00000000000");
    tar[156] = b'0';
    tar[148..156].fill(b' ');
    let sum: u32 = tar.iter().map(|&byte| u32::from(byte)).sum();
    tar[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
    tar[154] = 0;
    tar.extend([0; 1024]);
    let name =
        artifact(&room, "application/vnd.cncf.model.weight.v1.tar", None, Content::from(tar));
    let fault = room.hub().pull(&name, &hub::Silent).unwrap_err();
    assert!(matches!(fault, Error::Path { .. }), "{fault}");
    room.assert_nothing_visible();
    let name = artifact(
        &room,
        "application/vnd.cncf.model.weight.v1.raw",
        Some("../../x.gguf"),
        Content::large(10, 1),
    );
    assert!(matches!(room.hub().pull(&name, &hub::Silent), Err(Error::Path { .. })));
    room.assert_nothing_visible();
}

#[test]
fn s13_compressed_layers_are_not_unpacked_at_all() {
    let room = Room::new(typical());
    for kind in [
        "application/vnd.cncf.model.weight.v1.tar+zstd",
        "application/vnd.cncf.model.weight.v1.tar+gzip",
    ] {
        let name = artifact(&room, kind, None, Content::large(100, 1));
        let fault = room.hub().pull(&name, &hub::Silent).unwrap_err();
        assert!(matches!(fault, Error::Unsupported { .. }), "{fault}");
        assert_eq!(room.fake.sent(), 0, "not even fetched");
        room.assert_nothing_visible();
    }
}

#[test]
fn s14_front_matter_bombs_come_as_bytes_and_are_read_under_a_budget() {
    let laughs = "---\na: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n---\n";
    let deep = format!("---\na: {}\n---\n", "[".repeat(60_000));
    let twice = "---\nlicense: mit\nlicense: cc-by-nc-4.0\n---\n";
    let object = "---\na: !!python/object:os.system [x]\nlicense: mit\n---\n";
    for card in [laughs, &deep, twice, object] {
        let room = Room::new(typical().small("README.md", card));
        let hub = room.hub();
        let listing = hub.listing(&name(MODEL)).unwrap();
        let began = Instant::now();
        let bytes = hub.read(&listing, "README.md", 1 << 20).unwrap();
        let read = weights::front_matter(&bytes, &weights::Limits::DEFAULT);
        assert!(began.elapsed().as_secs() < 2);
        let is_tagged_object = card == object;
        assert!(read.is_err() || is_tagged_object, "{}", &card[..40]);
        // The model itself is none the worse for it.
        assert!(hub.pull(&name(MODEL), &hub::Silent).is_ok());
    }
}

#[test]
fn s15_what_servers_write_is_shown_without_its_tricks() {
    let room = Room::new(typical());
    let nasty = "x\u{1b}]8;;http://evil\u{7}\u{202e}";
    room.fake.quirk(Quirk::TreeEntry(
        json!({ "type": "file", "path": nasty, "size": 1, "oid": "0".repeat(40) }),
    ));
    room.fake.quirk(Quirk::Sha(nasty.into()));
    let first = room.hub().pull(&name(MODEL), &hub::Silent).unwrap_err().to_string();
    room.fake.world().quirks.pop();
    let second = room.hub().pull(&name(MODEL), &hub::Silent).unwrap_err().to_string();
    for text in [first, second] {
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text:?}");
    }
    // Homoglyphs are no names at all.
    assert!(ModelName::parse("Qwеn/Qwen3").is_err());
}

#[test]
fn i4_the_text_and_the_claim_both_come_so_that_they_can_be_compared() {
    let text = "Creative Commons Attribution-NonCommercial 4.0 International";
    let card = "---\nlicense: mit\n---\n";
    let mut repo = typical().small("README.md", card).small("LICENSE", text);
    repo.card = json!({ "license": "mit" });
    let room = Room::new(repo);
    let hub = room.hub();
    let listing = hub.listing(&name(MODEL)).unwrap();
    assert_eq!(listing.about.card["license"], "mit", "the claim");
    assert_eq!(
        hub.read(&listing, "LICENSE", 65_536).unwrap(),
        text.as_bytes(),
        "the text, verified, before any weights"
    );
    let pulled = hub.pull(&name(MODEL), &hub::Silent).unwrap();
    assert_eq!(fs::read_to_string(pulled.file("LICENSE").unwrap()).unwrap(), text);
    let locked = hub.lock(&pulled).unwrap();
    let licence = locked.files.iter().find(|file| file.path == "LICENSE").unwrap();
    assert_eq!(
        licence.sha256,
        Content::from(text.as_bytes().to_vec()).sha256(),
        "pinned, so that a change shows"
    );
}

#[test]
fn i11_files_of_ours_that_cannot_be_understood_stop_everything() {
    let room = Room::new(typical());
    fs::create_dir_all(room.folder.path().join("home")).unwrap();
    fs::write(room.folder.path().join("home/aliases.toml"), "[alias\n").unwrap();
    let fault = room.hub().name("x/y").unwrap_err();
    assert!(
        matches!(&fault, Error::File { why, .. } if why.contains("line 1")) && fault.is_refusal(),
        "{fault}"
    );
    let lock = room.folder.path().join("freehold.lock");
    fs::write(&lock, "version = 1\nsurprise = true\n").unwrap();
    let fault = hub::LockFile::read(&lock).unwrap_err();
    assert!(matches!(&fault, Error::File { why, .. } if why.contains("line 2")), "{fault}");
}
