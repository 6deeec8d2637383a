//! The cost of hashing: a pull against `curl` from the same server.

use std::{process::Command, time::Instant};

use testkit::fake_hub::{Content, Repo};

use crate::common::{Room, name};

/// Processor time of this process and of the children it waited for, in seconds.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    after
        .split_whitespace()
        .skip(11)
        .take(4)
        .filter_map(|field| field.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

#[test]
#[ignore = "a measurement: run alone, in release, on a quiet machine"]
fn a_pull_is_at_least_nine_tenths_as_fast_as_curl() {
    const BYTES: u64 = 1 << 30;
    let content = Content::large(BYTES, 3);
    let mut ratios = Vec::new();
    for _ in 0..5 {
        let room = Room::new(Repo::new("org/rate").large("m-Q8_0.gguf", content.clone()));
        room.fake.world().plain.insert("m".into(), content.clone());
        let target = room.folder.path().join("curl");
        let (began, before) = (Instant::now(), processor());
        let status = Command::new("curl")
            .args(["-s", "-S", "-o"])
            .arg(&target)
            .arg(format!("{}/plain/m", room.fake.endpoint()))
            .status();
        let Ok(status) = status else {
            eprintln!("skipped: no curl");
            return;
        };
        assert!(status.success());
        let (curl, curl_work) = (began.elapsed().as_secs_f64(), processor() - before);
        let began = Instant::now();
        std::fs::File::open(&target).unwrap().sync_all().unwrap();
        let sync = began.elapsed().as_secs_f64();
        std::fs::remove_file(&target).unwrap();
        let (began, before) = (Instant::now(), processor());
        let pulled = room.hub().pull(&name("org/rate"), &hub::Silent).unwrap();
        let (ours, our_work) = (began.elapsed().as_secs_f64(), processor() - before);
        assert_eq!(pulled.fetched, BYTES);
        let rate = |seconds: f64| BYTES as f64 / seconds / 1e9;
        eprintln!(
            "curl {:.2} GB/s ({:.2} with sync, {curl_work:.2} s of processors), freehold {:.2} GB/s hashed and \
             synced ({our_work:.2} s): {:.2} of curl, {:.2} of curl with sync",
            rate(curl),
            rate(curl + sync),
            rate(ours),
            curl / ours,
            (curl + sync) / ours
        );
        ratios.push((curl + sync) / ours);
    }
    ratios.sort_by(f64::total_cmp);
    assert!(ratios[ratios.len() / 2] >= 0.9, "{ratios:?}");
}
