//! Attention over a span, in register tiles.
//!
//! Scores: a tile of query vectors × two vectors of tokens; each entry of the keys is one row of the
//! block, so a score is one chain of multiply-adds over the entries and no lanes are added up. Weighted
//! values: a tile of query vectors × a few vectors of entries, one chain over the tokens. Chains are the
//! same in every tile shape, so a row's bits do not depend on how many rows share the tile.
//!
//! Few query vectors (generating) read the stored numbers straight into registers: the block is then
//! touched once, at the speed of memory, and the next block is asked for meanwhile. Many (a prompt) have
//! the block decoded to floats once, in the nearest cache. Both give the same bits.
//!
//! Roofline: generating is bound by reading the cache (one multiply-add per query head and number);
//! prompts by multiply-adds, 2 of which a core starts in a cycle.
//!
//! Measured on a busy Zen 5 (processor time of one thread, so against limits that others disturbed less
//! or more): F16 generating at depth 4,096 reads 14 to 24 GB/s (heads of 64 and 128), Q8_0 11 to 15 GB/s
//! of half the bytes, so it takes about 0.8 of the time; 512-row prompts reach 0.47 to 0.58 of the f32
//! peak with heads of 64, 0.5 to 0.64 with 128, 0.6 to 0.66 with 256 and latent attention; AVX2 0.57 to
//! 0.7 of its own peak. With heads of 64 the softmax costs a quarter of the time (32 exponentials for
//! 4,096 multiply-adds). Tried: scales of Q8_0 values widened one by one in scalar code (spilled the
//! tile; one broadcast and one conversion instead); latent values transposed number by number (as dear
//! as the arithmetic of 16 heads; squares in registers instead).
#![allow(
    clippy::cast_ptr_alignment,
    reason = "every read through these pointers is an unaligned one"
)]

use std::ops::Range;

use super::{Each, Simd, activation::Softcap, math};
use crate::attend::{LANES, Span, State};
use crate::kv::{GROUP, KvFormat, PAGE_TOKENS, ValueStore};

/// Query vectors from which decoding a block first pays.
const DECODE_FROM: usize = 16;

/// Adds the tokens of a span to `state`.
#[inline(always)]
pub(crate) fn attend_span<S: Simd, T: Tiles>(
    s: S,
    span: &Span<'_>,
    state: &mut State<'_>,
    work: &mut [f32],
) {
    let shape = span.shape;
    let dims = state.dims();
    let direct = shape.value == ValueStore::Own
        && shape.value_dim.is_multiple_of(LANES)
        && span.rows * span.group < DECODE_FROM;
    let (scores, work) = work.split_at_mut(span.rows * span.group * PAGE_TOKENS);
    let (keys, work) = work.split_at_mut(PAGE_TOKENS * shape.key_dim);
    let values = &mut work[..PAGE_TOKENS * dims];
    let blocks = span.blocks();
    for block in blocks.clone() {
        let (key_bytes, value_bytes) = span.block(block);
        let ahead = if direct && block + 1 < blocks.end {
            span.block(block + 1)
        } else {
            (key_bytes, value_bytes)
        };
        if !direct {
            decode_block(s, span, key_bytes, value_bytes, dims, keys, values);
        }
        let mut row = 0;
        while row < span.rows {
            let tokens = seen(span, row, block);
            let first = row;
            while row < span.rows && seen(span, row, block) == tokens {
                row += 1;
            }
            if tokens.is_empty() {
                continue;
            }
            let run = Run { queries: first * span.group..row * span.group, tokens, dims, ahead };
            // SAFETY: the block holds what the shape says; decoded blocks are `[key_dim, 32]` and
            // `[32, dims]` floats; `scores` and `state` have a place for every query vector.
            unsafe {
                match (direct, shape.format) {
                    (false, _) => run.go::<S, F32, T>(
                        s,
                        span,
                        bytes_of(keys),
                        bytes_of(values),
                        scores,
                        state,
                    ),
                    (true, KvFormat::F32) => {
                        run.go::<S, F32, T>(s, span, key_bytes, value_bytes, scores, state);
                    }
                    (true, KvFormat::F16) => {
                        run.go::<S, F16, T>(s, span, key_bytes, value_bytes, scores, state);
                    }
                    (true, KvFormat::Q8_0) => {
                        run.go::<S, Q8, T>(s, span, key_bytes, value_bytes, scores, state);
                    }
                }
            }
        }
    }
}

