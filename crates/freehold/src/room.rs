//! Whether a model of so many parameters would fit here, before anything of it is known but that number.

use machine::{Bytes, Machine};

/// Bits a parameter takes as Q8_0 and as Q4_K_M, embeddings and mixtures included.
const BITS: [(&str, f64); 2] = [("yes", 8.6), ("as Q4", 4.9)];
/// For the program, the buffers and a context of some thousand tokens.
const BESIDE: u64 = 700 << 20;

/// `yes` (in 8 bits), `as Q4`, `no`, or `?` where the number is not known.
pub(crate) fn fits(parameters: Option<u64>, free: Bytes) -> &'static str {
    let Some(parameters) = parameters.filter(|parameters| *parameters > 0) else { return "?" };
    let needs = |bits: f64| (parameters as f64 * bits / 8.0) as u64 + BESIDE;
    BITS.iter().find(|(_, bits)| needs(*bits) <= free.get()).map_or("no", |(word, _)| word)
}

/// Memory there is for a model now.
pub(crate) fn free() -> Bytes {
    Machine::detect().memory.free()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_billion_parameters_fit_eight_gibibytes_as_q4_only() {
        let free = Bytes::gib(8);
        assert_eq!(fits(Some(1_000_000_000), free), "yes");
        assert_eq!(fits(Some(8_000_000_000), free), "as Q4");
        assert_eq!(fits(Some(70_000_000_000), free), "no");
        assert_eq!(fits(None, free), "?");
    }
}
