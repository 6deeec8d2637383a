//! Rotary position embedding of one head.

use super::Simd;
use crate::RopeStyle;

/// Turns the pairs of `x` `[dims]` by angles given as `cos` and `sin` `[dims / 2]`.
#[inline(always)]
pub(crate) fn rope<S: Simd>(s: S, x: &mut [f32], style: RopeStyle, cos: &[f32], sin: &[f32]) {
    let half = x.len() / 2;
    assert!(cos.len() == half && sin.len() == half, "an angle for each pair");
    if style == RopeStyle::Interleaved {
        // Plain pairs: the compiler finds the shuffles.
        for ((pair, cos), sin) in x.chunks_exact_mut(2).zip(cos).zip(sin) {
            (pair[0], pair[1]) =
                (turn(pair[0], *cos, pair[1], *sin), turn(pair[1], *cos, pair[0], -*sin));
        }
        return;
    }
    let (first, second) = x.split_at_mut(half);
    let whole = half / S::LANES * S::LANES;
    let mut i = 0;
    while i < whole {
        // SAFETY: `i + LANES <= half`, the length of all four.
        unsafe {
            let (a, b) = (s.load(first.as_ptr().add(i)), s.load(second.as_ptr().add(i)));
            let (c, d) = (s.load(cos.as_ptr().add(i)), s.load(sin.as_ptr().add(i)));
            s.store(first.as_mut_ptr().add(i), s.sub(s.mul(a, c), s.mul(b, d)));
            s.store(second.as_mut_ptr().add(i), s.add(s.mul(b, c), s.mul(a, d)));
        }
        i += S::LANES;
    }
    while i < half {
        let (a, b) = (first[i], second[i]);
        first[i] = turn(a, cos[i], b, sin[i]);
        second[i] = turn(b, cos[i], a, -sin[i]);
        i += 1;
    }
}

#[inline(always)]
fn turn(a: f32, cos: f32, b: f32, sin: f32) -> f32 {
    a * cos - b * sin
}
