//! G20, G22: several files, and files that change.

use std::path::{Path, PathBuf};

use weights::{Checkpoint, Error, GgufWriter, Limits, Mapping};

use crate::cage::{Cage, open, refused_path};

/// A split model as llama.cpp's splitter writes it: keys in the first shard, one tensor in each.
fn shard(number: u16, count: u16, tensors: i32) -> Vec<u8> {
    let mut writer = GgufWriter::new("llama");
    writer.set("split.no", number).set("split.count", count).set("split.tensors.count", tensors);
    let name = format!("tensor.{number}");
    writer.tensor(&name, &[8], &quant::F32).unwrap();
    writer.to_bytes(&[&[number as u8; 32]]).unwrap()
}

fn name(set: &str, number: usize, count: usize) -> String {
    format!("{set}-{number:05}-of-{count:05}.gguf")
}

fn put_set(cage: &Cage) -> Vec<PathBuf> {
    (0..3).map(|at| cage.put(&name("m", at + 1, 3), &shard(at as u16, 3, 3))).collect()
}

#[test]
fn g20_any_shard_opens_the_whole_set() {
    let cage = Cage::new();
    let paths = put_set(&cage);
    for path in paths.iter().map(PathBuf::as_path).chain([cage.path()]) {
        let opened = open(path).unwrap();
        assert_eq!(opened.tensors().len(), 3);
        assert_eq!(opened.files().len(), 3);
        for (at, tensor) in opened.tensors().values().enumerate() {
            assert_eq!(opened.bytes(tensor).unwrap(), [at as u8; 32]);
        }
    }
    // Written again it is one file.
    let whole = cage.path().join("whole.gguf");
    let opened = Checkpoint::open(&paths[0]).unwrap();
    GgufWriter::like(&opened).unwrap().write_from(&opened, &whole).unwrap();
    assert_eq!(open(&whole).unwrap().files().len(), 1);
}

#[test]
fn g20_shards_that_do_not_belong_together() {
    let case = |change: &dyn Fn(&Cage)| {
        let cage = Cage::new();
        put_set(&cage);
        change(&cage);
        refused_path(&cage.path().join(name("m", 1, 3)))
    };
    let wrong_number = case(&|cage| _ = cage.put(&name("m", 2, 3), &shard(2, 3, 3)));
    assert!(
        matches!(wrong_number, Error::Split { .. } | Error::Duplicate { .. }),
        "{wrong_number}"
    );
    let wrong_count = case(&|cage| _ = cage.put(&name("m", 2, 3), &shard(1, 4, 3)));
    assert!(matches!(wrong_count, Error::Split { .. }), "{wrong_count}");
    let wrong_total = case(&|cage| _ = cage.put(&name("m", 1, 3), &shard(0, 3, 4)));
    assert!(matches!(wrong_total, Error::Split { .. }), "{wrong_total}");
    let not_named = case(&|cage| _ = cage.put(&name("m", 1, 3), &shard(0, 65_535, 3)));
    assert!(matches!(not_named, Error::Split { .. }), "{not_named}");
    let not_first = case(&|cage| _ = cage.put(&name("m", 1, 3), &shard(1, 3, 3)));
    assert!(matches!(not_first, Error::Split { .. }), "{not_first}");
    // The same tensor in two shards.
    let twice = case(&|cage| {
        let mut writer = GgufWriter::new("llama");
        writer.set("split.no", 1_u16).set("split.count", 3_u16);
        writer.tensor("tensor.0", &[8], &quant::F32).unwrap();
        cage.put(&name("m", 2, 3), &writer.to_bytes(&[&[0; 32]]).unwrap());
    });
    assert!(matches!(twice, Error::Duplicate { .. }), "{twice}");
    // Under a name that tells nothing about the others.
    let cage = Cage::new();
    let path = cage.put("model.gguf", &shard(0, 3, 3));
    assert!(matches!(refused_path(&path), Error::Split { .. }));
}

#[test]
fn g20_a_missing_shard_is_named() {
    let cage = Cage::new();
    let paths = put_set(&cage);
    std::fs::remove_file(&paths[1]).unwrap();
    let error = Checkpoint::open(&paths[0]).unwrap_err();
    assert_eq!(error.code(), "io");
    assert!(error.to_string().contains("m-00002-of-00003.gguf"), "{error}");
    // 65535 shards are announced, in keys and in the name: the second one is asked for, and that is all.
    let cage = Cage::new();
    let path = cage.put("m-00001-of-65535.gguf", &shard(0, 65_535, 3));
    assert!(Checkpoint::open(path).unwrap_err().to_string().contains("m-00002-of-65535.gguf"));
}

fn small() -> Vec<u8> {
    let mut writer = GgufWriter::new("llama");
    writer.tensor("a", &[1024, 64], &quant::F32).unwrap();
    writer.to_bytes(&[&vec![7; 1024 * 64 * 4]]).unwrap()
}

/// Writes the file and opens it, mapped and then unmapped.
fn both_ways(path: &Path) -> impl Iterator<Item = Checkpoint> {
    [Mapping::Map, Mapping::Read].into_iter().map(move |mapping| {
        std::fs::write(path, small()).unwrap();
        Checkpoint::open_with(path, &Limits { mapping, ..Limits::DEFAULT }).unwrap()
    })
}

#[test]
fn g22_a_file_cut_short_after_opening() {
    let cage = Cage::new();
    let path = cage.path().join("a.gguf");
    for opened in both_ways(&path) {
        opened.unchanged().unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(300).unwrap();
        assert_eq!(opened.unchanged().unwrap_err().code(), "changed");
        assert_eq!(opened.bytes(opened.tensor("a").unwrap()).unwrap_err().code(), "changed");
        assert_eq!(opened.rows_f32("a", 0..1, &mut [0.0; 64]).unwrap_err().code(), "changed");
    }
}

#[test]
fn g22_a_file_written_to_after_opening() {
    let cage = Cage::new();
    let path = cage.path().join("a.gguf");
    for opened in both_ways(&path) {
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::now() + std::time::Duration::from_secs(5))
            .unwrap();
        assert_eq!(opened.unchanged().unwrap_err().code(), "changed");
        assert_eq!(opened.raw_rows("a", 0..1).unwrap_err().code(), "changed");
    }
}

#[cfg(unix)]
#[test]
fn g22_a_file_replaced_after_opening() {
    let cage = Cage::new();
    let path = cage.path().join("a.gguf");
    for opened in both_ways(&path) {
        let other = cage.put("b.gguf", &small());
        std::fs::rename(other, &path).unwrap();
        // The open file is still the one that was checked; its path leads elsewhere.
        assert_eq!(opened.bytes(opened.tensor("a").unwrap()).unwrap().len(), 1024 * 64 * 4);
        let error = opened.unchanged().unwrap_err();
        assert!(error.hint().is_some() && error.code() == "changed", "{error}");
    }
}

#[test]
fn releasing_gives_the_same_bytes_again() {
    let cage = Cage::new();
    let opened = Checkpoint::open(cage.put("a.gguf", &small())).unwrap();
    let tensor = opened.tensor("a").unwrap();
    let before = opened.bytes(tensor).unwrap().to_vec();
    opened.release(tensor);
    opened.prefetch(tensor);
    assert_eq!(opened.bytes(tensor).unwrap(), before);
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused_before_it_is_read() {
    let error = refused_path(Path::new("/dev/zero"));
    assert!(matches!(error, Error::NotRegular { .. }), "{error}");
}
