//! Laws every format keeps, by enumeration over `FORMATS`, and the encoders against their references.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may")]

#[path = "support/common.rs"]
mod common;

use std::collections::HashSet;

use common::{Splitmix, safetensors};
use quant::{Error, FORMATS, Format};

#[test]
fn names_and_numbers_are_unique_and_found() {
    let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
    for format in FORMATS {
        assert!(names.insert(format.name.to_lowercase()), "{format} twice");
        assert_eq!(quant::by_name(&format.name.to_lowercase()), Some(*format));
        if let Some(number) = format.ggml_type {
            assert!(numbers.insert(number), "{format}: {number} twice");
            assert_eq!(quant::by_ggml_type(number), Some(*format));
        }
    }
    assert_eq!(quant::by_name("Q9_Z"), None);
    for removed in [4, 5, 31, 36, u32::MAX] {
        assert_eq!(quant::by_ggml_type(removed), None);
    }
}

#[test]
fn sizes_are_those_of_whole_blocks() {
    for format in FORMATS {
        assert_eq!(format.bytes_for(0), Some(0));
        assert_eq!(format.bytes_for(format.block * 3), Some(format.bytes * 3));
        assert_eq!(format.bits_per_weight(), 8.0 * format.bytes as f64 / format.block as f64);
        if format.block > 1 {
            assert_eq!(format.bytes_for(format.block + 1), None);
            assert_eq!(format.bytes_for(1), None);
        }
        if format.bytes > format.block {
            let most = usize::MAX - usize::MAX % format.block;
            assert_eq!(format.bytes_for(most), None, "{format} overflows");
        }
    }
}

#[test]
fn every_wrong_length_is_an_error() {
    for format in FORMATS {
        let (values, bytes) = (vec![0.5; format.block * 2], vec![0; format.bytes * 2]);
        for short in 0..format.bytes * 2 {
            let found = format.decode(&bytes[..short], &mut values.clone());
            let expected = format.bytes * 2;
            assert_eq!(
                found,
                Err(Error::Bytes {
                    format: format.name,
                    values: values.len(),
                    found: short,
                    expected
                })
            );
            assert!(format.encode(&values, &mut bytes.clone()[..short]).is_err());
        }
        for short in 0..format.block * 2 {
            assert!(format.decode(&bytes, &mut values.clone()[..short]).is_err());
            assert!(format.encode(&values[..short], &mut bytes.clone()).is_err());
        }
        let weighted = format.encode_weighted(&values, &values[1..], &mut bytes.clone());
        assert_eq!(
            weighted,
            Err(Error::Importance {
                format: format.name,
                found: values.len() - 1,
                expected: values.len()
            })
        );
        if !format.can_encode() {
            assert_eq!(
                format.encode(&values, &mut bytes.clone()),
                Err(Error::NoEncoder { format: format.name })
            );
        }
        assert_eq!(format.decode(&[], &mut []), Ok(()));
    }
}

/// Fuzz in small: any bytes decode to something, without a panic, and the same each time.
#[test]
fn random_bytes_decode_without_a_panic() {
    for (seed, format) in FORMATS.iter().enumerate() {
        let mut numbers = Splitmix(seed as u64);
        let mut bytes = vec![0; format.bytes * 512];
        let (mut values, mut again) =
            (vec![0.0; format.block * 512], vec![0.0; format.block * 512]);
        for _ in 0..8 {
            bytes.fill_with(|| match numbers.next() {
                number if number & 0x300 == 0 => {
                    [0x00, 0xff, 0x7f, 0x80, 0x7c, 0xfc, 0x01, 0xf0][number as usize & 7]
                }
                number => (number >> 16) as u8,
            });
            format.decode(&bytes, &mut values).unwrap();
            format.decode(&bytes, &mut again).unwrap();
            assert!(values.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()), "{format}");
        }
    }
}

fn round_trip(format: &Format, values: &[f32], importance: Option<&[f32]>) -> Vec<f32> {
    let mut bytes = vec![0xaa; format.bytes_for(values.len()).unwrap()];
    match importance {
        None => format.encode(values, &mut bytes).unwrap(),
        Some(importance) => format.encode_weighted(values, importance, &mut bytes).unwrap(),
    }
    let mut back = vec![0.0; values.len()];
    format.decode(&bytes, &mut back).unwrap();
    back
}

