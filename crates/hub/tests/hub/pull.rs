//! What a pull brings, and only that.

use std::fs;

use hub::{Error, Event, Outcome, SearchQuery, Trust, weight_sets};
use testkit::fake_hub::{Content, Quirk, Repo};

use crate::common::{CARD, Heard, Room, gguf, name, safetensors, typical, walk};

#[test]
fn a_pull_brings_one_quantization_with_its_company_into_a_hugging_face_cache() {
    let room = Room::new(typical());
    let hub = room.hub();
    let heard = Heard::default();
    let pulled = hub.pull(&name("org/model-GGUF"), &heard).unwrap();
    let paths: Vec<&str> = pulled.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["LICENSE", "README.md", "model-Q4_K_M.gguf"]);
    assert_eq!(pulled.quant.as_deref(), Some("Q4_K_M"));
    assert_eq!(pulled.commit, room.fake.world().repo("org/model-GGUF").unwrap().head());
    assert_eq!(pulled.fetched, pulled.bytes());
    assert!(pulled.files.iter().all(|file| file.outcome == Outcome::Fetched));

    // The layout, to the letter.
    let repo = room.cache().join("models--org--model-GGUF");
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), pulled.commit);
    let link =
        fs::read_link(repo.join("snapshots").join(&pulled.commit).join("README.md")).unwrap();
    assert_eq!(
        link.to_str().unwrap(),
        format!("../../blobs/{}", Content::from(CARD.as_bytes().to_vec()).git())
    );
    assert_eq!(fs::read_to_string(pulled.file("README.md").unwrap()).unwrap(), CARD);
    assert_eq!(fs::read(&pulled.open).unwrap(), gguf(320_000));
    assert!(weights::Checkpoint::open(&pulled.open).is_ok());
    let blobs = fs::read_dir(repo.join("blobs")).unwrap().count();
    assert_eq!(blobs, 3, "nothing temporary is left");

    assert_eq!(heard.count(|event| matches!(event, Event::Finished { .. })), 3);
    assert!(
        heard.count(
            |event| matches!(event, Event::Advanced(progress) if progress.done == progress.total)
        ) > 0
    );

    // Once more: nothing is asked but what the branch stands at.
    room.fake.forget();
    let again = hub.pull(&name("org/model-GGUF"), &heard).unwrap();
    assert_eq!((again.fetched, room.fake.sent()), (0, 0));
    assert!(again.files.iter().all(|file| file.outcome == Outcome::Present));
    assert!(room.fake.log().iter().all(|seen| seen.target.starts_with("/api/")));
}

#[test]
fn every_file_is_asked_for_by_commit_and_large_ones_come_in_ranges() {
    let room = Room::new(crate::common::large(40 << 20));
    let pulled = room.hub().pull(&name("org/large:Q8_0"), &hub::Silent).unwrap();
    let log = room.fake.log();
    let resolved: Vec<_> = log.iter().filter(|seen| seen.target.contains("/resolve/")).collect();
    assert!(resolved.iter().all(|seen| seen.target.contains(&pulled.commit)));
    let ranges: Vec<_> = log
        .iter()
        .filter(|seen| seen.server == "cdn")
        .map(|seen| seen.range.clone().unwrap())
        .collect();
    assert_eq!(ranges.len(), 5, "40 MiB in segments of 8: {ranges:?}");
    let of_large = resolved.iter().filter(|seen| seen.target.contains("large-Q8_0")).count();
    assert!(of_large < 5, "redirects are remembered: {of_large} of 5");
    assert_eq!(room.fake.sent(), pulled.bytes(), "no byte twice");
}

#[test]
fn sharded_safetensors_come_by_their_index() {
    let index = r#"{"metadata":{},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}"#;
    let repo = Repo::new("org/sharded")
        .small("config.json", "{}")
        .small("model.safetensors.index.json", index)
        .large("model-00001-of-00002.safetensors", Content::from(safetensors("a", 1000)))
        .large("model-00002-of-00002.safetensors", Content::from(safetensors("b", 2000)))
        .large("pytorch_model-00001-of-00001.bin", Content::large(100, 1));
    let room = Room::new(repo);
    let pulled = room.hub().pull(&name("org/sharded"), &hub::Silent).unwrap();
    assert_eq!(pulled.files.len(), 4);
    assert_eq!(pulled.open, pulled.root);
    let checkpoint = weights::Checkpoint::open(&pulled.open).unwrap();
    assert_eq!(checkpoint.tensors().len(), 2);
}

