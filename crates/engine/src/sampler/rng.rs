//! The random numbers: Philox 4×32 with ten rounds, a generator without state.
//!
//! A number is a function of (seed, stream, position, purpose) and of nothing else, so a
//! sequence draws the same numbers alone or in any batch, after a regeneration, and on every
//! machine; and switching one step on does not shift what another draws.
//!
//! Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
//! The known answers in the tests are those published with the paper's library.

/// What a number is for: each purpose has its own numbers at every position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Which of the kept tokens is chosen.
    Choice = 0,
    /// Whether XTC acts at this position.
    Xtc = 1,
}

/// A keyed family of random numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rng {
    key: [u32; 2],
    stream: u32,
}

impl Rng {
    pub(crate) fn new(seed: u64, stream: u32) -> Self {
        Self { key: [seed as u32, (seed >> 32) as u32], stream }
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub(crate) fn uniform(&self, position: u64, purpose: Purpose) -> f64 {
        let counter = [position as u32, (position >> 32) as u32, purpose as u32, self.stream];
        let block = philox(counter, self.key);
        let bits = (u64::from(block[1]) << 32 | u64::from(block[0])) >> 11;
        bits as f64 * (1.0 / (1_u64 << 53) as f64)
    }
}

/// One block of Philox 4×32-10.
fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox(
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn uniform_fills_the_unit_interval_evenly() {
        let rng = Rng::new(7, 0);
        let mut cells = [0_u32; 64];
        for position in 0..64_000 {
            let u = rng.uniform(position, Purpose::Choice);
            assert!((0.0..1.0).contains(&u));
            cells[(u * 64.0) as usize] += 1;
        }
        // Chi-square with 63 degrees of freedom: 103 is passed once in a thousand times.
        let chi: f64 = cells.iter().map(|&n| (f64::from(n) - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi < 103.4, "{chi}");
    }

    #[test]
    fn seed_stream_position_and_purpose_all_matter() {
        let base = Rng::new(1, 0).uniform(5, Purpose::Choice);
        assert_eq!(base, Rng::new(1, 0).uniform(5, Purpose::Choice));
        assert_ne!(base, Rng::new(2, 0).uniform(5, Purpose::Choice));
        assert_ne!(base, Rng::new(1 << 32 | 1, 0).uniform(5, Purpose::Choice));
        assert_ne!(base, Rng::new(1, 1).uniform(5, Purpose::Choice));
        assert_ne!(base, Rng::new(1, 0).uniform(6, Purpose::Choice));
        assert_ne!(base, Rng::new(1, 0).uniform(5, Purpose::Xtc));
    }
}
