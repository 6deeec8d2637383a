//! `freehold logits`: what a model computes for a text, before anything is chosen.

use std::path::{Path, PathBuf};

use clap::Args;
use engine::{Engine, Settings, sampler};
use kernels::PAGE_TOKENS;
use quant::F32;
use serde::Serialize;
use text::tokenizer::{Frame, Special, Tokenizer};
use weights::{SafetensorsWriter, TensorStream};

use super::Command;
use crate::{error::failed, ids::Ids, kv::Kv, load, named, program::App};

/// Arguments of `freehold logits`.
#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(crate) struct Logits {
    /// A GGUF file, a safetensors file or a folder
    model: PathBuf,
    /// Raw text, no template; begins as the model's own tokenizer begins a text
    #[arg(long, value_name = "TEXT", group = "what")]
    prompt: Option<String>,
    /// Token ids instead of a text, as they are
    #[arg(long, value_name = "IDS", allow_hyphen_values = true, group = "what")]
    ids: Option<Ids>,
    /// How many of the best tokens are shown for each position
    #[arg(long, value_name = "K", default_value_t = 10, allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    top: u32,
    /// Every position, not only the last
    #[arg(long)]
    all: bool,
    /// Write all logits there: one tensor "logits" [positions, vocab] in F32
    #[arg(long, value_name = "FILE.safetensors")]
    out: Option<PathBuf>,
    /// How the cache keeps keys and values
    #[arg(long, value_name = "TYPE", default_value = "f32")]
    kv: Kv,
    /// How products with quantized weights are computed
    #[arg(long, value_name = "HOW", default_value = "exact")]
    precision: load::HowExact,
    #[command(flatten)]
    running: load::Running,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    ids: &'a [u32],
    positions: Vec<Position>,
}

/// The best tokens after one position.
#[derive(Serialize)]
struct Position {
    pos: usize,
    top: Vec<Best>,
}

/// A token and what the model thinks of it.
#[derive(Serialize)]
struct Best {
    id: u32,
    /// As the vocabulary writes it; null where it has none for the id.
    token: Option<String>,
    logit: f32,
    logprob: f64,
}

impl Command for Logits {
    const NAME: &'static str = "logits";
    const ABOUT: &'static str = "Print the logits a model computes for a text or for token ids";
    const DETAILS: &'static str = "Raw text, no template. Position p holds what the model expects after the token at p. \
        JSON: {\"ids\": [...], \"positions\": [{\"pos\": 0, \"top\": [{\"id\", \"token\", \"logit\", \"logprob\"}]}]}.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold logits model.gguf --prompt \"The capital of France is\" --top 5",
        "freehold logits model/ --ids 1,403,407 --all --json",
        "freehold logits model/ --ids 1,403,407 --all --out logits.safetensors",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let file = load::file(&named::locate(app, &self.model)?.path)?;
        let (ids, tokenizer) = match (self.ids, self.prompt) {
            // Ids need no tokenizer; where there is one it names them.
            (Some(Ids(ids)), _) => (ids, load::tokenizer_of(&file).ok()),
            (None, text) => {
                let tokenizer = load::tokenizer_of(&file)?;
                let text = text.unwrap_or_default();
                let ids = tokenizer.encode_framed(&text, Special::Parse, Frame::Once)?;
                (ids, Some(tokenizer))
            }
        };
        let vocab = file.model().vocab;
        crate::ids::check(&ids, vocab)?;
        let made_for = file.model().context;
        if ids.len() > made_for {
            return Err(
                engine::Error::PromptTooLong { prompt: ids.len(), context: made_for }.into()
            );
        }
        let settings = Settings {
            context: Some(ids.len().next_multiple_of(PAGE_TOKENS).min(made_for)),
            kv: self.kv.format(),
            ..Settings::SINGLE
        };
        let backend = self.running.backend(app).with(self.precision.precision());
        let mut engine = load::engine(app, &file, &backend, &settings)?;
        let wanted = if self.all { 0..ids.len() } else { ids.len().saturating_sub(1)..ids.len() };
        let mut out =
            self.out.as_deref().map(|path| begin(path, wanted.len(), vocab)).transpose()?;
        let positions = positions(
            &mut engine,
            tokenizer.as_ref(),
            &ids,
            wanted,
            self.top as usize,
            out.as_mut(),
        )?;
        if let Some(out) = out {
            out.finish()?;
        }
        if self.json {
            return app.output.json(&Report { ids: &ids, positions });
        }
        table(app, tokenizer.as_ref(), &ids, &positions)
    }
}

fn begin(path: &Path, positions: usize, vocab: usize) -> anyhow::Result<TensorStream> {
    let mut writer = SafetensorsWriter::new();
    writer.tensor("logits", &[positions, vocab], &F32)?;
    Ok(writer.begin(path)?)
}

/// Computes the wanted positions, writes each to `out` as it comes, keeps the best.
fn positions(
    engine: &mut Engine,
    tokenizer: Option<&Tokenizer>,
    ids: &[u32],
    wanted: std::ops::Range<usize>,
    top: usize,
    mut out: Option<&mut TensorStream>,
) -> anyhow::Result<Vec<Position>> {
    let mut positions = Vec::with_capacity(wanted.len());
    let mut broken = None;
    let mut bytes = vec![];
    engine.logits(ids, wanted, &mut |pos, logits| {
        if let Some(id) = logits.iter().position(|logit| !logit.is_finite()) {
            broken.get_or_insert((pos, id, logits[id]));
        }
        if let Some(out) = &mut out {
            bytes.clear();
            bytes.extend(logits.iter().flat_map(|logit| logit.to_le_bytes()));
            out.put(&bytes)?;
        }
        let named = |best: sampler::LogProb| Best {
            token: tokenizer.and_then(|t| t.token_text(best.id)).map(str::to_owned),
            id: best.id,
            logit: best.logit,
            logprob: best.logprob,
        };
        let best = if broken.is_some() { vec![] } else { sampler::top_logprobs(logits, top) };
        positions.push(Position { pos, top: best.into_iter().map(named).collect() });
        Ok(())
    })?;
    if let Some((pos, id, logit)) = broken {
        return Err(failed(
            format!(
                "the logit of token {id} at position {pos} is {logit}, expected a finite number"
            ),
            "the weights may be damaged: see freehold inspect --deep",
        ));
    }
    Ok(positions)
}

fn table(
    app: &App,
    tokenizer: Option<&Tokenizer>,
    ids: &[u32],
    positions: &[Position],
) -> anyhow::Result<()> {
    let styles = app.output.styles();
    let token =
        |id| tokenizer.and_then(|t| t.token_text(id)).map(weights::shown).unwrap_or_default();
    for position in positions {
        let id = ids[position.pos];
        let head = format!("after position {}: {id} {}", position.pos, token(id));
        app.output.line(styles.bold(&head))?;
        app.output
            .line(styles.dim(&format!("{:>8}  {:>10}  {:>9}  token", "id", "logit", "logprob")))?;
        for best in &position.top {
            let Best { id, logit, logprob, .. } = best;
            app.output.line(format!("{id:>8}  {logit:>10.4}  {logprob:>9.4}  {}", token(*id)))?;
        }
    }
    Ok(())
}