/// The tokens of a block, counted from its first, that a row sees.
#[inline(always)]
fn seen(span: &Span<'_>, row: usize, block: usize) -> Range<usize> {
    let first = block * PAGE_TOKENS;
    let seen = span.visible(row);
    let start = seen.start.clamp(first, first + PAGE_TOKENS);
    start - first..seen.end.clamp(start, first + PAGE_TOKENS) - first
}

fn bytes_of(x: &[f32]) -> &[u8] {
    // SAFETY: any float is four bytes.
    unsafe { std::slice::from_raw_parts(x.as_ptr().cast(), size_of_val(x)) }
}

/// How large register tiles are.
pub(crate) trait Tiles {
    /// Query vectors in a tile of scores (times two vectors of tokens).
    fn scores<S: Simd, F: Store>(s: S, left: usize, tile: &Tile<'_>) -> usize;
    /// Query vectors in a tile of values (times a few vectors of entries).
    fn weigh<S: Simd, F: Store>(s: S, left: usize, tile: &Weigh<'_>) -> usize;
}

/// For 32 registers of 16 lanes.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Wide;

#[cfg(target_arch = "x86_64")]
impl Tiles for Wide {
    #[inline(always)]
    fn scores<S: Simd, F: Store>(s: S, left: usize, tile: &Tile<'_>) -> usize {
        // SAFETY: no more than are left.
        unsafe {
            match left {
                12.. => tile.scores::<S, F, 12>(s),
                8.. => tile.scores::<S, F, 8>(s),
                4.. => tile.scores::<S, F, 4>(s),
                2.. => tile.scores::<S, F, 2>(s),
                _ => tile.scores::<S, F, 1>(s),
            }
        }
    }

    #[inline(always)]
    fn weigh<S: Simd, F: Store>(s: S, left: usize, tile: &Weigh<'_>) -> usize {
        // SAFETY: no more than are left.
        unsafe {
            match left {
                6.. => tile.weigh::<S, F, 6, 4>(s),
                4.. => tile.weigh::<S, F, 4, 4>(s),
                2.. => tile.weigh::<S, F, 2, 4>(s),
                _ => tile.weigh::<S, F, 1, 4>(s),
            }
        }
    }
}

/// For 16 registers of 8 lanes.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Narrow;

#[cfg(target_arch = "x86_64")]
impl Tiles for Narrow {
    #[inline(always)]
    fn scores<S: Simd, F: Store>(s: S, left: usize, tile: &Tile<'_>) -> usize {
        // SAFETY: no more than are left.
        unsafe {
            match left {
                6.. => tile.scores::<S, F, 6>(s),
                4.. => tile.scores::<S, F, 4>(s),
                2.. => tile.scores::<S, F, 2>(s),
                _ => tile.scores::<S, F, 1>(s),
            }
        }
    }

    #[inline(always)]
    fn weigh<S: Simd, F: Store>(s: S, left: usize, tile: &Weigh<'_>) -> usize {
        // SAFETY: no more than are left.
        unsafe {
            match left {
                6.. => tile.weigh::<S, F, 6, 2>(s),
                4.. => tile.weigh::<S, F, 4, 2>(s),
                2.. => tile.weigh::<S, F, 2, 4>(s),
                _ => tile.weigh::<S, F, 1, 4>(s),
            }
        }
    }
}

/// For 32 registers of 4 lanes.
#[cfg_attr(target_arch = "x86_64", allow(dead_code, reason = "for NEON"))]
pub(crate) struct Many;

impl Tiles for Many {
    #[inline(always)]
    fn scores<S: Simd, F: Store>(s: S, left: usize, tile: &Tile<'_>) -> usize {
        // SAFETY: no more than are left.
        unsafe {
            match left {
                12.. => tile.scores::<S, F, 12>(s),
                4.. => tile.scores::<S, F, 4>(s),
                2.. => tile.scores::<S, F, 2>(s),
                _ => tile.scores::<S, F, 1>(s),
            }
        }
    }

    #[inline(always)]
    fn weigh<S: Simd, F: Store>(s: S, left: usize, tile: &Weigh<'_>) -> usize {
        // SAFETY: no more than are left.
        unsafe {
            match left {
                6.. => tile.weigh::<S, F, 6, 4>(s),
                2.. => tile.weigh::<S, F, 2, 4>(s),
                _ => tile.weigh::<S, F, 1, 4>(s),
            }
        }
    }
}

/// Some query vectors that see the same tokens of a block.
struct Run<'a> {
    queries: Range<usize>,
    tokens: Range<usize>,
    /// Entries of a value, padded to whole vectors.
    dims: usize,
    /// The next block, to be asked for.
    ahead: (&'a [u8], &'a [u8]),
}

impl Run<'_> {
    /// # Safety
    /// `keys` and `values` are a block as `F` stores it, of the span's shape.
    #[inline(always)]
    unsafe fn go<S: Simd, F: Store, T: Tiles>(
        &self,
        s: S,
        span: &Span<'_>,
        keys: &[u8],
        values: &[u8],
        scores: &mut [f32],
        state: &mut State<'_>,
    ) {
        let key_dim = span.shape.key_dim;
        let mut i = self.queries.start;
        while i < self.queries.end {
            let tile = Tile {
                q: &span.q[i * key_dim..self.queries.end * key_dim],
                key_dim,
                keys,
                ahead: self.ahead.0,
                scores: scores[i * PAGE_TOKENS..].as_mut_ptr(),
                _out: std::marker::PhantomData,
            };
            i += T::scores::<S, F>(s, self.queries.end - i, &tile);
        }
        let mut keep = [1f32; crate::attend::QUERIES_MAX];
        for i in self.queries.clone() {
            let line = &mut scores[i * PAGE_TOKENS..][..PAGE_TOKENS];
            keep[i - self.queries.start] = soften(s, span.softcap, &self.tokens, line, state, i);
        }
        let mut i = self.queries.start;
        while i < self.queries.end {
            let tile = Weigh {
                weights: &scores[i * PAGE_TOKENS..self.queries.end * PAGE_TOKENS],
                keep: &keep[i - self.queries.start..],
                tokens: self.tokens.clone(),
                values,
                dims: self.dims,
                ahead: self.ahead.1,
                acc: state.acc[i * self.dims..].as_mut_ptr(),
            };
            i += T::weigh::<S, F>(s, self.queries.end - i, &tile);
        }
    }
}