#[test]
fn listings_of_many_pages_and_branches_with_slashes_are_whole() {
    let repo = Repo::new("org/paged")
        .small("a.json", "{}")
        .small("config.json", "{}")
        .large("m-Q8_0.gguf", Content::from(gguf(320)))
        .branch("refs/pr/1");
    let room = Room::new(repo);
    room.fake.quirk(Quirk::PageSize(1));
    let hub = room.hub();
    let listing = hub.listing(&name("org/paged@refs/pr/1")).unwrap();
    assert_eq!(listing.files.len(), 3);
    let pulled = hub.pull(&name("org/paged@refs/pr/1"), &hub::Silent).unwrap();
    assert_eq!(pulled.revision, "refs/pr/1");
    assert!(room.cache().join("models--org--paged/refs/refs/pr/1").is_file());
    assert!(matches!(
        hub.pull(&name("org/paged@v9"), &hub::Silent),
        Err(Error::NoSuchRevision { .. })
    ));
    assert!(matches!(hub.listing(&name("org/nothing")), Err(Error::NotFound { .. })));
}

#[test]
fn what_a_model_has_can_be_asked_before_anything_is_fetched() {
    let room = Room::new(typical());
    let hub = room.hub();
    let listing = hub.listing(&name("org/model-GGUF")).unwrap();
    let quants: Vec<_> = weight_sets(&listing).into_iter().filter_map(|set| set.quant).collect();
    assert_eq!(quants, ["Q4_K_M", "Q8_0"]);
    assert_eq!(listing.about.downloads, Some(1234));
    assert_eq!(hub.read(&listing, "README.md", 65_536).unwrap(), CARD.as_bytes());
    assert!(!room.cache().join("models--org--model-GGUF").exists(), "looking writes nothing");

    let found = hub
        .search(&SearchQuery { words: "model".into(), limit: 5, ..SearchQuery::default() })
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id.as_str(), found[0].parameters), ("org/model-GGUF", Some(596_049_920)));
    assert_eq!(
        (&found[0].licences[..], &found[0].base_models[..]),
        (&["apache-2.0".to_owned()][..], &["org/base".to_owned()][..])
    );
    assert_eq!(found[0].quants, ["Q4_K_M", "Q8_0"]);
}

#[test]
fn the_headers_of_a_remote_model_come_by_ranges_and_open_as_a_checkpoint() {
    let room = Room::new(
        Repo::new("org/m")
            .small("README.md", CARD)
            .large("m-F32.gguf", Content::from(gguf(3_200_000))),
    );
    let hub = room.hub();
    let listing = hub.listing(&name("org/m")).unwrap();
    let selection = hub.select(&listing).unwrap();
    let headers = hub.headers(&listing, &selection).unwrap();
    assert!(headers.fetched < (1 << 20) + 1000, "{}", headers.fetched);
    let checkpoint = weights::Checkpoint::open(&headers.open).unwrap();
    assert_eq!(checkpoint.tensor_bytes(), 12_800_000);
    assert_eq!(checkpoint.metadata().gguf().unwrap().str("general.license").unwrap(), "apache-2.0");
    assert_eq!(fs::metadata(&headers.open).unwrap().len(), gguf(3_200_000).len() as u64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        assert!(
            fs::metadata(&headers.open).unwrap().blocks() * 512 < 1 << 20,
            "the rest is a hole"
        );
    }
    // Again without a request; and once the model is there, the model itself.
    room.fake.forget();
    assert_eq!(hub.headers(&listing, &selection).unwrap().requests, 0);
    assert!(room.fake.log().is_empty());
    hub.pull(&name("org/m"), &hub::Silent).unwrap();
    let headers = hub.headers(&listing, &selection).unwrap();
    assert!(headers.pulled.is_some() && headers.open.starts_with(room.cache()));

    // Safetensors, and a server without ranges.
    room.fake.world().add(
        Repo::new("org/s")
            .small("config.json", "{}")
            .large("model.safetensors", Content::from(safetensors("x", 1_000_000))),
    );
    let listing = hub.listing(&name("org/s")).unwrap();
    let selection = hub.select(&listing).unwrap();
    room.fake.quirk(Quirk::IgnoreRange);
    assert!(matches!(
        hub.headers(&listing, &selection),
        Err(Error::Unsupported { .. } | Error::OverLimit { .. })
    ));
    room.fake.behave();
    let headers = hub.headers(&listing, &selection).unwrap();
    assert_eq!(weights::Checkpoint::open(&headers.open).unwrap().tensors().len(), 1);
    let mut remote = hub.remote(&listing, "model.safetensors").unwrap();
    assert_eq!(remote.read_at(0, 8).unwrap().len(), 8);
    while remote.requests() < hub.settings().limits.header_requests {
        remote.read_at(8, 1).unwrap();
    }
    assert!(
        matches!(remote.read_at(0, 1), Err(Error::OverLimit { .. })),
        "so many requests and no more"
    );
}

