//! The cache of keys and values: pages of 32 tokens, laid out for the loops that read them.
//!
//! A page belongs to one layer and holds, for each key-value head in turn, one block: the keys
//! `[key_dim, 32 tokens]` (token fastest, so that one vector holds one entry of many tokens and a
//! score needs no sum across lanes), then the values `[32 tokens, value_dim]` (entry fastest, so that
//! the weighted sum needs none either). Both passes read their half front to back. With
//! [`KvFormat::Q8_0`] the codes are followed by the F16 scales, one for each token and 32 entries:
//! `[key_dim / 32, 32 tokens]` and `[32 tokens, value_dim / 32]`.

use half::f16;

use crate::Kernels;
use crate::buffer::SharedMut;

/// Tokens in a page.
pub const PAGE_TOKENS: usize = 32;
/// Entries that share a scale in [`KvFormat::Q8_0`].
pub(crate) const GROUP: usize = 32;
/// Stored floats saturate here, so that no infinity enters a cache.
const F16_MAX: f32 = 65504.0;

/// How the numbers of a cache are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KvFormat {
    /// 32-bit floats, exact.
    F32,
    /// 16-bit floats, the usual choice.
    F16,
    /// 8-bit codes with an F16 scale for each 32 entries of a token.
    Q8_0,
}

/// Where values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ValueStore {
    /// Stored beside the keys.
    Own,
    /// The first `value_dim` entries of the key (latent attention), stored once.
    PrefixOfKey,
}

/// The shape of one layer's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KvShape {
    /// Heads that have keys and values.
    pub kv_heads: usize,
    /// Entries of a key.
    pub key_dim: usize,
    /// Entries of a value; at most `key_dim` when values are a prefix of keys.
    pub value_dim: usize,
    /// How they are stored.
    pub format: KvFormat,
    /// Whether values are stored at all.
    pub value: ValueStore,
}

impl KvShape {
    /// Bytes of one page: the keys and values of 32 tokens in one layer. A multiple of 64.
    pub fn page_bytes(&self) -> usize {
        self.kv_heads * self.head_bytes()
    }

    /// Bytes of one head's block in a page.
    pub(crate) fn head_bytes(&self) -> usize {
        (self.key_bytes() + self.value_bytes()).next_multiple_of(64)
    }

    /// Bytes of the keys in a head's block; the values follow.
    pub(crate) fn key_bytes(&self) -> usize {
        self.part_bytes(self.key_dim)
    }

    fn value_bytes(&self) -> usize {
        match self.value {
            ValueStore::Own => self.part_bytes(self.value_dim),
            ValueStore::PrefixOfKey => 0,
        }
    }

    fn part_bytes(&self, dim: usize) -> usize {
        PAGE_TOKENS
            * match self.format {
                KvFormat::F32 => 4 * dim,
                KvFormat::F16 => 2 * dim,
                KvFormat::Q8_0 => dim + 2 * dim.div_ceil(GROUP),
            }
    }

    pub(crate) fn check(&self) {
        assert!(
            self.kv_heads > 0 && self.key_dim > 0 && self.value_dim > 0,
            "an empty shape: {self:?}"
        );
        assert!(
            self.value == ValueStore::Own || self.value_dim <= self.key_dim,
            "a value is longer than the key it is a prefix of: {self:?}"
        );
    }
}

/// A token's place in a layer's cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which page.
    pub page: u32,
    /// Which of its 32 tokens.
    pub offset: u32,
}

