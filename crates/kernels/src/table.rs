//! One table of loops per instruction set: the only place where an operation meets the machine.
//!
//! Fields are `unsafe fn` because a loop may be called only where its instructions exist;
//! [`Table::of`] hands a table out only there, so calling through a table that one holds is sound as
//! far as instructions go. Each field says what else it needs (lengths), if anything.

use crate::attend::{Span, State};
use crate::linear::Linear;
use crate::{Activation, Isa, RopeStyle, SwigluClamp};

/// A gain or a bias, where there is one.
type Vector<'a> = Option<&'a [f32]>;

/// The loops of one instruction set.
pub(crate) struct Table {
    /// Whose loops these are.
    #[allow(dead_code, reason = "read by the tests that enumerate the tables")]
    pub(crate) isa: Isa,
    /// Matrix multiplication.
    pub(crate) linear: Linear,
    /// `(x, gain, eps, out)`, one row; all equally long.
    pub(crate) rms_norm: unsafe fn(&[f32], Vector<'_>, f32, &mut [f32]),
    /// `(x, gain, eps)`, one row.
    pub(crate) rms_norm_in_place: unsafe fn(&mut [f32], Vector<'_>, f32),
    /// `(x, gain, bias, eps, out)`, one row.
    pub(crate) layer_norm: unsafe fn(&[f32], Vector<'_>, Vector<'_>, f32, &mut [f32]),
    /// `(x [dims], style, cos [dims / 2], sin)`.
    pub(crate) rope: unsafe fn(&mut [f32], RopeStyle, &[f32], &[f32]),
    /// `(kind, x, out)`.
    pub(crate) activate: unsafe fn(Activation, &[f32], &mut [f32]),
    /// `(kind, gate, up, out)`.
    pub(crate) activate_mul: unsafe fn(Activation, &[f32], &[f32], &mut [f32]),
    /// `(constants, gate, up, out)`.
    pub(crate) swiglu_clamped: unsafe fn(SwigluClamp, &[f32], &[f32], &mut [f32]),
    /// In place.
    pub(crate) sigmoid: unsafe fn(&mut [f32]),
    /// `x += y`.
    pub(crate) add: unsafe fn(&mut [f32], &[f32]),
    /// `x *= y`.
    pub(crate) mul: unsafe fn(&mut [f32], &[f32]),
    /// `x += factor · y`.
    pub(crate) add_scaled: unsafe fn(&mut [f32], f32, &[f32]),
    /// `x *= factor`.
    pub(crate) scale: unsafe fn(&mut [f32], f32),
    /// `(x, cap)`, in place.
    pub(crate) softcap: unsafe fn(&mut [f32], f32),
    /// One row in place.
    pub(crate) softmax: unsafe fn(&mut [f32]),
    /// `(span, state, work)`: adds the span's tokens to the states of its query vectors.
    pub(crate) attend_span: unsafe fn(&Span<'_>, &mut State<'_>, &mut [f32]),
}

impl Table {
    /// The loops of `isa`, if this machine can run them.
    pub(crate) fn of(isa: Isa) -> Option<&'static Table> {
        if !isa.is_available() {
            return None;
        }
        match isa {
            Isa::Scalar => Some(&crate::scalar::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => Some(&crate::x86_64::avx2::TABLE),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Some(&crate::x86_64::avx512::TABLE),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => Some(&crate::aarch64::neon::TABLE),
            #[allow(
                unreachable_patterns,
                reason = "which arms are left depends on the architecture"
            )]
            _ => None,
        }
    }
}
