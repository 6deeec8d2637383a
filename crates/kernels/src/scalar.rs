//! Plain Rust: the meaning of every operation.

mod activation;
pub(crate) mod attend;
mod elementwise;
pub(crate) mod linear;
mod norm;
mod rope;

use crate::Isa;
use crate::table::Table;

/// The plain loops.
pub(crate) static TABLE: Table = Table {
    isa: Isa::Scalar,
    linear: linear::LINEAR,
    rms_norm: norm::rms_norm,
    rms_norm_in_place: norm::rms_norm_in_place,
    layer_norm: norm::layer_norm,
    rope: rope::rope,
    activate: activation::activate,
    activate_mul: activation::activate_mul,
    swiglu_clamped: activation::swiglu_clamped,
    sigmoid: activation::sigmoid,
    add: elementwise::add,
    mul: elementwise::mul,
    add_scaled: elementwise::add_scaled,
    scale: elementwise::scale,
    softcap: elementwise::softcap,
    softmax: elementwise::softmax,
    attend_span: attend::attend_span,
};
