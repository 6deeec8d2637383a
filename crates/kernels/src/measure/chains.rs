//! Independent chains of one instruction each, enough of them to keep every arithmetic unit busy.

use crate::Isa;

/// A loop and what it computes.
#[derive(Clone, Copy)]
pub(super) struct Chain {
    /// Runs so many rounds (at least one).
    pub(super) run: unsafe fn(u64),
    /// Operations of a round.
    pub(super) ops_per_round: f64,
}

#[cfg(target_arch = "x86_64")]
pub(super) fn int8(isa: Isa) -> Option<Chain> {
    match isa {
        Isa::Avx512 => Some(Chain { run: x86_64::vpdpbusd_zmm, ops_per_round: 16.0 * 128.0 }),
        Isa::Avx2 if is_x86_feature_detected!("avxvnni") => {
            Some(Chain { run: x86_64::vpdpbusd_ymm, ops_per_round: 12.0 * 64.0 })
        }
        Isa::Avx2 => Some(Chain { run: x86_64::vpmaddubsw_ymm, ops_per_round: 6.0 * 64.0 }),
        Isa::Scalar | Isa::Neon => None,
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) fn bf16(isa: Isa) -> Option<Chain> {
    let present = isa == Isa::Avx512 && is_x86_feature_detected!("avx512bf16");
    present.then_some(Chain { run: x86_64::vdpbf16ps_zmm, ops_per_round: 16.0 * 64.0 })
}

#[cfg(target_arch = "x86_64")]
pub(super) fn f32(isa: Isa) -> Option<Chain> {
    match isa {
        Isa::Avx512 => Some(Chain { run: x86_64::vfmadd231ps_zmm, ops_per_round: 16.0 * 32.0 }),
        Isa::Avx2 => Some(Chain { run: x86_64::vfmadd231ps_ymm, ops_per_round: 12.0 * 16.0 }),
        Isa::Scalar | Isa::Neon => None,
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) fn int8(isa: Isa) -> Option<Chain> {
    let present = isa == Isa::Neon && std::arch::is_aarch64_feature_detected!("dotprod");
    present.then_some(Chain { run: aarch64::sdot, ops_per_round: 16.0 * 32.0 })
}

#[cfg(target_arch = "aarch64")]
pub(super) fn bf16(_: Isa) -> Option<Chain> {
    None
}

#[cfg(target_arch = "aarch64")]
pub(super) fn f32(isa: Isa) -> Option<Chain> {
    (isa == Isa::Neon).then_some(Chain { run: aarch64::fmla, ops_per_round: 16.0 * 8.0 })
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use plain::{bf16, f32, int8};

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod plain {
    use super::{Chain, Isa};

    pub(in super::super) fn int8(_: Isa) -> Option<Chain> {
        None
    }

    pub(in super::super) fn bf16(_: Isa) -> Option<Chain> {
        None
    }

    pub(in super::super) fn f32(_: Isa) -> Option<Chain> {
        None
    }
}

#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::asm;

    /// A loop over the given instructions, which may use registers 0 to 15, zero at the start.
    macro_rules! chain {
        ($(#[$doc:meta])* $name:ident, $feature:literal, $($line:tt),*) => {
            $(#[$doc])*
            #[target_feature(enable = $feature)]
            pub(super) fn $name(rounds: u64) {
                // SAFETY: touches only registers it declares; the feature is enabled.
                unsafe {
                    asm!(
                        "vxorps ymm0, ymm0, ymm0", "vxorps ymm1, ymm1, ymm1", "vxorps ymm2, ymm2, ymm2",
                        "vxorps ymm3, ymm3, ymm3", "vxorps ymm4, ymm4, ymm4", "vxorps ymm5, ymm5, ymm5",
                        "vxorps ymm6, ymm6, ymm6", "vxorps ymm7, ymm7, ymm7", "vxorps ymm8, ymm8, ymm8",
                        "vxorps ymm9, ymm9, ymm9", "vxorps ymm10, ymm10, ymm10", "vxorps ymm11, ymm11, ymm11",
                        "vxorps ymm12, ymm12, ymm12", "vxorps ymm13, ymm13, ymm13", "vxorps ymm14, ymm14, ymm14",
                        "vxorps ymm15, ymm15, ymm15",
                        "2:", $($line,)* "dec {rounds}", "jnz 2b",
                        rounds = inout(reg) rounds.max(1) => _,
                        out("ymm0") _, out("ymm1") _, out("ymm2") _, out("ymm3") _, out("ymm4") _, out("ymm5") _,
                        out("ymm6") _, out("ymm7") _, out("ymm8") _, out("ymm9") _, out("ymm10") _,
                        out("ymm11") _, out("ymm12") _, out("ymm13") _, out("ymm14") _, out("ymm15") _,
                        options(nostack, nomem)
                    );
                }
            }
        };
    }

    chain!(
        /// 16 chains of 64 multiply-adds of bytes.
        vpdpbusd_zmm, "avx512f,avx512vnni",
        "vpdpbusd zmm0, zmm14, zmm15", "vpdpbusd zmm1, zmm14, zmm15", "vpdpbusd zmm2, zmm14, zmm15",
         "vpdpbusd zmm3, zmm14, zmm15", "vpdpbusd zmm4, zmm14, zmm15", "vpdpbusd zmm5, zmm14, zmm15",
         "vpdpbusd zmm6, zmm14, zmm15", "vpdpbusd zmm7, zmm14, zmm15", "vpdpbusd zmm8, zmm14, zmm15",
         "vpdpbusd zmm9, zmm14, zmm15", "vpdpbusd zmm10, zmm14, zmm15", "vpdpbusd zmm11, zmm14, zmm15",
         "vpdpbusd zmm12, zmm14, zmm15", "vpdpbusd zmm13, zmm14, zmm15", "vpdpbusd zmm0, zmm14, zmm15",
         "vpdpbusd zmm1, zmm14, zmm15"
    );

    chain!(
        /// 16 chains of 32 multiply-adds of pairs of brain floats.
        vdpbf16ps_zmm, "avx512f,avx512bf16",
        "vdpbf16ps zmm0, zmm14, zmm15", "vdpbf16ps zmm1, zmm14, zmm15", "vdpbf16ps zmm2, zmm14, zmm15",
         "vdpbf16ps zmm3, zmm14, zmm15", "vdpbf16ps zmm4, zmm14, zmm15", "vdpbf16ps zmm5, zmm14, zmm15",
         "vdpbf16ps zmm6, zmm14, zmm15", "vdpbf16ps zmm7, zmm14, zmm15", "vdpbf16ps zmm8, zmm14, zmm15",
         "vdpbf16ps zmm9, zmm14, zmm15", "vdpbf16ps zmm10, zmm14, zmm15", "vdpbf16ps zmm11, zmm14, zmm15",
         "vdpbf16ps zmm12, zmm14, zmm15", "vdpbf16ps zmm13, zmm14, zmm15", "vdpbf16ps zmm0, zmm14, zmm15",
         "vdpbf16ps zmm1, zmm14, zmm15"
    );

    chain!(
        /// 16 multiply-adds of 16 floats.
        vfmadd231ps_zmm, "avx512f",
        "vfmadd231ps zmm0, zmm14, zmm15", "vfmadd231ps zmm1, zmm14, zmm15", "vfmadd231ps zmm2, zmm14, zmm15",
         "vfmadd231ps zmm3, zmm14, zmm15", "vfmadd231ps zmm4, zmm14, zmm15", "vfmadd231ps zmm5, zmm14, zmm15",
         "vfmadd231ps zmm6, zmm14, zmm15", "vfmadd231ps zmm7, zmm14, zmm15", "vfmadd231ps zmm8, zmm14, zmm15",
         "vfmadd231ps zmm9, zmm14, zmm15", "vfmadd231ps zmm10, zmm14, zmm15", "vfmadd231ps zmm11, zmm14, zmm15",
         "vfmadd231ps zmm12, zmm14, zmm15", "vfmadd231ps zmm13, zmm14, zmm15", "vfmadd231ps zmm0, zmm14, zmm15",
         "vfmadd231ps zmm1, zmm14, zmm15"
    );

    chain!(
        /// 12 chains of 8 multiply-adds of floats.
        vfmadd231ps_ymm, "avx,fma",
        "vfmadd231ps ymm0, ymm14, ymm15", "vfmadd231ps ymm1, ymm14, ymm15", "vfmadd231ps ymm2, ymm14, ymm15",
         "vfmadd231ps ymm3, ymm14, ymm15", "vfmadd231ps ymm4, ymm14, ymm15", "vfmadd231ps ymm5, ymm14, ymm15",
         "vfmadd231ps ymm6, ymm14, ymm15", "vfmadd231ps ymm7, ymm14, ymm15", "vfmadd231ps ymm8, ymm14, ymm15",
         "vfmadd231ps ymm9, ymm14, ymm15", "vfmadd231ps ymm10, ymm14, ymm15", "vfmadd231ps ymm11, ymm14, ymm15"
    );

    chain!(
        /// 12 chains of 32 multiply-adds of bytes (AVX-VNNI).
        vpdpbusd_ymm, "avx2,avxvnni",
        "{{vex}} vpdpbusd ymm0, ymm14, ymm15", "{{vex}} vpdpbusd ymm1, ymm14, ymm15",
         "{{vex}} vpdpbusd ymm2, ymm14, ymm15", "{{vex}} vpdpbusd ymm3, ymm14, ymm15",
         "{{vex}} vpdpbusd ymm4, ymm14, ymm15", "{{vex}} vpdpbusd ymm5, ymm14, ymm15",
         "{{vex}} vpdpbusd ymm6, ymm14, ymm15", "{{vex}} vpdpbusd ymm7, ymm14, ymm15",
         "{{vex}} vpdpbusd ymm8, ymm14, ymm15", "{{vex}} vpdpbusd ymm9, ymm14, ymm15",
         "{{vex}} vpdpbusd ymm10, ymm14, ymm15", "{{vex}} vpdpbusd ymm11, ymm14, ymm15"
    );

    chain!(
        /// 6 chains of 32 multiply-adds of bytes the long way: pairs, pairs of pairs, sum.
        vpmaddubsw_ymm, "avx2",
        "vpmaddubsw ymm6, ymm14, ymm15", "vpmaddwd ymm6, ymm6, ymm13", "vpaddd ymm0, ymm0, ymm6",
         "vpmaddubsw ymm7, ymm14, ymm15", "vpmaddwd ymm7, ymm7, ymm13", "vpaddd ymm1, ymm1, ymm7",
         "vpmaddubsw ymm8, ymm14, ymm15", "vpmaddwd ymm8, ymm8, ymm13", "vpaddd ymm2, ymm2, ymm8",
         "vpmaddubsw ymm9, ymm14, ymm15", "vpmaddwd ymm9, ymm9, ymm13", "vpaddd ymm3, ymm3, ymm9",
         "vpmaddubsw ymm10, ymm14, ymm15", "vpmaddwd ymm10, ymm10, ymm13", "vpaddd ymm4, ymm4, ymm10",
         "vpmaddubsw ymm11, ymm14, ymm15", "vpmaddwd ymm11, ymm11, ymm13", "vpaddd ymm5, ymm5, ymm11"
    );
}

#[cfg(target_arch = "aarch64")]
mod aarch64 {
    use std::arch::asm;

    /// 16 chains of 4 multiply-adds of floats.
    #[target_feature(enable = "neon")]
    pub(super) fn fmla(rounds: u64) {
        // SAFETY: touches only registers it declares.
        unsafe {
            asm!(
                "movi v30.4s, #0", "movi v31.4s, #0",
                "2:",
                "fmla v0.4s, v30.4s, v31.4s", "fmla v1.4s, v30.4s, v31.4s", "fmla v2.4s, v30.4s, v31.4s",
                "fmla v3.4s, v30.4s, v31.4s", "fmla v4.4s, v30.4s, v31.4s", "fmla v5.4s, v30.4s, v31.4s",
                "fmla v6.4s, v30.4s, v31.4s", "fmla v7.4s, v30.4s, v31.4s", "fmla v16.4s, v30.4s, v31.4s",
                "fmla v17.4s, v30.4s, v31.4s", "fmla v18.4s, v30.4s, v31.4s", "fmla v19.4s, v30.4s, v31.4s",
                "fmla v20.4s, v30.4s, v31.4s", "fmla v21.4s, v30.4s, v31.4s", "fmla v22.4s, v30.4s, v31.4s",
                "fmla v23.4s, v30.4s, v31.4s",
                "subs {rounds}, {rounds}, #1", "b.ne 2b",
                rounds = inout(reg) rounds.max(1) => _,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _,
                out("v7") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                out("v21") _, out("v22") _, out("v23") _, out("v30") _, out("v31") _,
                options(nostack, nomem)
            );
        }
    }

    /// 16 chains of 16 multiply-adds of bytes.
    #[target_feature(enable = "neon,dotprod")]
    pub(super) fn sdot(rounds: u64) {
        // SAFETY: touches only registers it declares; the feature is enabled.
        unsafe {
            asm!(
                "movi v30.4s, #0", "movi v31.4s, #0",
                "2:",
                "sdot v0.4s, v30.16b, v31.16b", "sdot v1.4s, v30.16b, v31.16b", "sdot v2.4s, v30.16b, v31.16b",
                "sdot v3.4s, v30.16b, v31.16b", "sdot v4.4s, v30.16b, v31.16b", "sdot v5.4s, v30.16b, v31.16b",
                "sdot v6.4s, v30.16b, v31.16b", "sdot v7.4s, v30.16b, v31.16b", "sdot v16.4s, v30.16b, v31.16b",
                "sdot v17.4s, v30.16b, v31.16b", "sdot v18.4s, v30.16b, v31.16b", "sdot v19.4s, v30.16b, v31.16b",
                "sdot v20.4s, v30.16b, v31.16b", "sdot v21.4s, v30.16b, v31.16b", "sdot v22.4s, v30.16b, v31.16b",
                "sdot v23.4s, v30.16b, v31.16b",
                "subs {rounds}, {rounds}, #1", "b.ne 2b",
                rounds = inout(reg) rounds.max(1) => _,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _, out("v4") _, out("v5") _, out("v6") _,
                out("v7") _, out("v16") _, out("v17") _, out("v18") _, out("v19") _, out("v20") _,
                out("v21") _, out("v22") _, out("v23") _, out("v30") _, out("v31") _,
                options(nostack, nomem)
            );
        }
    }
}