/// Kinds of values that weights come in, and some that they do not.
fn kinds() -> Vec<(&'static str, Vec<f32>)> {
    let mut numbers = Splitmix(1);
    let count = 256 * 24;
    let mut kind = |name: &'static str, next: &dyn Fn(&mut Splitmix, usize) -> f32| {
        (name, (0..count).map(|i| next(&mut numbers, i)).collect::<Vec<f32>>())
    };
    vec![
        kind("normal", &|n, _| n.normal()),
        kind("small", &|n, _| 0.02 * n.normal()),
        kind("large", &|n, _| 30.0 * n.normal()),
        kind("heavy", &|n, _| n.normal() * n.normal() * n.normal()),
        kind("positive", &|n, _| n.uniform()),
        kind("negative", &|n, _| -1.0 - n.uniform()),
        kind("shifted", &|n, _| 5.0 + n.normal()),
        kind("constant", &|_, _| 0.7),
        kind("zero", &|_, _| 0.0),
        kind("one outlier", &|n, i| if i % 256 == 77 { 10.0 } else { 0.1 * n.normal() }),
        kind("sparse", &|n, i| if i % 19 == 0 { 0.5 + n.uniform() } else { 0.0 }),
        kind("two values", &|n, _| if n.next() & 1 == 0 { -0.3 } else { 0.4 }),
        kind("ramp", &|_, i| (i % 256) as f32 / 128.0 - 1.0),
    ]
}

