//! How weights lie once packed: panels of 32 output rows, interleaved so that one vector load feeds
//! 16 rows and the next load lies right behind it.
//!
//! A panel is a sequence of units along `ins`. A unit of a float format is one column (two for BF16,
//! paired as the BF16 dot instruction wants them). A unit of a block format is one file block of each
//! of the 32 rows, 32 or 256 weights long, and takes exactly as many bytes as those blocks: nothing is
//! duplicated and nothing is widened.
//!
//! Within a unit, weights come in blocks of 32 along `ins`, as planes. Word `G` of a row is its codes
//! `4G … 4G+3`, the four bytes a dot-product lane takes:
//! - *bytes* `[8, 32 rows, 4]`: whole codes;
//! - *nibbles* `[4, 32 rows, 4]`: word `g` in the low halves, word `4 + g` in the high halves;
//! - *pairs of bits* `[2, 32 rows, 4]`: words `4p … 4p+3` in plane `p`, lowest first;
//! - *bits* `[32 rows, 4]`: word `G` in bit `G`.
//!
//! Scales follow the planes of a unit, one row beside the other. Codes are unsigned, as `vpdpbusd`
//! wants them; what a format subtracts from them is its [`Kind`]'s offset.

use quant::Format;

/// Output rows in a panel.
pub(crate) const PANEL: usize = 32;
/// Weights in a block along `ins`: one scale of the activations.
pub(crate) const BLOCK: usize = 32;
/// Columns of a float matrix that are summed before they join the total: bounds the rounding error of
/// long rows.
pub(crate) const FLOAT_CHUNK: usize = 256;

/// The arrangement of one panel; named after the file format it keeps the bits of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    F32,
    F16,
    /// Columns in pairs: `[ins/2, 32 rows, 2]`.
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Iq4Nl,
    Iq4Xs,
    Mxfp4,
    /// Whole codes with an F32 scale for every 16: where formats go that have no layout of their own.
    Int8,
}

/// How the sum over a block of 32 is put together. With `dot` over codes, `sum` over activations:
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `scale · (dot - offset·sum)`
    Plain { offset: i32 },
    /// `scale · dot - min · sum`
    Min,
    /// As `Plain`, for each 16 of the 32.
    Halves { offset: i32 },
    /// As `Min`, for each 16 of the 32.
    HalvesMin,
}

impl Layout {
    /// Every layout, for the tests that enumerate.
    #[cfg(test)]
    pub(crate) const ALL: [Layout; 17] = [
        Layout::F32,
        Layout::F16,
        Layout::Bf16,
        Layout::Q4_0,
        Layout::Q4_1,
        Layout::Q5_0,
        Layout::Q5_1,
        Layout::Q8_0,
        Layout::Q2K,
        Layout::Q3K,
        Layout::Q4K,
        Layout::Q5K,
        Layout::Q6K,
        Layout::Iq4Nl,
        Layout::Iq4Xs,
        Layout::Mxfp4,
        Layout::Int8,
    ];

    /// Where a file format goes. A format of single numbers that has no layout (FP8) goes to BF16, which
    /// holds every FP8 number exactly; a block format that has none goes to [`Layout::Int8`].
    pub(crate) fn of(format: &Format) -> Layout {
        match format.name {
            "F32" => Layout::F32,
            "F16" => Layout::F16,
            "BF16" => Layout::Bf16,
            "Q4_0" => Layout::Q4_0,
            "Q4_1" => Layout::Q4_1,
            "Q5_0" => Layout::Q5_0,
            "Q5_1" => Layout::Q5_1,
            "Q8_0" => Layout::Q8_0,
            "Q2_K" => Layout::Q2K,
            "Q3_K" => Layout::Q3K,
            "Q4_K" => Layout::Q4K,
            "Q5_K" => Layout::Q5K,
            "Q6_K" => Layout::Q6K,
            "IQ4_NL" => Layout::Iq4Nl,
            "IQ4_XS" => Layout::Iq4Xs,
            "MXFP4" => Layout::Mxfp4,
            name if name.starts_with("F8") || name.starts_with("FP8") => Layout::Bf16,
            _ if format.block.is_multiple_of(BLOCK) => Layout::Int8,
            _ => Layout::F32,
        }
    }