/// Scores of one query vector become weights; its maximum and sum move on. Returns what the
/// accumulated values are to be multiplied by.
#[inline(always)]
fn soften<S: Simd>(
    s: S,
    softcap: Option<f32>,
    tokens: &Range<usize>,
    scores: &mut [f32],
    state: &mut State<'_>,
    i: usize,
) -> f32 {
    scores[..tokens.start].fill(f32::NEG_INFINITY);
    scores[tokens.end..].fill(f32::NEG_INFINITY);
    let at = scores.as_mut_ptr();
    let old = state.max[i];
    let mut max = s.splat(f32::NEG_INFINITY);
    let mut t = 0;
    while t < PAGE_TOKENS {
        // SAFETY: 32 scores are a whole number of vectors.
        unsafe {
            let mut x = s.load(at.add(t));
            if let Some(cap) = softcap {
                // A score that is hidden stays so.
                let hidden = s.splat(f32::MIN);
                x = s.select_less(x, hidden, x, Softcap(cap).of(s, x, x));
                s.store(at.add(t), x);
            }
            max = s.max(x, max);
        }
        t += S::LANES;
    }
    let max = s.reduce_max(max).max(old);
    // When nothing is greater than −∞, nothing has weight.
    let shift = s.splat(if max == f32::NEG_INFINITY { 0.0 } else { max });
    // exp(0) is 1 in this arithmetic too, so the short cut changes no bit.
    let keep = if max == old { 1.0 } else { first(s, math::exp(s, s.sub(s.splat(old), shift))) };
    let sums = state.sum[i * LANES..][..LANES].as_mut_ptr();
    let mut lane = 0;
    while lane < LANES {
        // SAFETY: 32 scores and 16 sums are whole numbers of vectors.
        unsafe {
            let a = math::exp(s, s.sub(s.load(at.add(lane)), shift));
            let b = math::exp(s, s.sub(s.load(at.add(lane + LANES)), shift));
            s.store(at.add(lane), a);
            s.store(at.add(lane + LANES), b);
            s.store(sums.add(lane), s.fma(s.load(sums.add(lane)), s.splat(keep), s.add(a, b)));
        }
        lane += S::LANES;
    }
    state.max[i] = max;
    keep
}

