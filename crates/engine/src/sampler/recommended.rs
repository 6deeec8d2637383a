//! The sampling a model's makers recommend, as its files state it.
//!
//! Two vocabularies are read: `generation_config.json` of a Hugging Face folder, and the
//! `general.sampling.*` keys of a GGUF. What is stated is taken; what is not stated stays neutral,
//! so a recommendation is never half the makers' and half ours. Fields about sampling that we do
//! not follow are named, not dropped in silence.

use super::{Error, SamplerSettings};

/// The value of a metadata field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A number of any kind.
    Number(f64),
    /// `true` or `false`.
    Flag(bool),
    /// A text.
    Text(&'a str),
}

/// A model's recommendation.
#[derive(Debug, Clone, PartialEq)]
pub struct Recommended {
    /// The settings it amounts to.
    pub settings: SamplerSettings,
    /// The fields it was read from.
    pub stated: Vec<String>,
    /// Fields about choosing tokens that are not followed.
    pub unused: Vec<String>,
}

/// A metadata key, and the name of our number it sets.
const KEYS: &[(&str, &str)] = &[
    ("temperature", "temperature"),
    ("top_k", "top_k"),
    ("top_p", "top_p"),
    ("min_p", "min_p"),
    ("typical_p", "typical_p"),
    ("epsilon_cutoff", "epsilon_cutoff"),
    ("eta_cutoff", "eta_cutoff"),
    ("repetition_penalty", "repetition_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("no_repeat_ngram_size", "no_repeat_ngram_size"),
    ("general.sampling.temp", "temperature"),
    ("general.sampling.top_k", "top_k"),
    ("general.sampling.top_p", "top_p"),
    ("general.sampling.min_p", "min_p"),
    ("general.sampling.xtc_probability", "xtc_probability"),
    ("general.sampling.xtc_threshold", "xtc_threshold"),
    ("general.sampling.penalty_last_n", "penalty_window"),
    ("general.sampling.penalty_repeat", "repetition_penalty"),
];

/// Other fields that would change which token is chosen, and the value at which they do not.
const NOT_FOLLOWED: &[(&str, f64)] = &[
    ("num_beams", 1.0),
    ("num_beam_groups", 1.0),
    ("penalty_alpha", 0.0),
    ("diversity_penalty", 0.0),
    ("encoder_repetition_penalty", 1.0),
    ("encoder_no_repeat_ngram_size", 0.0),
    ("min_length", 0.0),
    ("min_new_tokens", 0.0),
];

impl SamplerSettings {
    /// Reads a model's recommendation from its metadata; fields about other things are passed
    /// over. `None` when nothing about sampling is stated. A value that makes no sense is an
    /// error that names the metadata field.
    pub fn from_recommended<'a>(
        fields: impl IntoIterator<Item = (&'a str, Value<'a>)>,
    ) -> Result<Option<Recommended>, Error> {
        let mut read = Recommended {
            settings: SamplerSettings::default(),
            stated: Vec::new(),
            unused: Vec::new(),
        };
        let (mut greedy, mut mirostat, mut penalties_off) = (false, Mirostat2::default(), false);
        for (key, value) in fields {
            match (key, value) {
                ("do_sample", Value::Flag(sample)) => greedy = !sample,
                ("do_sample", other) => return Err(wrong(key, other, "true or false")),
                ("general.sampling.mirostat", value) => mirostat.version = number(key, value)?,
                ("general.sampling.mirostat_tau", value) => {
                    mirostat.tau = Some(number(key, value)?);
                }
                ("general.sampling.mirostat_eta", value) => {
                    mirostat.eta = Some(number(key, value)?);
                }
                ("general.sampling.sequence", _) => read.unused.push(key.to_owned()),
                _ => {
                    if let Some((_, name)) = KEYS.iter().find(|(own, _)| *own == key) {
                        let mut value = number(key, value)?;
                        if *name == "penalty_window" && value == 0.0 {
                            penalties_off = true;
                        }
                        // Minus one is the field's customary "no limit", which is 0 here.
                        if matches!(*name, "top_k" | "penalty_window") && value == -1.0 {
                            value = 0.0;
                        }
                        read.settings.set(name, value).map_err(|error| error.of_field(key))?;
                        read.stated.push(key.to_owned());
                    } else if NOT_FOLLOWED
                        .iter()
                        .any(|&(own, neutral)| own == key && value != Value::Number(neutral))
                    {
                        read.unused.push(key.to_owned());
                    }
                }
            }
        }
        mirostat.apply(&mut read)?;
        if penalties_off {
            read.settings.repetition_penalty = 1.0;
        }
        if greedy {
            read.settings.temperature = 0.0;
            read.stated.push("do_sample".to_owned());
        }
        Ok((!read.stated.is_empty()).then_some(read))
    }
}

