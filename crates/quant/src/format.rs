//! What a number format is, and the list of all of them.

mod bf16;
mod f16;
mod f32;
mod f64;
mod f8;
mod int;
mod iq1_m;
mod iq1_s;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;
mod iq4_nl;
mod iq4_xs;
pub(crate) mod mxfp4;
mod nvfp4;
mod q1_0;
mod q2_0;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod tq1_0;
mod tq2_0;

use std::{fmt, hash};

use crate::Error;

pub use bf16::BF16;
pub use f8::{F8_E4M3, F8_E5M2, F8_E8M0};
pub use f16::F16;
pub use f32::F32;
pub use f64::F64;
pub use int::{BOOL, I8, I16, I32, I64, U8, U16, U32, U64};
pub use iq1_m::IQ1_M;
pub use iq1_s::IQ1_S;
pub use iq2_s::IQ2_S;
pub use iq2_xs::IQ2_XS;
pub use iq2_xxs::IQ2_XXS;
pub use iq3_s::IQ3_S;
pub use iq3_xxs::IQ3_XXS;
pub use iq4_nl::IQ4_NL;
pub use iq4_xs::IQ4_XS;
pub use mxfp4::MXFP4;
pub use nvfp4::NVFP4;
pub use q1_0::Q1_0;
pub use q2_0::Q2_0;
pub use q2_k::Q2_K;
pub use q3_k::Q3_K;
pub use q4_0::Q4_0;
pub use q4_1::Q4_1;
pub use q4_k::Q4_K;
pub use q5_0::Q5_0;
pub use q5_1::Q5_1;
pub use q5_k::Q5_K;
pub use q6_k::Q6_K;
pub use q8_0::Q8_0;
pub use tq1_0::TQ1_0;
pub use tq2_0::TQ2_0;

/// Every format, in ggml's order, then those only safetensors files carry.
pub static FORMATS: &[&Format] = &[
    &F32, &F16, &BF16, &F64, &Q4_0, &Q4_1, &Q5_0, &Q5_1, &Q8_0, &Q2_K, &Q3_K, &Q4_K, &Q5_K, &Q6_K,
    &IQ1_S, &IQ1_M, &IQ2_XXS, &IQ2_XS, &IQ2_S, &IQ3_XXS, &IQ3_S, &IQ4_NL, &IQ4_XS, &TQ1_0, &TQ2_0,
    &MXFP4, &NVFP4, &Q1_0, &Q2_0, &F8_E4M3, &F8_E5M2, &F8_E8M0, &I8, &I16, &I32, &I64, &U8, &U16,
    &U32, &U64, &BOOL,
];

/// The format ggml and GGUF files number `ggml_type`.
pub fn by_ggml_type(ggml_type: u32) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.ggml_type == Some(ggml_type)).copied()
}

/// The format called `name`, in any case: ggml's name or a safetensors dtype.
pub fn by_name(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name.eq_ignore_ascii_case(name)).copied()
}

/// How a run of numbers lies in bytes.
///
/// Two formats are equal when their names are.
#[derive(Clone, Copy)]
pub struct Format {
    /// The name as ggml writes it (`Q4_K`), or as safetensors does where ggml has none (`F8_E4M3`).
    pub name: &'static str,
    /// The number GGUF files give it, if they can carry it.
    pub ggml_type: Option<u32>,
    /// Elements in a block; one for plain numbers.
    pub block: usize,
    /// Bytes in a block.
    pub bytes: usize,
    decode: Decode,
    encoder: Option<Encoder>,
}

/// Turns whole blocks into values; lengths are already checked.
type Decode = fn(&[u8], &mut [f32]);

/// How a format is written, and what writing costs.
#[derive(Clone, Copy)]
pub(crate) struct Encoder {
    /// Turns values, with an importance each or none, into whole blocks; lengths are already checked.
    pub(crate) run: fn(&[f32], Option<&[f32]>, &mut [u8]),
    /// See [`Format::error_max`].
    pub(crate) error_max: f32,
    /// See [`Format::error_rms`].
    pub(crate) error_rms: f32,
    /// The largest magnitude taken where values share scales: no scale overflows then.
    pub(crate) largest: f32,
}

