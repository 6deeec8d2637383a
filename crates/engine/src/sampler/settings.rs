//! What a user may set, and which values make sense.
//!
//! Every number has one line in [`FIELDS`]: its name, its range, where it lies. Validation,
//! setting by name and the reading of a model's recommendation all go through that table, so a
//! value cannot come in unchecked by one of the doors.

use super::{Error, TokenSet};

/// The most tokens `logit_bias` may name.
pub const MAX_LOGIT_BIAS: usize = 4096;

/// How the next token is chosen. [`SamplerSettings::default`] changes nothing: it draws from the
/// model's own distribution.
#[derive(Debug, Clone, PartialEq)]
pub struct SamplerSettings {
    /// Logits are divided by it; 0 is greedy: the best token, without a draw.
    pub temperature: f32,
    /// Keeps this many tokens; 0 keeps all.
    pub top_k: u32,
    /// Keeps the fewest tokens whose probabilities reach this sum; 1 keeps all.
    pub top_p: f32,
    /// Keeps tokens with at least this share of the best token's probability; 0 keeps all.
    pub min_p: f32,
    /// Keeps the tokens of most typical surprise up to this probability; 1 keeps all.
    pub typical_p: f32,
    /// Keeps tokens with at least this probability; 0 keeps all.
    pub epsilon_cutoff: f32,
    /// Like `epsilon_cutoff`, lower where the distribution is flat; 0 keeps all.
    pub eta_cutoff: f32,
    /// Divides positive and multiplies negative logits of tokens seen in prompt or answer; 1 is off.
    pub repetition_penalty: f32,
    /// Subtracted from the logit of every token the answer holds.
    pub presence_penalty: f32,
    /// Subtracted from a token's logit for each time the answer holds it.
    pub frequency_penalty: f32,
    /// How many of the last tokens the three penalties look at; 0 for all.
    pub penalty_window: u32,
    /// Forbids a token that would repeat a run of this many tokens; 0 is off.
    pub no_repeat_ngram_size: u32,
    /// Don't Repeat Yourself.
    pub dry: Dry,
    /// Exclude Top Choices.
    pub xtc: Xtc,
    /// Mirostat 2; it takes the place of the steps that drop tokens.
    pub mirostat: Option<Mirostat>,
    /// Added to the logits of these tokens; minus infinity forbids one.
    pub logit_bias: Vec<(u32, f32)>,
    /// Report log-probabilities: the chosen token's, and this many of the most probable tokens.
    pub logprobs: Option<u32>,
    /// Names the random numbers. The same seed gives the same tokens for the same logits.
    pub seed: u64,
}

/// Don't Repeat Yourself: a token that would continue a repetition loses
/// `multiplier · base^(length - allowed_length)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dry {
    /// 0 is off.
    pub multiplier: f32,
    /// How fast the penalty grows with the length of the repetition.
    pub base: f32,
    /// The shortest repetition that is penalised.
    pub allowed_length: u32,
    /// How many of the last tokens are searched; 0 for all.
    pub window: u32,
    /// A repetition does not reach across these tokens: [`TokenSet::containing`]
    /// [`Dry::BREAKERS`].
    pub breakers: TokenSet,
}

impl Dry {
    /// The customary strings that end a repetition.
    pub const BREAKERS: &'static [&'static str] = &["\n", ":", "\"", "*"];
}

/// Exclude Top Choices: now and then all tokens above a threshold but the least of them go.
#[derive(Debug, Clone, PartialEq)]
pub struct Xtc {
    /// How often it acts; 0 is off.
    pub probability: f32,
    /// The probability from which a token counts as a top choice.
    pub threshold: f32,
}

/// Mirostat 2: keeps the surprise per token near a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Mirostat {
    /// The target, in bits.
    pub tau: f32,
    /// How fast it corrects.
    pub eta: f32,
}

impl Default for SamplerSettings {
    fn default() -> Self {
        Self {
            temperature: 1.0,
            top_k: 0,
            top_p: 1.0,
            min_p: 0.0,
            typical_p: 1.0,
            epsilon_cutoff: 0.0,
            eta_cutoff: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            penalty_window: 0,
            no_repeat_ngram_size: 0,
            dry: Dry {
                multiplier: 0.0,
                base: 1.75,
                allowed_length: 2,
                window: 0,
                breakers: TokenSet::default(),
            },
            xtc: Xtc { probability: 0.0, threshold: 0.1 },
            mirostat: None,
            logit_bias: Vec::new(),
            logprobs: None,
            seed: 0,
        }
    }
}

impl Default for Mirostat {
    fn default() -> Self {
        Self { tau: 5.0, eta: 0.1 }
    }
}

