//! Guessing the next tokens, so that one step verifies several.
//!
//! Idea: text repeats itself. What followed the last few tokens when they last occurred often follows
//! again ("prompt lookup decoding", Saxena, 2023). Guesses are computed beside the answer's next row in
//! the same ragged batch; then tokens are chosen row by row, each from its own logits with the random
//! number of its own position, and the first that differs from its guess ends the round. So the bytes
//! are those of plain decoding, greedy or sampled, whatever was guessed; a guess only saves a step.
//!
//! Whether that pays is measured while running: how often guesses of this answer were right
//! ([`Luck`]), and what a step of so many rows costs here and now ([`Costs`]).

mod draft;

pub(crate) use draft::{Drafter, Wish};

/// Longest and shortest run of tokens that is looked up.
const RUNS: [usize; 3] = [4, 3, 2];
/// Tokens searched, at most, from the end.
const WINDOW: usize = 1 << 14;
/// The share of a new measurement.
const NEW: f64 = 0.15;
/// Every so many steps one is computed without guesses, so that its cost stays known.
const PLAIN_EVERY: u64 = 64;
/// Row counts whose cost is kept; beyond, the nearest stands in.
const ROWS_MAX: usize = 256;

/// What followed when the last tokens of `ids` last occurred, at most `most` tokens.
pub(crate) fn lookup(ids: &[u32], most: usize) -> &[u32] {
    let from = ids.len().saturating_sub(WINDOW);
    let ids = &ids[from..];
    for run in RUNS.into_iter().filter(|run| *run < ids.len()) {
        let (before, last) = ids.split_at(ids.len() - run);
        // An occurrence may overlap the last run, but not be it.
        let found = (0..before.len()).rev().find(|at| ids[*at..].starts_with(last));
        if let Some(at) = found {
            let next = &ids[at + run..];
            return &next[..most.min(next.len())];
        }
    }
    &[]
}

/// How often guesses of one answer were right lately.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Luck {
    /// The chance that a guess is right, if those before it were.
    rate: f64,
}

impl Default for Luck {
    fn default() -> Self {
        Luck { rate: 0.5 }
    }
}

impl Luck {
    /// Of `guessed`, the first `right` were.
    pub(crate) fn learn(&mut self, guessed: usize, right: usize) {
        for _ in 0..right {
            self.rate += NEW * (1.0 - self.rate);
        }
        if right < guessed {
            self.rate -= NEW * self.rate;
        }
    }

    /// Guesses were to be had but not worth it; they may become so.
    fn forget(&mut self) {
        self.rate += 0.01 * (0.5 - self.rate);
    }

    /// Tokens that so many guesses save, on average.
    fn saved(self, guesses: usize) -> f64 {
        (1..=guesses as i32).map(|n| self.rate.powi(n)).sum()
    }
}

/// What steps cost, by their rows.
#[derive(Clone, Debug)]
pub(crate) struct Costs {
    seconds: Vec<Option<f64>>,
    /// Seconds that a round of guessing takes for each guess in a row, as measured.
    guess: f64,
    steps: u64,
}

impl Default for Costs {
    fn default() -> Self {
        Costs { seconds: vec![None; ROWS_MAX + 1], guess: 0.0, steps: 0 }
    }
}

impl Costs {
    /// A step of answers alone, `rows` with guesses, took `seconds`.
    pub(crate) fn record(&mut self, rows: usize, seconds: f64) {
        let known = &mut self.seconds[rows.min(ROWS_MAX)];
        let old = known.unwrap_or(seconds);
        *known = Some(old + NEW * (seconds - old));
    }

    /// Guessing `ahead` tokens in a row took `seconds`.
    pub(crate) fn record_guess(&mut self, ahead: usize, seconds: f64) {
        if ahead > 0 {
            let new = seconds / ahead as f64;
            self.guess += if self.guess == 0.0 { new } else { NEW * (new - self.guess) };
        }
    }

    /// The cost of so many rows, or of the most below that are known: what was never tried looks cheap
    /// once.
    fn of(&self, rows: usize) -> f64 {
        let known = self.seconds[..=rows.min(ROWS_MAX)].iter().rev().flatten();
        known.copied().next().unwrap_or(0.0).max(1e-9)
    }

    /// Shortens all answers' guesses to the number that brings most tokens a second, maybe none.
    pub(crate) fn choose(&mut self, mut answers: Vec<(&mut Vec<u32>, &mut Luck)>) {
        let longest = answers.iter().map(|(draft, _)| draft.len()).max().unwrap_or(0);
        if longest == 0 {
            return;
        }
        self.steps += 1;
        let plain = answers.len();
        let rate = |most: usize| {
            let guesses = |draft: &Vec<u32>| draft.len().min(most);
            let rows: usize = answers.iter().map(|(draft, _)| guesses(draft)).sum();
            let saved: f64 = answers.iter().map(|(draft, luck)| luck.saved(guesses(draft))).sum();
            (plain as f64 + saved) / (self.of(plain + rows) + self.guess * most as f64)
        };
        let best = |a: usize, b: usize| if rate(b) > rate(a) { b } else { a };
        let mut most = (1..=longest).fold(0, best);
        if self.steps.is_multiple_of(PLAIN_EVERY) {
            most = 0;
        }
        for (draft, luck) in &mut answers {
            if most == 0 && !draft.is_empty() {
                luck.forget();
            }
            draft.truncate(most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_followed_last_time_is_guessed() {
        let ids = [1, 2, 3, 4, 9, 9, 2, 3, 7, 8, 5, 2, 3];
        assert_eq!(lookup(&ids, 2), [7, 8], "the latest occurrence counts");
        assert_eq!(lookup(&ids, 9), [7, 8, 5, 2, 3]);
        assert_eq!(lookup(&[5, 6, 7, 0, 6, 7, 1, 5, 6, 7], 1), [0], "longer runs come first");
        assert!(lookup(&[1, 2, 3], 4).is_empty());
        assert_eq!(lookup(&[4, 4, 4], 3), [4], "a run may overlap itself");
        assert!(lookup(&[], 4).is_empty() && lookup(&[1], 4).is_empty());
    }

    #[test]
    fn guesses_are_made_when_they_pay_and_only_then() {
        let mut costs = Costs::default();
        let mut lucky = Luck::default();
        for _ in 0..50 {
            lucky.learn(4, 4);
        }
        let mut unlucky = Luck::default();
        for _ in 0..50 {
            unlucky.learn(4, 0);
        }
        // Bandwidth binds: rows cost next to nothing more.
        (1..9).for_each(|rows| costs.record(rows, 1.0 + 0.05 * rows as f64));
        let mut draft = vec![1, 2, 3, 4];
        costs.choose(vec![(&mut draft, &mut lucky)]);
        assert_eq!(draft.len(), 4);
        costs.choose(vec![(&mut draft, &mut unlucky)]);
        assert!(draft.is_empty());
        // So they do, but guessing itself takes long.
        costs.record_guess(1, 2.0);
        let mut draft = vec![1, 2, 3, 4];
        costs.choose(vec![(&mut draft, &mut lucky)]);
        assert!(draft.is_empty());
        // Arithmetic binds: every row costs the same.
        let mut costs = Costs::default();
        (1..9).for_each(|rows| costs.record(rows, rows as f64));
        let mut draft = vec![1, 2, 3, 4];
        let mut even = Luck::default();
        costs.choose(vec![(&mut draft, &mut even)]);
        assert!(draft.is_empty());
    }
}
