//! The cost of hashing: a pull against `curl` from the same server.

use std::{fs, process::Command, time::Instant};

use testkit::fake_hub::{Content, Repo};

use crate::common::{Room, name};

const BYTES: u64 = 1 << 30;

/// Processor time of this process, the server in it, and the children it waited for, in seconds.
fn processor() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let fields = after.split_whitespace().skip(11).take(4);
    fields.filter_map(|field| field.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Seconds by the clock and by the processors.
fn measured(work: impl FnOnce()) -> (f64, f64) {
    let (began, before) = (Instant::now(), processor());
    work();
    (began.elapsed().as_secs_f64(), processor() - before)
}

fn curl(room: &Room) -> (f64, f64, f64) {
    let target = room.folder.path().join("curl");
    let (seconds, work) = measured(|| {
        let url = format!("{}/plain/m", room.fake.endpoint());
        let status = Command::new("curl").args(["-sS", "-o"]).arg(&target).arg(url).status();
        assert!(status.expect("curl is here").success());
    });
    let (sync, _) = measured(|| fs::File::open(&target).unwrap().sync_all().unwrap());
    fs::remove_file(target).unwrap();
    (seconds, sync, work)
}

fn ours(room: &Room) -> (f64, f64) {
    let hub = room.hub();
    let times = measured(|| {
        assert_eq!(hub.pull(&name("org/rate"), &hub::Silent).unwrap().fetched, BYTES);
    });
    hub.store().remove(&hub.held(&name("org/rate")).unwrap(), None).unwrap();
    times
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
#[ignore = "a measurement: run alone on a quiet machine, a gigabyte ten times"]
fn a_pull_is_at_least_nine_tenths_as_fast_as_curl() {
    let content = Content::large(BYTES, 3);
    let room = Room::new(Repo::new("org/rate").large("m-Q8_0.gguf", content.clone()));
    room.fake.world().plain.insert("m".into(), content);
    // Pages that were never touched cost whoever comes first.
    curl(&room);
    ours(&room);
    let (mut theirs, mut synced, mut mine) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..5 {
        let pulled = (round % 2 == 1).then(|| ours(&room));
        let (seconds, sync, work) = curl(&room);
        let (own, own_work) = pulled.unwrap_or_else(|| ours(&room));
        let rate = |seconds: f64| BYTES as f64 / seconds / 1e9;
        eprintln!(
            "curl {:.2} GB/s ({:.2} with sync; {work:.2} s of processors), freehold {:.2} GB/s ({own_work:.2} s)",
            rate(seconds),
            rate(seconds + sync),
            rate(own)
        );
        theirs.push(seconds);
        synced.push(seconds + sync);
        mine.push(own);
    }
    let (theirs, synced, mine) = (median(theirs), median(synced), median(mine));
    eprintln!(
        "medians: a pull, hashed and on the disk, has {:.2} of curl's rate, {:.2} of curl's with the sync that makes it last",
        theirs / mine,
        synced / mine
    );
    assert!(synced / mine >= 0.9);
}
