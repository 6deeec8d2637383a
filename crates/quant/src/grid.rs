//! The lattices of the IQ formats: a short code names a point of eight (or four) coordinates.
//!
//! An IQ block spends its bits on codes of points instead of on single values: most combinations of
//! eight magnitudes hardly occur in trained weights, and those that do get a code.

mod tables;

use crate::lattice::Lattice;

pub(crate) static IQ1: [[i8; 8]; 2048] = expand(&tables::IQ1, 2, &[-1, 0, 1, 0]);
pub(crate) static IQ2_XXS: [[i8; 8]; 256] = expand(&tables::IQ2_XXS, 2, &IQ2_LEVELS);
pub(crate) static IQ2_XS: [[i8; 8]; 512] = expand(&tables::IQ2_XS, 2, &IQ2_LEVELS);
pub(crate) static IQ2_S: [[i8; 8]; 1024] = expand(&tables::IQ2_S, 2, &IQ2_LEVELS);
pub(crate) static IQ3_XXS: [[i8; 4]; 256] = expand(&tables::IQ3_XXS, 3, &IQ3_XXS_LEVELS);
pub(crate) static IQ3_S: [[i8; 4]; 512] = expand(&tables::IQ3_S, 3, &IQ3_S_LEVELS);

pub(crate) static IQ1_SEARCH: Lattice<8> = Lattice::new(&IQ1, &[-1, 0, 1]);
pub(crate) static IQ2_XXS_SEARCH: Lattice<8> = Lattice::new(&IQ2_XXS, &[8, 25, 43]);
pub(crate) static IQ2_XS_SEARCH: Lattice<8> = Lattice::new(&IQ2_XS, &[8, 25, 43]);
pub(crate) static IQ2_S_SEARCH: Lattice<8> = Lattice::new(&IQ2_S, &[8, 25, 43]);
pub(crate) static IQ3_XXS_SEARCH: Lattice<4> = Lattice::new(&IQ3_XXS, &IQ3_XXS_LEVELS);
pub(crate) static IQ3_S_SEARCH: Lattice<4> = Lattice::new(&IQ3_S, &IQ3_S_LEVELS);

/// The magnitudes of IQ2 coordinates, in eighths.
const IQ2_LEVELS: [i8; 4] = [8, 25, 43, 0];

/// The magnitudes of IQ3_XXS coordinates.
const IQ3_XXS_LEVELS: [i8; 8] = [4, 12, 20, 28, 36, 44, 52, 62];

/// The magnitudes of IQ3_S coordinates.
const IQ3_S_LEVELS: [i8; 8] = [1, 3, 5, 7, 9, 11, 13, 15];

/// Unpacks points whose coordinates are `bits` wide indices into `levels`, the first in the lowest bits.
const fn expand<const DIMS: usize, const POINTS: usize>(
    packed: &[u16; POINTS],
    bits: usize,
    levels: &[i8],
) -> [[i8; DIMS]; POINTS] {
    let mut points = [[0; DIMS]; POINTS];
    let mut point = 0;
    while point < POINTS {
        let mut dim = 0;
        while dim < DIMS {
            let level = packed[point] as usize >> (bits * dim) & ((1 << bits) - 1);
            points[point][dim] = levels[level];
            dim += 1;
        }
        point += 1;
    }
    points
}

/// The eight signs behind a 7-bit code: the eighth makes the number of minus signs even.
#[inline(always)]
pub(crate) fn even_signs(code: u32) -> u32 {
    let code = code & 127;
    code | (code.count_ones() & 1) << 7
}

/// `value` with its sign turned where bit `at` of `signs` is set.
#[inline(always)]
pub(crate) fn signed(value: f32, signs: u32, at: usize) -> f32 {
    f32::from_bits(value.to_bits() ^ (signs >> at & 1) << 31)
}