impl SamplerSettings {
    /// The best token every time.
    pub fn greedy() -> Self {
        Self { temperature: 0.0, ..Self::default() }
    }

    /// What a conversation gets when neither the model nor the user says otherwise.
    pub fn chat() -> Self {
        Self { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05, ..Self::default() }
    }

    /// Whether no random number is drawn.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// Sets a number by the name it has in [`SamplerSettings::numbers`].
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), Error> {
        let field =
            FIELDS.iter().find(|field| field.name == name).ok_or_else(|| Error::Setting {
                field: name.to_owned(),
                found: value.to_string(),
                expected: format!("one of {}", FIELDS.map(|field| field.name).join(", ")),
            })?;
        field.check(value)?;
        (field.put)(self, value);
        Ok(())
    }

    /// Every number by name, as it stands (the seed is not among them: it is wider).
    pub fn numbers(&self) -> impl Iterator<Item = (&'static str, f64)> {
        FIELDS.iter().map(|field| (field.name, (field.get)(self)))
    }

    /// The first value that makes no sense, by name, with what was expected.
    pub fn validate(&self) -> Result<(), Error> {
        for field in FIELDS {
            field.check((field.get)(self))?;
        }
        let wrong = |found: String, expected: &str| Error::Setting {
            field: "logit_bias".to_owned(),
            found,
            expected: expected.to_owned(),
        };
        if self.logit_bias.len() > MAX_LOGIT_BIAS {
            let expected = format!("at most {MAX_LOGIT_BIAS} tokens");
            return Err(wrong(format!("{} tokens", self.logit_bias.len()), &expected));
        }
        let mut ids: Vec<u32> = self.logit_bias.iter().map(|&(id, _)| id).collect();
        ids.sort_unstable();
        if let Some([twice, ..]) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(wrong(format!("token {twice} twice"), "each token once"));
        }
        match self
            .logit_bias
            .iter()
            .find(|(_, bias)| !(bias.abs() <= MAX_BIAS as f32 || *bias == f32::NEG_INFINITY))
        {
            Some((id, bias)) => Err(wrong(
                format!("{bias} for token {id}"),
                "a number from -1000 to 1000, or minus infinity to forbid the token",
            )),
            None => Ok(()),
        }
    }
}

const MAX_BIAS: f64 = 1000.0;
/// Wider than any context or vocabulary in use.
const MAX_COUNT: f64 = 16_777_216.0;

