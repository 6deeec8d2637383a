//! Rotary position embedding of one head.

use crate::RopeStyle;

/// Turns the pairs of `x` `[dims]` by angles given as `cos` and `sin` `[dims / 2]`.
pub(super) fn rope(x: &mut [f32], style: RopeStyle, cos: &[f32], sin: &[f32]) {
    let half = x.len() / 2;
    for (i, (cos, sin)) in cos.iter().zip(sin).enumerate() {
        let (a, b) = match style {
            RopeStyle::Halves => (i, i + half),
            RopeStyle::Interleaved => (2 * i, 2 * i + 1),
        };
        (x[a], x[b]) = (x[a] * cos - x[b] * sin, x[b] * cos + x[a] * sin);
    }
}