#[derive(Default)]
struct Mirostat2 {
    version: f64,
    tau: Option<f64>,
    eta: Option<f64>,
}

impl Mirostat2 {
    fn apply(self, read: &mut Recommended) -> Result<(), Error> {
        if self.version == 0.0 {
            return Ok(());
        }
        let key = "general.sampling.mirostat";
        if self.version != 2.0 {
            return Err(wrong(key, Value::Number(self.version), "0 (off) or 2"));
        }
        read.settings.mirostat = Some(super::Mirostat::default());
        read.stated.push(key.to_owned());
        for (name, value) in [("mirostat_tau", self.tau), ("mirostat_eta", self.eta)] {
            if let Some(value) = value {
                let key = format!("general.sampling.{name}");
                read.settings.set(name, value).map_err(|error| error.of_field(&key))?;
                read.stated.push(key);
            }
        }
        Ok(())
    }
}

fn number(key: &str, value: Value<'_>) -> Result<f64, Error> {
    match value {
        Value::Number(value) => Ok(value),
        other => Err(wrong(key, other, "a number")),
    }
}

fn wrong(key: &str, found: Value<'_>, expected: &str) -> Error {
    let found = match found {
        Value::Number(value) => value.to_string(),
        Value::Flag(value) => value.to_string(),
        Value::Text(text) => format!("{:?}", text.chars().take(40).collect::<String>()),
    };
    Error::Setting { field: key.to_owned(), found, expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::Value::{Flag, Number, Text};
    use super::*;

    #[test]
    fn a_generation_config_as_published() {
        let read = SamplerSettings::from_recommended([
            ("bos_token_id", Number(151_643.0)),
            ("do_sample", Flag(true)),
            ("temperature", Number(0.6)),
            ("top_k", Number(20.0)),
            ("top_p", Number(0.95)),
            ("transformers_version", Text("4.51.0")),
        ])
        .unwrap()
        .unwrap();
        let expected =
            SamplerSettings { temperature: 0.6, top_k: 20, top_p: 0.95, ..Default::default() };
        assert_eq!(read.settings, expected);
        assert_eq!(read.stated, ["temperature", "top_k", "top_p"]);
        assert!(read.unused.is_empty());
    }

    #[test]
    fn nothing_stated_is_no_recommendation_and_do_sample_false_is_greedy() {
        let none = SamplerSettings::from_recommended([("eos_token_id", Number(2.0))]).unwrap();
        assert_eq!(none, None);
        let none = SamplerSettings::from_recommended([("do_sample", Flag(true))]).unwrap();
        assert_eq!(none, None);
        let greedy = SamplerSettings::from_recommended([("do_sample", Flag(false))]).unwrap();
        assert!(greedy.unwrap().settings.is_greedy());
    }

    #[test]
    fn gguf_keys_with_their_own_conventions() {
        let read = SamplerSettings::from_recommended([
            ("general.sampling.temp", Number(0.7)),
            ("general.sampling.top_k", Number(-1.0)),
            ("general.sampling.penalty_last_n", Number(64.0)),
            ("general.sampling.penalty_repeat", Number(1.1)),
            ("general.sampling.mirostat", Number(2.0)),
            ("general.sampling.mirostat_tau", Number(4.0)),
            ("general.sampling.sequence", Text("kpm")),
            ("num_beams", Number(4.0)),
        ])
        .unwrap()
        .unwrap();
        assert_eq!(read.settings.top_k, 0);
        assert_eq!(read.settings.penalty_window, 64);
        assert_eq!(read.settings.mirostat.unwrap().tau, 4.0);
        assert_eq!(read.unused, ["general.sampling.sequence", "num_beams"]);
    }

    #[test]
    fn a_hostile_value_is_refused_with_the_metadata_key() {
        for (key, value) in [
            ("temperature", Number(f64::NAN)),
            ("temperature", Number(1e300)),
            ("top_p", Number(7.0)),
            ("top_k", Text("many")),
            ("do_sample", Number(1.0)),
            ("general.sampling.mirostat", Number(9.0)),
            ("general.sampling.temp", Number(-1.0)),
        ] {
            let error = SamplerSettings::from_recommended([(key, value)]).unwrap_err();
            assert!(matches!(error, Error::Setting { field, .. } if field == key), "{key}");
        }
    }
}
