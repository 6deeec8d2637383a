//! The sampling options: one row of [`FLAGS`] for each number of the sampler, named alike.

use std::hash::{BuildHasher, Hasher, RandomState};

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, value_parser};
use engine::sampler::{Dry, SamplerSettings, TokenSet, Value};
use serde_json::{Map, Value as Json};
use text::tokenizer::Tokenizer;
use weights::Checkpoint;

use crate::error::{refused, usage};

/// An option: its name (the sampler's name of the number, `-` for `_`), what its value is called,
/// what it does.
struct Flag {
    name: &'static str,
    value: &'static str,
    help: &'static str,
}

const fn flag(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, value, help }
}

/// Every number of the sampler.
const FLAGS: &[Flag] = &[
    flag(
        "temperature",
        "T",
        "Flattens (above 1) or sharpens (below 1) the distribution; 0 is greedy",
    ),
    flag("top-k", "K", "Keep the K best tokens; 0 keeps all"),
    flag("top-p", "P", "Keep the fewest tokens whose probabilities reach P; 1 keeps all"),
    flag("min-p", "P", "Keep tokens with at least this share of the best token's probability"),
    flag("typical-p", "P", "Keep the tokens of most typical surprise up to this probability"),
    flag("epsilon-cutoff", "P", "Keep tokens with at least this probability"),
    flag("eta-cutoff", "P", "Like epsilon, lower where the distribution is flat"),
    flag("repetition-penalty", "F", "Weaken tokens of prompt and answer by this factor; 1 is off"),
    flag("presence-penalty", "X", "Subtract from the logit of every token the answer holds"),
    flag("frequency-penalty", "X", "Subtract from a token's logit each time the answer holds it"),
    flag("penalty-window", "N", "Tokens the three penalties look back on; 0 for all"),
    flag("no-repeat-ngram-size", "N", "Forbid repeating any run of N tokens; 0 is off"),
    flag("dry-multiplier", "X", "Don't Repeat Yourself: strength; 0 is off"),
    flag("dry-base", "X", "DRY: growth with the length of the repetition"),
    flag("dry-allowed-length", "N", "DRY: the shortest repetition that is penalised"),
    flag("dry-window", "N", "DRY: tokens searched for repetitions; 0 for all"),
    flag("xtc-probability", "P", "Exclude Top Choices: how often; 0 is off"),
    flag("xtc-threshold", "P", "XTC: the probability from which a token is a top choice"),
    flag("mirostat-tau", "BITS", "Mirostat 2: surprise per token to keep to; switches it on"),
    flag("mirostat-eta", "X", "Mirostat 2: how fast it corrects; switches it on"),
    flag("logprobs", "N", "With --json: log-probabilities of each token and of the N best"),
];

const HEADING: &str = "Sampling";

/// What the user set, by name, in the order of the table.
#[derive(Clone, Debug, Default)]
pub(super) struct Sampling {
    numbers: Vec<(&'static str, f64)>,
    seed: Option<u64>,
    bias: Vec<(u32, f32)>,
}

impl clap::Args for Sampling {
    fn augment_args(mut line: Command) -> Command {
        for flag in FLAGS {
            let mut arg = Arg::new(flag.name)
                .long(flag.name)
                .value_name(flag.value)
                .help(flag.help)
                .value_parser(value_parser!(f64))
                .allow_hyphen_values(true)
                .help_heading(HEADING);
            if flag.name == "typical-p" {
                arg = arg.visible_alias("typical");
            }
            line = line.arg(arg);
        }
        let seed = Arg::new("seed")
            .long("seed")
            .value_name("N")
            .help("Names the random numbers: the same seed gives the same answer [default: drawn]")
            .value_parser(value_parser!(u64))
            .allow_negative_numbers(true)
            .help_heading(HEADING);
        let bias = Arg::new("logit_bias")
            .long("logit-bias")
            .value_name("ID=BIAS")
            .help("Add to a token's logit; -inf forbids it (repeatable)")
            .value_parser(bias)
            .action(ArgAction::Append)
            .help_heading(HEADING);
        line.arg(seed).arg(bias)
    }