#[inline(always)]
fn first<S: Simd>(s: S, x: S::V) -> f32 {
    let mut out = [0f32; 16];
    // SAFETY: a vector is at most 16 long.
    unsafe { s.store(out.as_mut_ptr(), x) };
    out[0]
}

/// A tile of scores: query vectors from `q` on against all tokens of a block.
pub(crate) struct Tile<'a> {
    q: &'a [f32],
    key_dim: usize,
    keys: &'a [u8],
    ahead: &'a [u8],
    scores: *mut f32,
    _out: std::marker::PhantomData<&'a mut [f32]>,
}

impl Tile<'_> {
    /// # Safety
    /// At least `R` query vectors are in `q`, and as many rows of 32 are writable at `scores`.
    #[inline(always)]
    unsafe fn scores<S: Simd, F: Store, const R: usize>(&self, s: S) -> usize {
        let mut t = 0;
        while t < PAGE_TOKENS {
            let mut acc = [[s.splat(0.0); 2]; R];
            let mut d = 0;
            while d < self.key_dim {
                // SAFETY: a group of entries starts at `d`, two vectors of tokens at `t`.
                let scale = unsafe {
                    let at = |t| F::key_scale(s, self.keys.as_ptr(), self.key_dim, d, t);
                    [at(t), at(t + S::LANES)]
                };
                let end = (d + GROUP).min(self.key_dim);
                while d < end {
                    // SAFETY: as above, `d < key_dim`.
                    unsafe {
                        s.prefetch(self.ahead.as_ptr().add(d * F::KEY_LINE));
                        let a = F::key(s, self.keys.as_ptr(), d, t, scale[0]);
                        let b = F::key(s, self.keys.as_ptr(), d, t + S::LANES, scale[1]);
                        let mut r = 0;
                        while r < R {
                            let x = s.splat(*self.q.as_ptr().add(r * self.key_dim + d));
                            acc[r][0] = s.fma(x, a, acc[r][0]);
                            acc[r][1] = s.fma(x, b, acc[r][1]);
                            r += 1;
                        }
                    }
                    d += 1;
                }
            }
            let mut r = 0;
            while r < R {
                // SAFETY: row `r` of 32 scores is the caller's.
                unsafe {
                    let to = self.scores.add(r * PAGE_TOKENS + t);
                    s.store(to, acc[r][0]);
                    s.store(to.add(S::LANES), acc[r][1]);
                }
                r += 1;
            }
            t += 2 * S::LANES;
        }
        R
    }
}

