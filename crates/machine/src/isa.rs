//! The instruction sets that processor and system both support.
//!
//! The standard library asks processor *and* system (a vector register the system does not save
//! is no use), so this list may be shorter than the processor's own.

/// Names as compilers spell them, plainest first; only those that matter to arithmetic on weights.
pub fn instruction_sets() -> Vec<&'static str> {
    macro_rules! present {
        ($detect:ident: $($name:tt)*) => {
            [$(($name, std::arch::$detect!($name))),*]
                .into_iter()
                .filter_map(|(name, present)| present.then_some(name))
                .collect()
        };
    }
    #[cfg(target_arch = "x86_64")]
    return present!(is_x86_feature_detected:
        "sse2" "sse3" "ssse3" "sse4.1" "sse4.2" "avx" "f16c" "fma" "bmi2" "avx2" "avxvnni"
        "avxvnniint8" "avxifma" "avxneconvert" "avx512f" "avx512cd" "avx512bw" "avx512dq"
        "avx512vl" "avx512ifma" "avx512vbmi" "avx512vbmi2" "avx512vnni" "avx512bitalg"
        "avx512vpopcntdq" "avx512bf16" "avx512fp16");
    #[cfg(target_arch = "aarch64")]
    return present!(is_aarch64_feature_detected:
        "neon" "fp16" "dotprod" "fhm" "bf16" "i8mm" "sve" "sve2");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return Vec::new();
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn every_such_machine_has_sse2() {
        assert!(super::instruction_sets().contains(&"sse2"));
    }
}