    fn augment_args_for_update(line: Command) -> Command {
        Self::augment_args(line)
    }
}

impl FromArgMatches for Sampling {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let number = |flag: &Flag| Some((flag.name, *matches.get_one::<f64>(flag.name)?));
        Ok(Sampling {
            numbers: FLAGS.iter().filter_map(number).collect(),
            seed: matches.get_one("seed").copied(),
            bias: matches.get_many("logit_bias").into_iter().flatten().copied().collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Sampling {
    /// Refuses values that make no sense.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let mut settings = SamplerSettings::default();
        self.apply(&mut settings)
    }

    /// Puts what the user set over `settings`.
    fn apply(&self, settings: &mut SamplerSettings) -> anyhow::Result<()> {
        for (name, value) in &self.numbers {
            settings.set(&name.replace('-', "_"), *value)?;
        }
        settings.logit_bias.extend(&self.bias);
        Ok(settings.validate()?)
    }

    /// What to sample with: the model's recommendation, else the customary, then the user's.
    pub(super) fn settings(
        &self,
        checkpoint: &Checkpoint,
        tokenizer: Option<&Tokenizer>,
    ) -> anyhow::Result<SamplerSettings> {
        let mut settings = recommended(checkpoint)?.unwrap_or_else(SamplerSettings::chat);
        self.apply(&mut settings)?;
        settings.seed = self.seed.unwrap_or_else(drawn);
        if let Some(tokenizer) = tokenizer {
            let pieces = (0..tokenizer.vocab_size() as u32)
                .map(|id| tokenizer.token_bytes(id).unwrap_or_default());
            if settings.dry.multiplier != 0.0 {
                settings.dry.breakers = TokenSet::containing(Dry::BREAKERS, pieces);
            }
        }
        Ok(settings)
    }
}

/// What the model's own files recommend.
pub(crate) fn recommended(checkpoint: &Checkpoint) -> anyhow::Result<Option<SamplerSettings>> {
    let metadata = checkpoint.metadata();
    let none = Map::new();
    let fields = match metadata.folder() {
        Some(folder) if metadata.gguf().is_none() => folder.generation_config().unwrap_or(&none),
        _ => &metadata.config,
    };
    let fields = fields.iter().filter_map(|(name, value)| {
        let value = match value {
            Json::Number(number) => Value::Number(number.as_f64()?),
            Json::Bool(flag) => Value::Flag(*flag),
            Json::String(text) => Value::Text(text),
            _ => return None,
        };
        Some((name.as_str(), value))
    });
    let read = SamplerSettings::from_recommended(fields).map_err(|error| {
        refused(format!("the model's recommended sampling: {error}"), "correct the model's files")
    })?;
    Ok(read.map(|read| read.settings))
}

/// A seed nobody chose; small enough to be typed again, and to survive any JSON reader.
fn drawn() -> u64 {
    RandomState::new().build_hasher().finish() >> 32
}

fn bias(text: &str) -> Result<(u32, f32), String> {
    let wrong = || format!("{text:?} is no bias, expected ID=BIAS");
    let (id, bias) = text.split_once('=').ok_or_else(wrong)?;
    Ok((id.trim().parse().map_err(|_| wrong())?, bias.trim().parse().map_err(|_| wrong())?))
}

/// Sets a number by name, as `/set` does.
pub(super) fn set(settings: &mut SamplerSettings, name: &str, value: &str) -> anyhow::Result<()> {
    let name = name.replace('-', "_");
    let number = || value.parse::<f64>().map_err(|_| usage(format!("{value:?} is no number")));
    if name == "seed" {
        settings.seed = value
            .parse()
            .map_err(|_| usage(format!("{value:?} is no seed, expected a whole number from 0")))?;
        return Ok(());
    }
    Ok(settings.set(&name, number()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_the_sampler_has_its_option() {
        let settings = SamplerSettings::default();
        let names: Vec<_> = settings.numbers().map(|(name, _)| name).collect();
        let options: Vec<_> = FLAGS.iter().map(|flag| flag.name.replace('-', "_")).collect();
        assert_eq!(names, options);
    }

    #[test]
    fn options_go_over_the_recommendation() {
        let line = <Sampling as clap::Args>::augment_args(Command::new("x"));
        let matches = line.get_matches_from([
            "x",
            "--top-k",
            "7",
            "--typical",
            "0.5",
            "--logit-bias",
            "3=-inf",
        ]);
        let sampling = Sampling::from_arg_matches(&matches).unwrap();
        let mut settings = SamplerSettings::chat();
        sampling.apply(&mut settings).unwrap();
        assert_eq!((settings.top_k, settings.typical_p, settings.top_p), (7, 0.5, 0.95));
        assert_eq!(settings.logit_bias, [(3, f32::NEG_INFINITY)]);
    }
}
