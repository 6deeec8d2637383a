//! Tar archives from strangers: a plain list of regular files, or refused.
//!
//! No link, device, hole or mode is ever made real: entries are bytes with a path, and the path passes
//! rule P1 like every other. Checksums are held, sizes are held to the archive's own, and a name may
//! come once. Format: POSIX.1-1988 `ustar`, with the `path` and `size` records of pax.

use weights::shown;

use crate::{Error, Limits};

const BLOCK: usize = 512;

/// The files of an archive, in order.
pub(crate) fn files(
    bytes: &[u8],
    place: &str,
    limits: &Limits,
) -> Result<Vec<(String, Vec<u8>)>, Error> {
    read(bytes, limits).map_err(|why| Error::Archive { archive: place.to_owned(), why }).and_then(
        |files| {
            weights::safe_relative_paths(files.iter().map(|(path, _)| path.as_str()))
                .map_err(|source| Error::Path { place: place.to_owned(), source })?;
            Ok(files)
        },
    )
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut path_override = None;
    loop {
        let Some(header) = bytes.get(at..at + BLOCK) else {
            return Err("it ends without the two empty blocks at its end".to_owned());
        };
        at += BLOCK;
        if header.iter().all(|&byte| byte == 0) {
            return match bytes.get(at..) {
                Some(rest) if rest.iter().all(|&byte| byte == 0) => Ok(out),
                _ => Err("something follows its end".to_owned()),
            };
        }
        check_sum(header)?;
        let size = octal(&header[124..136]).ok_or("a size is no octal number")?;
        let size = usize::try_from(size).map_err(|_| "a size is out of all proportion")?;
        let body = at
            .checked_add(size)
            .and_then(|end| bytes.get(at..end))
            .ok_or("a file goes beyond its end")?;
        at += size.next_multiple_of(BLOCK);
        let path = path_override.take().map_or_else(|| name_of(header), Ok)?;
        match header[156] {
            b'0' | 0 => {
                if out.len() >= limits.files.min(10_000) {
                    return Err("it has more files than any model".to_owned());
                }
                out.push((path, body.to_vec()));
            }
            // Folders come into being with their files.
            b'5' if size == 0 => {}
            b'x' => path_override = pax_path(body)?,
            b'g' => {}
            kind => {
                let what = match kind {
                    b'1' => "a hard link",
                    b'2' => "a symbolic link",
                    b'3' | b'4' => "a device",
                    b'6' => "a pipe",
                    b'L' | b'K' => "a long name in GNU's own form",
                    b'S' => "a file with holes",
                    _ => "an entry of an unknown kind",
                };
                return Err(format!("`{}` is {what}; only regular files are taken", shown(&path)));
            }
        }
    }
}

fn check_sum(header: &[u8]) -> Result<(), String> {
    let stated = octal(&header[148..156]).ok_or("a checksum is no octal number")?;
    let blanked = header
        .iter()
        .enumerate()
        .map(|(at, &byte)| u64::from(if (148..156).contains(&at) { b' ' } else { byte }));
    if blanked.sum::<u64>() == stated { Ok(()) } else { Err("a checksum is wrong".to_owned()) }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() {
        Some(0)
    } else {
        u64::from_str_radix(text, 8).ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit()))
    }
}

fn text_of(field: &[u8]) -> Result<&str, String> {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    std::str::from_utf8(&field[..end]).map_err(|_| "a name is not UTF-8".to_owned())
}

fn name_of(header: &[u8]) -> Result<String, String> {
    let name = text_of(&header[..100])?;
    let prefix = if &header[257..262] == b"ustar" { text_of(&header[345..500])? } else { "" };
    let whole = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
    Ok(whole.strip_prefix("./").unwrap_or(&whole).to_owned())
}

