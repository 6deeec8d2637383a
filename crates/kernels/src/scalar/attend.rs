//! Attention over a span, one query vector and one token at a time.

use half::f16;

use crate::attend::{LANES, Span, State};
use crate::kv::{GROUP, KvFormat, KvShape, PAGE_TOKENS, ValueStore};

/// Adds the tokens of a span to `state`.
pub(super) fn attend_span(span: &Span<'_>, state: &mut State<'_>, work: &mut [f32]) {
    let (key_dim, value_dim, dims) = (span.shape.key_dim, span.shape.value_dim, state.dims());
    let (keys, work) = work.split_at_mut(PAGE_TOKENS * key_dim);
    let (values, work) = work.split_at_mut(PAGE_TOKENS * value_dim);
    let scores = &mut work[..PAGE_TOKENS];
    for block in span.blocks() {
        decode_block(span, block, keys, values);
        let first = block * PAGE_TOKENS;
        for i in 0..span.rows * span.group {
            let seen = span.visible(i / span.group);
            let (start, end) = (seen.start.max(first), seen.end.min(first + PAGE_TOKENS));
            if start >= end {
                continue;
            }
            let tokens = start - first..end - first;
            let q = &span.q[i * key_dim..][..key_dim];
            for t in tokens.clone() {
                let mut score = 0.0;
                for (x, line) in q.iter().zip(keys.chunks_exact(PAGE_TOKENS)) {
                    score += x * line[t];
                }
                scores[t] = span.softcap.map_or(score, |cap| cap * (score / cap).tanh());
            }
            let old = state.max[i];
            let max = scores[tokens.clone()].iter().copied().fold(old, f32::max);
            let keep = if old == f32::NEG_INFINITY { 0.0 } else { (old - max).exp() };
            let acc = &mut state.acc[i * dims..][..value_dim];
            state.max[i] = max;
            for x in acc.iter_mut() {
                *x *= keep;
            }
            state.sum[i * LANES] *= keep;
            for t in tokens {
                let weight = (scores[t] - max).exp();
                state.sum[i * LANES] += weight;
                for (to, x) in acc.iter_mut().zip(&values[t * value_dim..]) {
                    *to += weight * x;
                }
            }
        }
    }
}

/// A block as floats: keys `[key_dim, 32]`, values `[32, value_dim]`.
fn decode_block(span: &Span<'_>, block: usize, keys: &mut [f32], values: &mut [f32]) {
    let shape = span.shape;
    let (key_bytes, value_bytes) = span.block(block);
    let dim = shape.value_dim;
    decode(shape.format, key_bytes, keys, |i| {
        i / PAGE_TOKENS / GROUP * PAGE_TOKENS + i % PAGE_TOKENS
    });
    match shape.value {
        ValueStore::Own => decode_values(shape, value_bytes, dim, values),
        ValueStore::PrefixOfKey => {
            for (i, x) in values.iter_mut().enumerate() {
                *x = keys[i % dim * PAGE_TOKENS + i / dim];
            }
        }
    }
}

/// Values as floats, `[32, stride]`; what is past a value's entries becomes 0.
pub(crate) fn decode_values(shape: &KvShape, bytes: &[u8], stride: usize, values: &mut [f32]) {
    let dim = shape.value_dim;
    decode(shape.format, bytes, &mut values[..PAGE_TOKENS * dim], |i| {
        i / dim * dim.div_ceil(GROUP) + i % dim / GROUP
    });
    for t in (0..PAGE_TOKENS).rev() {
        values.copy_within(t * dim..(t + 1) * dim, t * stride);
        values[t * stride + dim..(t + 1) * stride].fill(0.0);
    }
}

fn decode(format: KvFormat, bytes: &[u8], out: &mut [f32], scale_of: impl Fn(usize) -> usize) {
    let half = |b: &[u8]| f16::from_le_bytes([b[0], b[1]]).to_f32();
    match format {
        KvFormat::F32 => {
            for (x, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                *x = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
            }
        }
        KvFormat::F16 => {
            for (x, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                *x = half(b);
            }
        }
        KvFormat::Q8_0 => {
            let (codes, scales) = bytes.split_at(out.len());
            for (i, (x, code)) in out.iter_mut().zip(codes).enumerate() {
                *x = f32::from(code.cast_signed()) * half(&scales[2 * scale_of(i)..]);
            }
        }
    }
}