#[test]
fn decoding_what_was_encoded_stays_within_the_stated_error() {
    let mut faults = Vec::new();
    for format in FORMATS {
        let Some(bound) = format.error_max() else { continue };
        let unit = format.block.max(32);
        let mut largest = (0.0, "");
        for (kind, values) in kinds() {
            let importance: Vec<f32> =
                values.iter().map(|value| value.abs().fract() + 0.1).collect();
            for importance in [None, Some(&importance[..])] {
                let back = round_trip(format, &values, importance);
                let pairs = values.chunks(unit).zip(back.chunks(unit));
                let error = pairs.map(|(values, back)| {
                    let peak =
                        values.iter().fold(f32::MIN_POSITIVE, |peak, value| peak.max(value.abs()));
                    values.iter().zip(back).map(|(a, b)| (a - b).abs() / peak).fold(0.0, f32::max)
                });
                let error = error.fold(0.0, f32::max);
                if error > largest.0 {
                    largest = (error, kind);
                }
            }
        }
        faults.extend(fault(format, largest.1, largest.0, bound));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// What is wrong with a stated bound: too low, or so high that it says nothing.
fn fault(format: &Format, kind: &str, error: f32, bound: f32) -> Option<String> {
    let wrong = if error > bound { "more" } else { "far less" };
    let right = error <= bound && error >= bound * 0.8;
    (!right).then(|| format!("{format}, {kind}: {error} is {wrong} than the stated {bound}"))
}

#[test]
fn normal_values_come_back_within_the_stated_root_mean_square() {
    let mut faults = Vec::new();
    for format in FORMATS {
        let Some(bound) = format.error_rms() else { continue };
        let (kind, values) = kinds().swap_remove(0);
        let back = round_trip(format, &values, None);
        let square = |values: &mut dyn Iterator<Item = f32>| {
            values.map(|x| f64::from(x).powi(2)).sum::<f64>()
        };
        let error = square(&mut values.iter().zip(&back).map(|(a, b)| a - b))
            / square(&mut values.iter().copied());
        faults.extend(fault(format, kind, error.sqrt() as f32, bound));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn what_cannot_be_held_is_refused_or_rounded() {
    let odd = [
        f32::NAN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN_POSITIVE,
        1e-45,
        -0.0,
        65504.0,
        -1e-9,
    ];
    for format in FORMATS.iter().filter(|format| format.can_encode()) {
        for (i, &special) in odd.iter().enumerate() {
            let mut values = vec![0.25; 512];
            values[i * 7] = special;
            values[300 + i] = -special;
            let mut bytes = vec![0; format.bytes_for(512).unwrap()];
            match format.encode(&values, &mut bytes) {
                Err(Error::OutOfRange { at, .. }) => {
                    assert!(
                        format.block > 1
                            && at == i * 7
                            && (special.is_nan() || special.abs() > 2000.0),
                        "{format}"
                    );
                }
                result => assert!(
                    result == Ok(()) && (format.block == 1 || special.is_finite()),
                    "{format}"
                ),
            }
        }
    }
}

/// Fuzz in small, the other way: any magnitudes the format takes, any importance, and the blocks decode to
/// finite values.
#[test]
fn whatever_is_encoded_decodes_to_finite_values() {
    for (seed, format) in
        FORMATS.iter().enumerate().filter(|(_, format)| format.can_encode() && format.block > 1)
    {
        let mut numbers = Splitmix(seed as u64);
        for _ in 0..48 {
            let mut importance = vec![0.0; 512];
            importance.fill_with(|| f32::from_bits(numbers.next() as u32));
            // From exponents at the very bottom to 2^11, over wide and narrow ranges.
            let top = 1 + numbers.next() % 137;
            let spread = numbers.next() % top;
            let value = |_| {
                let number = numbers.next();
                let exponent = (top - (number >> 32) % (spread + 1)) as u32;
                f32::from_bits(number as u32 & 0x807f_ffff | exponent << 23)
            };
            let values: Vec<f32> = (0..512).map(value).collect();
            for importance in [None, Some(&importance[..])] {
                let back = round_trip(format, &values, importance);
                assert!(back.iter().all(|value| value.is_finite()), "{format}");
            }
        }
    }
}

/// `values` in `peer.py`.
fn values() -> (Vec<f32>, Vec<f32>) {
    let mut numbers = Splitmix(7);
    let mut uniform = || (numbers.next() >> 40) as f64 / f64::from(1 << 24);
    let pair = |_| {
        let middle = uniform() + uniform() + uniform() + uniform() - 2.0;
        let value = middle * (1.0 + 2.0 * middle * middle);
        (value as f32, (uniform() * uniform()) as f32)
    };
    (0..64 * 256).map(pair).unzip()
}

/// No encoder leaves a larger error than llama.cpp's does on the same values.
#[test]
fn encoders_are_as_good_as_the_peer() {
    let (values, importance) = values();
    let mut faults = Vec::new();
    for line in include_str!("peer_errors.txt").lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let format = quant::by_name(fields[0]).unwrap();
        if !format.can_encode() {
            continue;
        }
        for (peer, importance) in [(fields[1], None), (fields[2], Some(&importance[..]))] {
            let back = round_trip(format, &values, importance);
            let (mut error, mut square) = (0.0, 0.0);
            for i in 0..values.len() {
                let weight = importance.map_or(1.0, |importance| f64::from(importance[i]));
                error += weight * f64::from(back[i] - values[i]).powi(2);
                square += weight * f64::from(values[i]).powi(2);
            }
            let (ours, peer) = ((error / square).sqrt(), peer.parse::<f64>().unwrap());
            println!(
                "{format} {} ours {ours:.6} peer {peer:.6} ratio {:.4}",
                importance.is_some(),
                ours / peer
            );
            if ours > peer * 1.0005 {
                faults.push(format!("{format}: {ours} is more than the peer's {peer}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn encoders_with_one_right_answer_give_it_bit_for_bit() {
    let Some(path) = testkit::data("quant_goldens/blocks/_quantize_direction.safetensors") else {
        return;
    };
    let file = safetensors(&path);
    let values = file.f32("input");
    let mut seen = 0;
    for name in file.names().filter(|name| *name != "input") {
        let format = quant::by_name(name).unwrap();
        let mut bytes = vec![0; format.bytes_for(values.len()).unwrap()];
        format.encode(&values, &mut bytes).unwrap();
        let different =
            bytes.iter().zip(file.bytes(name)).position(|(ours, theirs)| ours != theirs);
        assert_eq!(
            different.map(|at| (at / format.bytes, at % format.bytes)),
            None,
            "{name}: (block, byte)"
        );
        seen += 1;
    }
    assert_eq!(seen, 9);
}