/// The path a pax record gives; a size in one would let two readers see two archives.
fn pax_path(mut body: &[u8]) -> Result<Option<String>, String> {
    let mut path = None;
    while !body.is_empty() {
        let fault = || "a pax record cannot be read".to_owned();
        let space = body.iter().position(|&byte| byte == b' ').ok_or_else(fault)?;
        let length: usize = std::str::from_utf8(&body[..space])
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(fault)?;
        let record = body
            .get(space + 1..length)
            .and_then(|record| record.strip_suffix(b"\n"))
            .ok_or_else(fault)?;
        let (key, value) = std::str::from_utf8(record)
            .ok()
            .and_then(|text| text.split_once('='))
            .ok_or_else(fault)?;
        match key {
            "path" if path.is_none() => {
                path = Some(value.strip_prefix("./").unwrap_or(value).to_owned());
            }
            "path" => return Err("a pax record gives two paths".to_owned()),
            "size" | "linkpath" => return Err(format!("a pax record sets `{key}`")),
            _ => {}
        }
        body = &body[length..];
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, kind: u8, body: &[u8]) -> Vec<u8> {
        let mut header = [0_u8; BLOCK];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", body.len()).as_bytes());
        header[156] = kind;
        header[257..263].copy_from_slice(b"ustar\0");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
        header[148..154].copy_from_slice(format!("{sum:06o}").as_bytes());
        header[154] = 0;
        let mut out = header.to_vec();
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(BLOCK), 0);
        out
    }

    fn archive(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
        let mut out: Vec<u8> =
            entries.iter().flat_map(|(name, kind, body)| entry(name, *kind, body)).collect();
        out.resize(out.len() + 2 * BLOCK, 0);
        out
    }

    fn unpack(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Error> {
        files(bytes, "test", &Limits::DEFAULT)
    }

    #[test]
    fn plain_archives_are_read() {
        let found = unpack(&archive(&[
            ("./d/", b'5', b""),
            ("./d/a.json", b'0', b"{}"),
            ("b", 0, &[7; 600]),
        ]))
        .unwrap();
        assert_eq!(
            found,
            [("d/a.json".to_owned(), b"{}".to_vec()), ("b".to_owned(), vec![7; 600])]
        );
        let long = "x/".repeat(3) + &"y".repeat(120);
        let record = format!(" path={long}\n");
        let record = format!("{}{record}", record.len() + 3);
        let found =
            unpack(&archive(&[("pax", b'x', record.as_bytes()), ("short", b'0', b"1")])).unwrap();
        assert_eq!(found[0].0, long);
    }

    #[test]
    fn s12_everything_but_regular_files_with_plain_names_is_refused() {
        for (name, kind) in [
            ("../x", b'0'),
            ("/abs", b'0'),
            ("a/../../x", b'0'),
            ("CON", b'0'),
            ("x:stream", b'0'),
            ("dot.", b'0'),
            ("a\\b", b'0'),
            ("link", b'1'),
            ("link", b'2'),
            ("dev", b'3'),
            ("dev", b'4'),
            ("pipe", b'6'),
            ("sparse", b'S'),
            ("long", b'L'),
            ("what", b'Z'),
        ] {
            assert!(unpack(&archive(&[(name, kind, b"")])).is_err(), "{name} {kind}");
        }
        let twins = [("a.json", b'0', &b"1"[..]), ("A.json", b'0', &b"2"[..])];
        assert!(matches!(unpack(&archive(&twins)), Err(Error::Path { .. })));
        let same = [("a", b'0', &b"1"[..]), ("a", b'0', &b"2"[..])];
        assert!(matches!(unpack(&archive(&same)), Err(Error::Path { .. })));
        let nfd = [("e\u{301}", b'0', &b"1"[..])];
        assert!(unpack(&archive(&nfd)).is_err());
        let smuggled = [("p", b'x', &b"12 size=999\n"[..]), ("a", b'0', &b"1"[..])];
        assert!(unpack(&archive(&smuggled)).is_err());
        let good = archive(&[("a", b'0', &[1; 100])]);
        for end in [0, 100, 512, 700, 1024, good.len() - 1025] {
            assert!(unpack(&good[..end]).is_err(), "{end}");
        }
        let mut wrong = good.clone();
        wrong[0] = b'b';
        assert!(unpack(&wrong).is_err(), "checksum");
        let mut tail = good;
        tail.push(1);
        assert!(unpack(&tail).is_err(), "something after the end");
    }
}