impl Kernels {
    /// Puts `keys` `[rows, kv_heads, key_dim]` and `values` `[rows, kv_heads, value_dim]` (left
    /// unread when they are a prefix of the keys) into `cache` `[pages, page_bytes]` of one layer, row
    /// by row at `slots` `[rows]`.
    ///
    /// Panics when a length or a slot does not fit the shape.
    pub fn kv_store(
        &self,
        shape: &KvShape,
        cache: &mut [u8],
        keys: &[f32],
        values: &[f32],
        slots: &[Slot],
    ) {
        shape.check();
        let pages = cache.len() / shape.page_bytes();
        let fits =
            |slot: &Slot| (slot.page as usize) < pages && (slot.offset as usize) < PAGE_TOKENS;
        assert!(slots.iter().all(fits), "a slot lies outside the cache of {pages} pages");
        assert_eq!(
            keys.len(),
            slots.len() * shape.kv_heads * shape.key_dim,
            "keys are [rows, kv_heads, key_dim]"
        );
        let own = shape.value == ValueStore::Own;
        assert!(
            !own || values.len() == slots.len() * shape.kv_heads * shape.value_dim,
            "values are [rows, kv_heads, value_dim]"
        );
        let cache = SharedMut::new(cache);
        let head = |head: usize| {
            for (row, slot) in slots.iter().enumerate() {
                let start = slot.page as usize * shape.page_bytes() + head * shape.head_bytes();
                // SAFETY: parts differ in `head`, and the blocks of different heads do not overlap.
                let block = unsafe { cache.part(start..start + shape.head_bytes()) };
                let (key_block, value_block) = block.split_at_mut(shape.key_bytes());
                let at = row * shape.kv_heads + head;
                let key = &keys[at * shape.key_dim..][..shape.key_dim];
                store_key(shape.format, key_block, key, slot.offset as usize);
                if own {
                    let value = &values[at * shape.value_dim..][..shape.value_dim];
                    store_value(shape.format, value_block, value, slot.offset as usize);
                }
            }
        };
        if slots.len() < 4 {
            (0..shape.kv_heads).for_each(head);
        } else {
            self.pool.run(shape.kv_heads, &head);
        }
    }
}

fn store_key(format: KvFormat, block: &mut [u8], key: &[f32], token: usize) {
    match format {
        KvFormat::F32 => {
            for (line, x) in block.chunks_exact_mut(4 * PAGE_TOKENS).zip(key) {
                line[4 * token..4 * token + 4].copy_from_slice(&x.to_le_bytes());
            }
        }
        KvFormat::F16 => {
            for (line, x) in block.chunks_exact_mut(2 * PAGE_TOKENS).zip(key) {
                line[2 * token..2 * token + 2].copy_from_slice(&to_f16(*x).to_le_bytes());
            }
        }
        KvFormat::Q8_0 => {
            let (codes, scales) = block.split_at_mut(key.len() * PAGE_TOKENS);
            let groups =
                codes.chunks_mut(GROUP * PAGE_TOKENS).zip(scales.chunks_exact_mut(2 * PAGE_TOKENS));
            for ((codes, scales), xs) in groups.zip(key.chunks(GROUP)) {
                let scale = scale_of(xs);
                scales[2 * token..2 * token + 2].copy_from_slice(&scale.to_le_bytes());
                for (line, x) in codes.chunks_exact_mut(PAGE_TOKENS).zip(xs) {
                    line[token] = code_of(*x, scale);
                }
            }
        }
    }
}

fn store_value(format: KvFormat, block: &mut [u8], value: &[f32], token: usize) {
    let dim = value.len();
    match format {
        KvFormat::F32 => {
            for (to, x) in block[4 * token * dim..][..4 * dim].chunks_exact_mut(4).zip(value) {
                to.copy_from_slice(&x.to_le_bytes());
            }
        }
        KvFormat::F16 => {
            for (to, x) in block[2 * token * dim..][..2 * dim].chunks_exact_mut(2).zip(value) {
                to.copy_from_slice(&to_f16(*x).to_le_bytes());
            }
        }
        KvFormat::Q8_0 => {
            let (codes, scales) = block.split_at_mut(dim * PAGE_TOKENS);
            let groups = dim.div_ceil(GROUP);
            let codes = codes[token * dim..][..dim].chunks_mut(GROUP);
            let scales = scales[2 * token * groups..][..2 * groups].chunks_exact_mut(2);
            for ((codes, to), xs) in codes.zip(scales).zip(value.chunks(GROUP)) {
                let scale = scale_of(xs);
                to.copy_from_slice(&scale.to_le_bytes());
                for (code, x) in codes.iter_mut().zip(xs) {
                    *code = code_of(*x, scale);
                }
            }
        }
    }
}