/// A tile of weighted values: query vectors from the first of `weights` on.
pub(crate) struct Weigh<'a> {
    weights: &'a [f32],
    keep: &'a [f32],
    tokens: Range<usize>,
    values: &'a [u8],
    dims: usize,
    ahead: &'a [u8],
    acc: *mut f32,
}

impl Weigh<'_> {
    /// # Safety
    /// At least `R` query vectors are in `weights`, `keep` and `acc`.
    #[inline(always)]
    unsafe fn weigh<S: Simd, F: Store, const R: usize, const C: usize>(&self, s: S) -> usize {
        let mut d = 0;
        // SAFETY: whole vectors up to `dims`.
        unsafe {
            while d + C * S::LANES <= self.dims {
                self.columns::<S, F, R, C>(s, d);
                d += C * S::LANES;
            }
            while d < self.dims {
                self.columns::<S, F, R, 1>(s, d);
                d += S::LANES;
            }
        }
        R
    }

    /// # Safety
    /// As for `weigh`, and `C` vectors of entries from `d` on.
    #[inline(always)]
    unsafe fn columns<S: Simd, F: Store, const R: usize, const C: usize>(&self, s: S, d: usize) {
        let mut acc = [[s.splat(0.0); C]; R];
        let mut r = 0;
        while r < R {
            let mut c = 0;
            while c < C {
                // SAFETY: the caller's word.
                unsafe {
                    let old = s.load(self.acc.add(r * self.dims + d + c * S::LANES));
                    acc[r][c] = s.mul(old, s.splat(*self.keep.as_ptr().add(r)));
                }
                c += 1;
            }
            r += 1;
        }
        let mut t = self.tokens.start;
        while t < self.tokens.end {
            let mut v = [s.splat(0.0); C];
            let mut c = 0;
            while c < C {
                // SAFETY: token `t` of the block, entries from `d` on.
                v[c] = unsafe { F::value(s, self.values.as_ptr(), self.dims, t, d + c * S::LANES) };
                c += 1;
            }
            // SAFETY: prefetching never faults, and the address stays near the block.
            s.prefetch(self.ahead.as_ptr().wrapping_add((t * self.dims + d) * F::VALUE_BYTES));
            let mut r = 0;
            while r < R {
                // SAFETY: the caller's word.
                let weight = s.splat(unsafe { *self.weights.as_ptr().add(r * PAGE_TOKENS + t) });
                let mut c = 0;
                while c < C {
                    acc[r][c] = s.fma(weight, v[c], acc[r][c]);
                    c += 1;
                }
                r += 1;
            }
            t += 1;
        }
        let mut r = 0;
        while r < R {
            let mut c = 0;
            while c < C {
                // SAFETY: the caller's word.
                unsafe { s.store(self.acc.add(r * self.dims + d + c * S::LANES), acc[r][c]) };
                c += 1;
            }
            r += 1;
        }
    }
}

/// How a block's numbers are stored, read a vector at a time.
pub(crate) trait Store {
    /// Bytes from one entry of the keys to the next.
    const KEY_LINE: usize;
    /// Bytes of a value's entry.
    const VALUE_BYTES: usize;

    /// The scale of tokens `t ..` for the group of entries that `d` begins.
    ///
    /// # Safety
    /// `keys` is a block of `key_dim` entries.
    unsafe fn key_scale<S: Simd>(s: S, keys: *const u8, key_dim: usize, d: usize, t: usize)
    -> S::V;

    /// Entry `d` of tokens `t ..`.
    ///
    /// # Safety
    /// `keys` is a block with more than `d` entries.
    unsafe fn key<S: Simd>(s: S, keys: *const u8, d: usize, t: usize, scale: S::V) -> S::V;

    /// Entries `d ..` of token `t`.
    ///
    /// # Safety
    /// `values` is a block of `dims` entries.
    unsafe fn value<S: Simd>(s: S, values: *const u8, dims: usize, t: usize, d: usize) -> S::V;
}

