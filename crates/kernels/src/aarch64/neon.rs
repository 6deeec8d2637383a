//! Loops for NEON. Where this was developed there is no such machine: they are compiled for it and every
//! test of this crate passes under emulation (`cargo xtask arm`), but they have never been timed.

mod floats;
mod linear;

use crate::Isa;
use crate::table::Table;

/// The NEON loops.
pub(crate) static TABLE: Table = Table {
    isa: Isa::Neon,
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
