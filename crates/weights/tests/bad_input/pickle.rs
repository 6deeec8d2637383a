//! S10, S11: pickle checkpoints are refused, with a report of what they would have done.

use weights::{Error, Limits, PickleReport, pickle_report};

use crate::cage::{Cage, refused, refused_path, watched};

fn report(program: &[u8]) -> PickleReport {
    watched("pickle", || pickle_report(program, &Limits::DEFAULT))
}

fn names(report: &PickleReport) -> Vec<&str> {
    report.imports.iter().map(|import| import.name.as_str()).collect()
}

fn string(text: &str) -> Vec<u8> {
    [&[0x8c, text.len() as u8], text.as_bytes()].concat()
}

fn refused_report(name: &str, bytes: &[u8]) -> PickleReport {
    match refused(name, bytes) {
        error @ Error::Pickle { .. } => {
            assert!(error.hint().unwrap().contains("safetensors"));
            let Error::Pickle { report } = error else { unreachable!() };
            *report
        }
        other => panic!("{other}"),
    }
}

#[test]
fn s10_refused_by_name_and_by_content() {
    let program = b"\x80\x02cos\nsystem\nX\x02\0\0\0idq\0\x85R.";
    for name in [
        "pytorch_model.bin",
        "x.pt",
        "x.pth",
        "x.ckpt",
        "x.pkl",
        "weights.bin",
        "model.safetensors",
        "x.gguf",
    ] {
        let report = refused_report(name, program);
        assert_eq!(names(&report), ["os.system"]);
        assert_eq!((report.calls, &report.fault), (1, &None));
        assert!(report.to_string().contains("os.system"));
    }
    // A folder with nothing else.
    let cage = Cage::new();
    cage.put("config.json", b"{}");
    cage.put("pytorch_model.bin", program);
    assert!(matches!(refused_path(cage.path()), Error::Pickle { .. }));
    // Under a name that tells nothing, its content does.
    std::fs::rename(cage.path().join("pytorch_model.bin"), cage.path().join("weights.bin"))
        .unwrap();
    assert!(matches!(refused_path(cage.path()), Error::Pickle { .. }));
    // Protocol 0 is text: only the name tells.
    assert_eq!(names(&refused_report("a.pkl", b"cposix\nsystem\n(S'id'\ntR.")), ["posix.system"]);
}

#[test]
fn s10_imports_are_followed_however_they_are_written() {
    let call = |module: &str, name: &str| {
        [&b"\x80\x04"[..], &string(module), &string(name), b"\x93)R."].concat()
    };
    assert_eq!(names(&report(&call("builtins", "eval"))), ["builtins.eval"]);
    assert_eq!(names(&report(&call("operator", "attrgetter"))), ["operator.attrgetter"]);
    // By way of the memo.
    let memo =
        [&b"\x80\x04"[..], &string("os"), b"\x94", &string("system"), b"\x9400h\x00h\x01\x93."]
            .concat();
    assert_eq!(names(&report(&memo)), ["os.system"]);
    // A name that is computed is named as that.
    let computed = [&b"\x80\x04"[..], &string("os"), b"K\x01\x93."].concat();
    assert_eq!(names(&report(&computed)), ["(a computed name)"]);
    assert_eq!(names(&report(b"\x80\x04\x93.")), ["(a computed name)"]);
    assert_eq!(names(&report(b"(ios\nsystem\n.")), ["os.system"]);
    assert_eq!(names(&report(b"\x80\x02\x82\x07.")), ["(extension 7)"]);
    assert!(report(&call("os", "system")).unexpected().count() == 1);
}

#[test]
fn s10_plain_weights_are_recognised_and_still_refused() {
    let program = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\nctorch\nFloatStorage\nccollections\nOrderedDict\n)R.";
    let found = refused_report("a.pt", program);
    assert_eq!(found.imports.len(), 3);
    assert_eq!(found.unexpected().count(), 0);
    assert!(found.to_string().contains("only what plain weights need"), "{found}");
    // A look-alike is not what it looks like.
    assert_eq!(report(b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.").unexpected().count(), 1);
    assert_eq!(report(b"ctorch.storage\n_load_from_bytes\n.").unexpected().count(), 1);
}

#[test]
fn s10_broken_tails_and_bombs() {
    // The payload comes before the breakage, and is reported.
    let broken = report(b"cos\nsystem\n(S'id'\ntR\xff\xff\xff");
    assert_eq!(names(&broken), ["os.system"]);
    assert!(broken.fault.is_some());
    for bomb in [
        &vec![b'('; 4_000_000][..],
        &vec![b'2'; 4_000_000],
        &b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"[..],
        &b"\x80\x04\x8b\xff\xff\xff\xff"[..],
        b"Nr\xff\xff\xff\xff.",
        b"Np99999999999999999999\n.",
        &vec![b'0'; 100_000],
        b"cos",
        b"\x80",
        b"",
    ] {
        assert!(report(bomb).fault.is_some(), "{:?}", &bomb[..bomb.len().min(12)]);
    }
    // Loops through the memo end with the operations.
    let loops = [&b"]q\0"[..], &b"h\0h\0ah\x000".repeat(1_000_000)].concat();
    assert!(report(&loops).fault.is_some());
    // Forty imports: thirty-two are listed, the others counted.
    let many = (0..40).map(|at| format!("cm{at}\nf\n0")).collect::<Vec<_>>().concat();
    let found = report(format!("{many}N.").as_bytes());
    assert_eq!((found.imports.len(), found.more_imports), (32, 8));
    // Names do not reach a terminal as they are.
    let escaped = report(b"c\x1b[2J\nsystem\n.");
    assert!(!escaped.to_string().contains('\u{1b}'));
}

/// A ZIP file with one stored entry, made by hand.
fn archive(name: &str, content: &[u8], method: u16) -> Vec<u8> {
    let (size, length) = ((content.len() as u32).to_le_bytes(), (name.len() as u16).to_le_bytes());
    let method = method.to_le_bytes();
    let mut out =
        [&b"PK\x03\x04\x14\0\0\0"[..], &method, &[0; 8], &size, &size, &length, &[0; 2]].concat();
    out.extend(name.as_bytes());
    out.extend(content);
    let start = (out.len() as u32).to_le_bytes();
    let mut directory =
        [&b"PK\x01\x02\x14\0\x14\0\0\0"[..], &method, &[0; 8], &size, &size, &length, &[0; 16]]
            .concat();
    directory.extend(name.as_bytes());
    out.extend(&directory);
    let bytes = (directory.len() as u32).to_le_bytes();
    out.extend([&b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..], &bytes, &start, &[0; 2]].concat());
    out
}

#[test]
fn s11_the_archive_of_pytorch() {
    let program = b"\x80\x02cos\nsystem\n)R.";
    let good = archive("archive/data.pkl", program, 0);
    assert_eq!(names(&refused_report("pytorch_model.bin", &good)), ["os.system"]);
    // Compressed, elsewhere, cut, and with every field of the directory full of ones.
    assert!(refused_report("a.pt", &archive("archive/data.pkl", program, 8)).fault.is_some());
    assert!(refused_report("a.pt", &archive("archive/data.bin", program, 0)).fault.is_some());
    for cut in 4..good.len() {
        assert!(refused_report("a.pt", &good[..cut]).fault.is_some(), "{cut}");
    }
    for at in 4..good.len() {
        let mut bytes = good.clone();
        bytes[at..(at + 4).min(good.len())].fill(0xff);
        refused_report("a.pt", &bytes);
    }
}