/// 32-bit floats.
pub(crate) struct F32;

impl Store for F32 {
    const KEY_LINE: usize = 4 * PAGE_TOKENS;
    const VALUE_BYTES: usize = 4;

    #[inline(always)]
    unsafe fn key_scale<S: Simd>(s: S, _: *const u8, _: usize, _: usize, _: usize) -> S::V {
        s.splat(1.0)
    }

    #[inline(always)]
    unsafe fn key<S: Simd>(s: S, keys: *const u8, d: usize, t: usize, _: S::V) -> S::V {
        // SAFETY: the caller's word.
        unsafe { s.load(keys.cast::<f32>().add(d * PAGE_TOKENS + t)) }
    }

    #[inline(always)]
    unsafe fn value<S: Simd>(s: S, values: *const u8, dims: usize, t: usize, d: usize) -> S::V {
        // SAFETY: the caller's word.
        unsafe { s.load(values.cast::<f32>().add(t * dims + d)) }
    }
}

/// 16-bit floats.
pub(crate) struct F16;

impl Store for F16 {
    const KEY_LINE: usize = 2 * PAGE_TOKENS;
    const VALUE_BYTES: usize = 2;

    #[inline(always)]
    unsafe fn key_scale<S: Simd>(s: S, _: *const u8, _: usize, _: usize, _: usize) -> S::V {
        s.splat(1.0)
    }

    #[inline(always)]
    unsafe fn key<S: Simd>(s: S, keys: *const u8, d: usize, t: usize, _: S::V) -> S::V {
        // SAFETY: the caller's word.
        unsafe { s.load_f16(keys.cast::<u16>().add(d * PAGE_TOKENS + t)) }
    }

    #[inline(always)]
    unsafe fn value<S: Simd>(s: S, values: *const u8, dims: usize, t: usize, d: usize) -> S::V {
        // SAFETY: the caller's word.
        unsafe { s.load_f16(values.cast::<u16>().add(t * dims + d)) }
    }
}

/// 8-bit codes with a 16-bit scale for each token and 32 entries.
pub(crate) struct Q8;

impl Store for Q8 {
    const KEY_LINE: usize = PAGE_TOKENS;
    const VALUE_BYTES: usize = 1;

    #[inline(always)]
    unsafe fn key_scale<S: Simd>(
        s: S,
        keys: *const u8,
        key_dim: usize,
        d: usize,
        t: usize,
    ) -> S::V {
        // SAFETY: the caller's word: the scales follow the codes.
        unsafe {
            s.load_f16(
                keys.add(key_dim * PAGE_TOKENS).cast::<u16>().add(d / GROUP * PAGE_TOKENS + t),
            )
        }
    }

    #[inline(always)]
    unsafe fn key<S: Simd>(s: S, keys: *const u8, d: usize, t: usize, scale: S::V) -> S::V {
        // SAFETY: the caller's word.
        s.mul(unsafe { s.load_i8(keys.cast::<i8>().add(d * PAGE_TOKENS + t)) }, scale)
    }

    #[inline(always)]
    unsafe fn value<S: Simd>(s: S, values: *const u8, dims: usize, t: usize, d: usize) -> S::V {
        // SAFETY: the caller's word: the scales follow the codes; a vector lies in one group.
        unsafe {
            let scales = values.add(dims * PAGE_TOKENS).cast::<u16>();
            let scale = s.splat_f16(scales.add(t * dims.div_ceil(GROUP) + d / GROUP));
            s.mul(s.load_i8(values.cast::<i8>().add(t * dims + d)), scale)
        }
    }
}

