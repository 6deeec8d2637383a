//! Loops for AVX2 with FMA and F16C.

mod floats;
mod linear;

use crate::Isa;
use crate::table::Table;

/// The AVX2 loops.
pub(crate) static TABLE: Table = Table {
    isa: Isa::Avx2,
    linear: linear::LINEAR,
    rms_norm: floats::rms_norm,
    rms_norm_in_place: floats::rms_norm_in_place,
    layer_norm: floats::layer_norm,
    rope: floats::rope,
    activate: floats::activate,
    activate_mul: floats::activate_mul,
    swiglu_clamped: floats::swiglu_clamped,
    sigmoid: floats::sigmoid,
    add: floats::add,
    mul: floats::mul,
    add_scaled: floats::add_scaled,
    scale: floats::scale,
    softcap: floats::softcap,
    softmax: floats::softmax,
    attend_span: floats::attend_span,
};