#[test]
fn two_pulls_at_once_fetch_once() {
    let room = Room::new(crate::common::large(24 << 20));
    let (a, b) = (room.hub(), room.hub());
    let heard = Heard::default();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| a.pull(&name("org/large"), &heard).unwrap());
        let second = scope.spawn(|| b.pull(&name("org/large"), &heard).unwrap());
        let (first, second) = (first.join().unwrap(), second.join().unwrap());
        assert_eq!(first.commit, second.commit);
        assert_eq!(first.fetched + second.fetched, first.bytes());
    });
    assert_eq!(room.fake.sent(), (24 << 20) + 2);
}

#[test]
fn a_file_in_the_store_that_is_wrong_is_found_and_fetched_anew() {
    let room = Room::new(typical());
    let hub = room.hub();
    let pulled = hub.pull(&name("org/model-GGUF"), &hub::Silent).unwrap();
    let blob = fs::canonicalize(&pulled.open).unwrap();
    let mut bytes = fs::read(&blob).unwrap();
    bytes[1000] ^= 1;
    fs::write(&blob, &bytes).unwrap();
    let fault = hub.find(&name("org/model-GGUF"), Trust::Nothing).unwrap_err();
    assert!(matches!(fault, Error::Mismatch { .. }));
    let heard = Heard::default();
    let again = hub.pull(&name("org/model-GGUF"), &heard).unwrap();
    assert_eq!(heard.restarts(), 1);
    assert_eq!(again.fetched, bytes.len() as u64);
    assert!(hub.find(&name("org/model-GGUF"), Trust::Nothing).unwrap().is_some());
    assert!(walk(&room.cache()).iter().all(|path| !path.to_string_lossy().contains("incomplete")));
}

#[test]
fn a_token_opens_a_gate_and_its_absence_is_explained() {
    let mut repo = typical();
    repo.gate = testkit::fake_hub::Gate::Gated;
    let room = Room::new(repo);
    room.fake.world().token = Some("hf_good".into());
    let fault = room.hub().pull(&name("org/model-GGUF"), &hub::Silent).unwrap_err();
    assert!(matches!(&fault, Error::Gated { .. }) && fault.is_refusal(), "{fault}");
    assert!(fault.hint().unwrap().contains("HF_TOKEN"));
    let with = |token: &str| {
        room.hub_with(|settings| settings.token = Some(hub::Token::new(token).unwrap()))
    };
    let fault = with("hf_bad").pull(&name("org/model-GGUF"), &hub::Silent).unwrap_err();
    assert!(matches!(&fault, Error::Gated { .. }), "{fault}");
    with("hf_good").pull(&name("org/model-GGUF"), &hub::Silent).unwrap();
    // The token's file, as Python's client leaves it.
    let file = room.folder.path().join("token");
    fs::write(&file, "hf_good\n").unwrap();
    room.hub_with(|settings| settings.token_file = Some(file))
        .listing(&name("org/model-GGUF"))
        .unwrap();
}