/// A block as floats: keys `[key_dim, 32]`, values `[32, dims]`, padded with zeros.
#[inline(always)]
fn decode_block<S: Simd>(
    s: S,
    span: &Span<'_>,
    key_bytes: &[u8],
    value_bytes: &[u8],
    dims: usize,
    keys: &mut [f32],
    values: &mut [f32],
) {
    let shape = span.shape;
    // SAFETY: the block holds what the shape says.
    unsafe {
        match shape.format {
            KvFormat::F32 => decode_keys::<S, F32>(s, key_bytes.as_ptr(), shape.key_dim, keys),
            KvFormat::F16 => decode_keys::<S, F16>(s, key_bytes.as_ptr(), shape.key_dim, keys),
            KvFormat::Q8_0 => decode_keys::<S, Q8>(s, key_bytes.as_ptr(), shape.key_dim, keys),
        }
    }
    if shape.value == ValueStore::PrefixOfKey {
        return transpose(s, keys, shape.value_dim, dims, values);
    }
    if !shape.value_dim.is_multiple_of(LANES) {
        return crate::scalar::attend::decode_values(shape, value_bytes, dims, values);
    }
    // SAFETY: as above.
    unsafe {
        match shape.format {
            KvFormat::F32 => decode_values::<S, F32>(s, value_bytes.as_ptr(), dims, values),
            KvFormat::F16 => decode_values::<S, F16>(s, value_bytes.as_ptr(), dims, values),
            KvFormat::Q8_0 => decode_values::<S, Q8>(s, value_bytes.as_ptr(), dims, values),
        }
    }
}

/// # Safety
/// `from` is a block of `key_dim` entries as `F` stores it.
#[inline(always)]
unsafe fn decode_keys<S: Simd, F: Store>(s: S, from: *const u8, key_dim: usize, keys: &mut [f32]) {
    assert!(keys.len() >= key_dim * PAGE_TOKENS, "a block of keys");
    let mut d = 0;
    while d < key_dim {
        let mut t = 0;
        while t < PAGE_TOKENS {
            // SAFETY: the caller's word; `d`, `t` lie in the block.
            unsafe {
                let scale = F::key_scale(s, from, key_dim, d, t);
                s.store(keys.as_mut_ptr().add(d * PAGE_TOKENS + t), F::key(s, from, d, t, scale));
            }
            t += S::LANES;
        }
        d += 1;
    }
}

/// # Safety
/// `from` is a block of `dims` entries, whole vectors, as `F` stores it.
#[inline(always)]
unsafe fn decode_values<S: Simd, F: Store>(s: S, from: *const u8, dims: usize, values: &mut [f32]) {
    assert!(values.len() >= dims * PAGE_TOKENS, "a block of values");
    let mut t = 0;
    while t < PAGE_TOKENS {
        let mut d = 0;
        while d < dims {
            // SAFETY: the caller's word; `t`, `d` lie in the block.
            unsafe {
                s.store(values.as_mut_ptr().add(t * dims + d), F::value(s, from, dims, t, d));
            };
            d += S::LANES;
        }
        t += 1;
    }
}

/// Values `[32, dims]` from the first entries of keys `[key_dim, 32]`.
#[inline(always)]
fn transpose<S: Simd>(s: S, keys: &[f32], value_dim: usize, dims: usize, values: &mut [f32]) {
    let whole = value_dim / S::LANES * S::LANES;
    assert!(keys.len() >= value_dim * PAGE_TOKENS && values.len() >= dims * PAGE_TOKENS, "a block");
    let mut d = 0;
    while d < whole {
        let mut t = 0;
        while t < PAGE_TOKENS {
            // SAFETY: rows `d .. d + LANES` of the keys and `t .. t + LANES` of the values lie inside.
            unsafe {
                let from = keys.as_ptr().add(d * PAGE_TOKENS + t);
                s.transpose(from, PAGE_TOKENS, values.as_mut_ptr().add(t * dims + d), dims);
            }
            t += S::LANES;
        }
        d += S::LANES;
    }
    for (t, line) in values.chunks_exact_mut(dims).enumerate() {
        for (d, to) in line.iter_mut().enumerate().skip(whole) {
            *to = if d < value_dim { keys[d * PAGE_TOKENS + t] } else { 0.0 };
        }
    }
}