    /// Columns in a unit.
    pub(crate) const fn unit(self) -> usize {
        match self {
            Layout::F32 | Layout::F16 => 1,
            Layout::Bf16 => 2,
            Layout::Q2K | Layout::Q3K | Layout::Q4K | Layout::Q5K | Layout::Q6K | Layout::Iq4Xs => {
                256
            }
            _ => BLOCK,
        }
    }

    /// Bytes of a unit of 32 rows.
    pub(crate) const fn unit_bytes(self) -> usize {
        PANEL
            * match self {
                Layout::F32 | Layout::Bf16 => 4,
                Layout::F16 => 2,
                Layout::Q4_0 | Layout::Iq4Nl => 18,
                Layout::Q4_1 => 20,
                Layout::Q5_0 => 22,
                Layout::Q5_1 => 24,
                Layout::Q8_0 => 34,
                Layout::Q2K => 84,
                Layout::Q3K => 110,
                Layout::Q4K => 144,
                Layout::Q5K => 176,
                Layout::Q6K => 210,
                Layout::Iq4Xs => 136,
                Layout::Mxfp4 => 17,
                Layout::Int8 => 40,
            }
    }

    /// Bytes of a panel of `ins` columns.
    pub(crate) fn panel_bytes(self, ins: usize) -> Option<usize> {
        ins.div_ceil(self.unit()).checked_mul(self.unit_bytes())
    }

    /// How a block's sum is put together; None for float layouts, which multiply activations as they are.
    pub(crate) const fn kind(self) -> Option<Kind> {
        Some(match self {
            Layout::F32 | Layout::F16 | Layout::Bf16 => return None,
            Layout::Q4_0 => Kind::Plain { offset: 8 },
            Layout::Q5_0 | Layout::Mxfp4 => Kind::Plain { offset: 16 },
            Layout::Q8_0 | Layout::Iq4Nl | Layout::Iq4Xs => Kind::Plain { offset: 128 },
            Layout::Q4_1 | Layout::Q5_1 | Layout::Q4K | Layout::Q5K => Kind::Min,
            Layout::Q3K => Kind::Halves { offset: 4 },
            Layout::Q6K => Kind::Halves { offset: 32 },
            Layout::Int8 => Kind::Halves { offset: 128 },
            Layout::Q2K => Kind::HalvesMin,
        })
    }
}

/// IQ4's sixteen levels, raised by 128.
pub(crate) static IQ4_LEVELS: [u8; 16] =
    [1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241];
/// MXFP4's sixteen levels (E2M1, doubled), raised by 16.
pub(crate) static MXFP4_LEVELS: [u8; 16] =
    [16, 17, 18, 19, 20, 22, 24, 28, 16, 15, 14, 13, 12, 10, 8, 4];

/// Half of what an E8M0 exponent byte means: `2^(code - 128)`, as MXFP4's doubled levels want it.
pub(crate) fn e8m0_half(code: u8) -> f32 {
    let code = u32::from(code);
    f32::from_bits(if code < 2 { 0x0020_0000 << code } else { (code - 1) << 23 })
}

/// One block of 32 columns of a panel, unpacked: what the matrix loops read, and the form in which the
/// plain and the fast unpackers are compared.
#[derive(Debug, Clone, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Expanded {
    /// `[8 words, 32 rows · 4]`, unsigned.
    pub(crate) codes: [[u8; PANEL * 4]; 8],
    /// `[half, row]`; the second half only where the kind has halves.
    pub(crate) scale: [[f32; PANEL]; 2],
    /// `[half, row]`, subtracted; only where the kind has them.
    pub(crate) min: [[f32; PANEL]; 2],
}

impl Expanded {
    pub(crate) const ZERO: Expanded =
        Expanded { codes: [[0; PANEL * 4]; 8], scale: [[0.0; PANEL]; 2], min: [[0.0; PANEL]; 2] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_takes_what_the_file_takes() {
        for layout in Layout::ALL {
            assert_eq!(layout.unit_bytes() % PANEL, 0);
            if layout.kind().is_some() {
                assert_eq!(layout.unit() % BLOCK, 0);
            }
        }
        assert_eq!(size_of::<Expanded>(), 1024 + 4 * 128);
    }

    #[test]
    fn exponents_halve() {
        for code in 0..=254u8 {
            assert_eq!(f64::from(e8m0_half(code)), 2f64.powi(i32::from(code) - 128), "{code}");
        }
    }
}