/// A number among the settings.
struct Field {
    name: &'static str,
    range: (f64, f64),
    kind: Kind,
    get: fn(&SamplerSettings) -> f64,
    put: fn(&mut SamplerSettings, f64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Real,
    /// A real number that may not be zero either.
    Above,
    Whole,
}

impl Field {
    fn check(&self, value: f64) -> Result<(), Error> {
        let (low, high) = self.range;
        let fits = match self.kind {
            Kind::Real => (low..=high).contains(&value),
            Kind::Above => value > low && value <= high,
            Kind::Whole => (low..=high).contains(&value) && value.fract() == 0.0,
        };
        if fits {
            return Ok(());
        }
        let expected = match self.kind {
            Kind::Real => format!("a number from {low} to {high}"),
            Kind::Above => format!("a number above {low}, at most {high}"),
            Kind::Whole => format!("a whole number from {low} to {high}"),
        };
        Err(Error::Setting { field: self.name.to_owned(), found: value.to_string(), expected })
    }
}

macro_rules! field {
    ($name:literal, $kind:ident, $low:expr, $high:expr, $type:ty, $($path:ident).+) => {
        Field {
            name: $name,
            range: ($low, $high),
            kind: Kind::$kind,
            get: |s| f64::from(s.$($path).+),
            put: |s, value| s.$($path).+ = value as $type,
        }
    };
}

const FIELDS: [Field; 21] = [
    field!("temperature", Real, 0.0, 100.0, f32, temperature),
    field!("top_k", Whole, 0.0, MAX_COUNT, u32, top_k),
    field!("top_p", Real, 0.0, 1.0, f32, top_p),
    field!("min_p", Real, 0.0, 1.0, f32, min_p),
    field!("typical_p", Real, 0.0, 1.0, f32, typical_p),
    field!("epsilon_cutoff", Real, 0.0, 1.0, f32, epsilon_cutoff),
    field!("eta_cutoff", Real, 0.0, 1.0, f32, eta_cutoff),
    field!("repetition_penalty", Above, 0.0, 100.0, f32, repetition_penalty),
    field!("presence_penalty", Real, -100.0, 100.0, f32, presence_penalty),
    field!("frequency_penalty", Real, -100.0, 100.0, f32, frequency_penalty),
    field!("penalty_window", Whole, 0.0, MAX_COUNT, u32, penalty_window),
    field!("no_repeat_ngram_size", Whole, 0.0, MAX_COUNT, u32, no_repeat_ngram_size),
    field!("dry_multiplier", Real, 0.0, 100.0, f32, dry.multiplier),
    field!("dry_base", Real, 1.0, 100.0, f32, dry.base),
    field!("dry_allowed_length", Whole, 1.0, MAX_COUNT, u32, dry.allowed_length),
    field!("dry_window", Whole, 0.0, MAX_COUNT, u32, dry.window),
    field!("xtc_probability", Real, 0.0, 1.0, f32, xtc.probability),
    field!("xtc_threshold", Real, 0.0, 1.0, f32, xtc.threshold),
    Field {
        name: "mirostat_tau",
        range: (0.0, 100.0),
        kind: Kind::Above,
        get: |s| s.mirostat.as_ref().map_or(5.0, |m| f64::from(m.tau)),
        put: |s, value| s.mirostat.get_or_insert_default().tau = value as f32,
    },
    Field {
        name: "mirostat_eta",
        range: (0.0, 10.0),
        kind: Kind::Above,
        get: |s| s.mirostat.as_ref().map_or(0.1, |m| f64::from(m.eta)),
        put: |s, value| s.mirostat.get_or_insert_default().eta = value as f32,
    },
    Field {
        name: "logprobs",
        range: (0.0, 1000.0),
        kind: Kind::Whole,
        get: |s| s.logprobs.map_or(0.0, f64::from),
        put: |s, value| s.logprobs = Some(value as u32),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(settings: &SamplerSettings, name: &str) {
        match settings.validate() {
            Err(Error::Setting { field, found, expected }) => {
                assert_eq!(field, name);
                assert!(!found.is_empty() && !expected.is_empty());
            }
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn t10_senseless_values_are_refused_by_name() {
        let d = SamplerSettings::default;
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.1, 101.0] {
            refused(&SamplerSettings { temperature: bad, ..d() }, "temperature");
        }
        for bad in [f32::NAN, f32::INFINITY, -0.01, 1.01] {
            refused(&SamplerSettings { top_p: bad, ..d() }, "top_p");
            refused(&SamplerSettings { min_p: bad, ..d() }, "min_p");
            refused(&SamplerSettings { typical_p: bad, ..d() }, "typical_p");
            refused(
                &SamplerSettings { xtc: Xtc { probability: bad, threshold: 0.1 }, ..d() },
                "xtc_probability",
            );
        }
        for bad in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            refused(&SamplerSettings { repetition_penalty: bad, ..d() }, "repetition_penalty");
        }
        refused(&SamplerSettings { top_k: u32::MAX, ..d() }, "top_k");
        refused(&SamplerSettings { logprobs: Some(1_000_000), ..d() }, "logprobs");
        refused(&SamplerSettings { presence_penalty: f32::NAN, ..d() }, "presence_penalty");
        refused(
            &SamplerSettings { mirostat: Some(Mirostat { tau: f32::NAN, eta: 0.1 }), ..d() },
            "mirostat_tau",
        );
        for bias in [
            vec![(1, f32::NAN)],
            vec![(1, f32::INFINITY)],
            vec![(1, 1e9)],
            vec![(5, 1.0), (6, 1.0), (5, 2.0)],
            (0..1_000_000).map(|id| (id, 1.0)).collect(),
        ] {
            refused(&SamplerSettings { logit_bias: bias, ..d() }, "logit_bias");
        }
    }

    #[test]
    fn t10_values_set_by_name_are_checked_too() {
        let mut settings = SamplerSettings::default();
        for (name, bad) in [
            ("top_k", -1.0),
            ("top_k", 1.5),
            ("top_k", f64::NAN),
            ("temperature", f64::INFINITY),
            ("temperature", 1e300),
            ("top_p", -1e-9),
            ("n_discard", 1.0),
        ] {
            let before = settings.clone();
            assert!(
                matches!(settings.set(name, bad), Err(Error::Setting { field, .. }) if field == name)
            );
            assert_eq!(settings, before);
        }
        settings.set("mirostat_tau", 3.0).unwrap();
        assert_eq!(settings.mirostat, Some(Mirostat { tau: 3.0, eta: 0.1 }));
    }

    #[test]
    fn every_number_can_be_set_and_read_back() {
        let mut settings = SamplerSettings::default();
        for (name, _) in SamplerSettings::default().numbers() {
            settings.set(name, 1.0).unwrap();
        }
        assert!(settings.numbers().all(|(_, value)| value == 1.0));
        settings.validate().unwrap();
        SamplerSettings::default().validate().unwrap();
        SamplerSettings::chat().validate().unwrap();
        SamplerSettings::greedy().validate().unwrap();
    }
}
