//! Decoding against the `gguf` package: our own checksums (`goldens.py` wrote them), and the shared goldens.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "support/common.rs"]
mod common;

use common::{Splitmix, safetensors};
use quant::FORMATS;

const CONSTANT: [u8; 8] = [0x00, 0xff, 0x80, 0x7f, 0x01, 0x7c, 0xfc, 0x55];

/// The same bytes as `block` in `goldens.py`.
fn block(ggml_type: u32, index: usize, size: usize) -> Vec<u8> {
    if let Some(&byte) = CONSTANT.get(index) {
        return vec![byte; size];
    }
    let mut numbers = Splitmix(u64::from(ggml_type) << 32 | index as u64);
    let mut bytes: Vec<u8> =
        (0..size.div_ceil(8)).flat_map(|_| numbers.next().to_le_bytes()).collect();
    bytes.truncate(size);
    bytes
}

/// 32-bit FNV-1a over the values' bits, every NaN made the same NaN.
fn checksum(values: &[f32]) -> u32 {
    let bits = |value: f32| if value.is_nan() { 0x7fc0_0000 } else { value.to_bits() };
    let bytes = values.iter().flat_map(|&value| bits(value).to_le_bytes());
    bytes.fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

#[test]
fn random_and_edge_blocks_decode_as_gguf_does() {
    let mut seen = 0;
    for line in include_str!("decode_goldens.txt").lines() {
        let (name, sums) = line.split_once(' ').unwrap();
        let format = quant::by_name(name).unwrap();
        for (index, sum) in sums.split(' ').enumerate() {
            let bytes = block(format.ggml_type.unwrap(), index, format.bytes);
            let mut values = vec![0.0; format.block];
            format.decode(&bytes, &mut values).unwrap();
            assert_eq!(
                checksum(&values),
                u32::from_str_radix(sum, 16).unwrap(),
                "{name}, block {index}: {values:?}"
            );
            seen += 1;
        }
    }
    assert_eq!(seen, 26 * 256);
}

#[test]
fn shared_goldens_decode_bit_for_bit() {
    let Some(folder) = testkit::data("quant_goldens/blocks") else { return };
    let mut seen = 0;
    for format in FORMATS {
        let path = folder.join(format!("{format}.safetensors"));
        if !path.exists() {
            continue;
        }
        let file = safetensors(&path);
        let expected = file.f32("values");
        let mut values = vec![0.0; expected.len()];
        format.decode(file.bytes("blocks"), &mut values).unwrap();
        for (at, (ours, theirs)) in values.iter().zip(&expected).enumerate() {
            let same = ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan();
            assert!(same, "{format}, value {at}: {ours} is not {theirs}");
        }
        seen += 1;
    }
    assert_eq!(seen, 24);
}

/// Q1_0 and Q2_0 are younger than the package's decoders; here by hand.
#[test]
fn one_and_two_bit_blocks_decode_by_their_definition() {
    let mut block = [0u8; 18];
    block[..2].copy_from_slice(&half::f16::from_f32(0.5).to_bits().to_le_bytes());
    block[2] = 0b0000_0101;
    let mut values = [0.0; 128];
    quant::Q1_0.decode(&block, &mut values).unwrap();
    assert_eq!(values[..4], [0.5, -0.5, 0.5, -0.5]);
    assert!(values[4..].iter().all(|&value| value == -0.5));

    block[2] = 0b11_10_01_00;
    let mut values = [0.0; 64];
    quant::Q2_0.decode(&block, &mut values).unwrap();
    assert_eq!(values[..5], [-0.5, 0.0, 0.5, 1.0, -0.5]);
}

/// A safetensors MXFP4 block (neighbours share a byte) means the same after it is brought to ggml's layout.
#[test]
fn mxfp4_pairs_keep_their_values() {
    let levels =
        [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0];
    let pairs: [u8; 16] = std::array::from_fn(|i| (i * 37 + 11) as u8);
    let mut values = [0.0; 32];
    quant::MXFP4.decode(&quant::mxfp4_from_pairs(&pairs, 124), &mut values).unwrap();
    for (i, value) in values.iter().enumerate() {
        let code = pairs[i / 2] >> (i % 2 * 4) & 15;
        assert_eq!(*value, levels[usize::from(code)] / 8.0);
    }
}

#[test]
fn fp8_decodes_by_its_definition() {
    for code in 0..=u8::MAX {
        let (sign, magnitude) = (if code < 128 { 1.0 } else { -1.0 }, code & 127);
        let float = |bits: i32, bias: i32| {
            let (exponent, fraction) =
                (i32::from(magnitude) >> bits, f64::from(magnitude & ((1 << bits) - 1)));
            let one = f64::from(1 << bits);
            let lead = if exponent == 0 { 0.0 } else { 1.0 };
            sign * (lead + fraction / one) * 2f64.powi(exponent.max(1) - bias)
        };
        let decoded = |format: &quant::Format| {
            let mut out = [0.0];
            format.decode(&[code], &mut out).unwrap();
            f64::from(out[0])
        };
        let same = |format: &quant::Format, expected: f64| {
            let found = decoded(format);
            assert!(
                found == expected || found.is_nan() && expected.is_nan(),
                "{format} {code:#x}: {found}, {expected}"
            );
        };
        same(&quant::F8_E4M3, if magnitude == 127 { f64::NAN } else { float(3, 7) });
        same(
            &quant::F8_E8M0,
            if code == 255 { f64::NAN } else { 2f64.powi(i32::from(code) - 127) },
        );
        let e5m2 = match magnitude {
            124 => sign * f64::INFINITY,
            125.. => f64::NAN,
            _ => float(2, 15),
        };
        same(&quant::F8_E5M2, e5m2);
    }
}