fn to_f16(x: f32) -> f16 {
    f16::from_f32(x.clamp(-F16_MAX, F16_MAX))
}

fn scale_of(xs: &[f32]) -> f16 {
    to_f16(xs.iter().fold(0f32, |max, x| max.max(x.abs())) / 127.0)
}

fn code_of(x: f32, scale: f16) -> u8 {
    let scale = scale.to_f32();
    let code = if scale > 0.0 { (x / scale).round_ties_even().clamp(-127.0, 127.0) } else { 0.0 };
    (code as i8).cast_unsigned()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Isa;

    /// One token's key and value as a cache holds them.
    pub(crate) fn read(
        shape: &KvShape,
        cache: &[u8],
        slot: Slot,
        head: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let block = &cache[slot.page as usize * shape.page_bytes() + head * shape.head_bytes()..];
        let (keys, values) = block.split_at(shape.key_bytes());
        let token = slot.offset as usize;
        let f16_at = |b: &[u8], i: usize| f16::from_le_bytes([b[2 * i], b[2 * i + 1]]).to_f32();
        let f32_at = |b: &[u8], i: usize| {
            f32::from_le_bytes([b[4 * i], b[4 * i + 1], b[4 * i + 2], b[4 * i + 3]])
        };
        let number = |b: &[u8], i: usize, codes: usize, scale: usize| match shape.format {
            KvFormat::F32 => f32_at(b, i),
            KvFormat::F16 => f16_at(b, i),
            KvFormat::Q8_0 => f32::from(b[i] as i8) * f16_at(&b[codes..], scale),
        };
        let (kd, vd) = (shape.key_dim, shape.value_dim);
        let key: Vec<f32> =
            (0..kd).map(|d| number(keys, d * 32 + token, kd * 32, d / 32 * 32 + token)).collect();
        let value = match shape.value {
            ValueStore::PrefixOfKey => key[..vd].to_vec(),
            ValueStore::Own => (0..vd)
                .map(|d| number(values, token * vd + d, vd * 32, token * vd.div_ceil(32) + d / 32))
                .collect(),
        };
        (key, value)
    }

    #[test]
    fn what_is_stored_is_read_back_within_the_format_s_error() {
        for (format, bound) in
            [(KvFormat::F32, 0.0), (KvFormat::F16, 5e-4), (KvFormat::Q8_0, 4.1e-3)]
        {
            for (value, kd, vd) in [(ValueStore::Own, 80, 48), (ValueStore::PrefixOfKey, 72, 64)] {
                let shape = KvShape { kv_heads: 3, key_dim: kd, value_dim: vd, format, value };
                let rows = 40;
                let keys: Vec<f32> =
                    (0..rows * 3 * kd).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
                let values: Vec<f32> =
                    (0..rows * 3 * vd).map(|i| ((i * 53 % 97) as f32 - 48.0) / 48.0).collect();
                let slots: Vec<Slot> = (0..rows)
                    .map(|r| Slot { page: 3 - (r / 32) as u32 * 2, offset: (r % 32) as u32 })
                    .collect();
                let mut cache = vec![0xffu8; 4 * shape.page_bytes()];
                let kernels = Kernels::new(Isa::Scalar, 2).unwrap();
                kernels.kv_store(&shape, &mut cache, &keys, &values, &slots);
                for (row, slot) in slots.iter().enumerate() {
                    for head in 0..3 {
                        let (key, got) = read(&shape, &cache, *slot, head);
                        let at = row * 3 + head;
                        let want = match value {
                            ValueStore::Own => &values[at * vd..][..vd],
                            ValueStore::PrefixOfKey => &keys[at * kd..][..vd],
                        };
                        for (a, b) in key.iter().zip(&keys[at * kd..]).chain(got.iter().zip(want)) {
                            assert!((a - b).abs() <= bound, "{format:?} {a} {b}");
                        }
                    }
                }
                assert!(
                    cache[..shape.page_bytes()].iter().all(|b| *b == 0xff),
                    "page 0 is nobody's"
                );
            }
        }
    }
}