impl Format {
    /// A format that can be read. `ggml_type`, `block`, `bytes` as in the fields.
    const fn new(
        name: &'static str,
        ggml_type: Option<u32>,
        block: usize,
        bytes: usize,
        decode: Decode,
    ) -> Self {
        Self { name, ggml_type, block, bytes, decode, encoder: None }
    }

    /// The same format, written by `encoder`.
    const fn written_by(self, encoder: Encoder) -> Self {
        Self { encoder: Some(encoder), ..self }
    }

    /// Bits a weight takes, scales included.
    pub fn bits_per_weight(&self) -> f64 {
        8.0 * self.bytes as f64 / self.block as f64
    }

    /// Bytes so many elements take; `None` when they do not fill their last block or the count overflows.
    pub fn bytes_for(&self, elements: usize) -> Option<usize> {
        if elements.is_multiple_of(self.block) {
            (elements / self.block).checked_mul(self.bytes)
        } else {
            None
        }
    }

    /// Turns blocks into values, bit for bit as the `gguf` package does. `out` must have exactly the
    /// elements that `bytes` holds.
    pub fn decode(&self, bytes: &[u8], out: &mut [f32]) -> Result<(), Error> {
        self.check(out.len(), bytes.len())?;
        (self.decode)(bytes, out);
        Ok(())
    }

    /// Turns values into blocks. `out` must have exactly the bytes that `values` take. A format
    /// without an encoder is an error; so is, where values share scales, one too large for them or not
    /// finite. Formats of single values round as IEEE 754 does (F8_E4M3, without infinities, saturates).
    pub fn encode(&self, values: &[f32], out: &mut [u8]) -> Result<(), Error> {
        self.write(values, None, out)
    }

    /// Turns values into blocks, sparing the values with a large `importance` (one a value, not
    /// negative, typically the mean square of the activation it meets). Formats that leave no choice
    /// to an encoder take no notice of it.
    pub fn encode_weighted(
        &self,
        values: &[f32],
        importance: &[f32],
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.check(values.len(), out.len())?;
        if importance.len() != values.len() {
            return Err(Error::Importance {
                format: self.name,
                found: importance.len(),
                expected: values.len(),
            });
        }
        self.write(values, Some(importance), out)
    }

    /// Whether values can be turned into this format: all but whole numbers, truth values and F8_E8M0.
    pub fn can_encode(&self) -> bool {
        self.encoder.is_some()
    }

    /// The largest difference encoding makes to a finite value, as a fraction of the largest magnitude
    /// in its block (among 32 values where blocks are smaller); `None` without an encoder.
    ///
    /// Where the encoder only rounds, this follows from the layout. Where it searches for scales, or
    /// minds importance, it may give up single values for the sake of the others: there it is what the
    /// tests hold over many kinds of values. Magnitudes so small that the format's scales vanish are outside it.
    pub fn error_max(&self) -> Option<f32> {
        self.encoder.map(|encoder| encoder.error_max)
    }

    /// The root mean square of the difference encoding makes to normally distributed values, as a
    /// fraction of theirs, at most; `None` without an encoder.
    pub fn error_rms(&self) -> Option<f32> {
        self.encoder.map(|encoder| encoder.error_rms)
    }

    fn write(
        &self,
        values: &[f32],
        importance: Option<&[f32]>,
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.check(values.len(), out.len())?;
        let encoder = self.encoder.ok_or(Error::NoEncoder { format: self.name })?;
        // Where every value stands for itself, infinities and NaN have codes of their own.
        let largest = encoder.largest;
        if self.block > 1
            && let Some(at) =
                values.iter().position(|value| value.is_nan() || value.abs() > largest)
        {
            return Err(Error::OutOfRange { format: self.name, at, found: values[at], largest });
        }
        (encoder.run)(values, importance, out);
        Ok(())
    }

    fn check(&self, values: usize, bytes: usize) -> Result<(), Error> {
        let expected = self.bytes_for(values).ok_or(Error::PartialBlock {
            format: self.name,
            found: values,
            block: self.block,
        })?;
        if bytes == expected {
            Ok(())
        } else {
            Err(Error::Bytes { format: self.name, values, found: bytes, expected })
        }
    }
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Format {}

impl hash::Hash for Format {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
