//! From a MODEL argument to a model: opened (headers only), then planned, then loaded.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use clap::Args;
use engine::{Cpu, Engine, ModelFile, Precision, Settings as EngineSettings};
use machine::{Bytes, Machine};
use text::tokenizer::Tokenizer;
use weights::Checkpoint;

use crate::{error::usage, kv::Kv, program::App, tokenizer};

/// How a model is to be run, for every command that runs one.
#[derive(Args, Clone, Debug)]
pub(crate) struct Running {
    /// Threads to compute with [default: one a physical core, or FREEHOLD_THREADS]
    #[arg(long, short = 't', value_name = "N", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) threads: Option<u32>,
}

/// See [`Precision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum HowExact {
    /// Weights stay in their blocks, activations are rounded to 8 bits: what `freehold run` does by itself
    Fast,
    /// Weights are widened, activations stay F32: what the reference does, for more memory
    Exact,
}

impl HowExact {
    /// As the engine names it.
    pub(crate) fn precision(self) -> Precision {
        match self {
            HowExact::Fast => Precision::Fast,
            HowExact::Exact => Precision::Exact,
        }
    }
}

impl Running {
    /// The backend: this machine's processor.
    pub(crate) fn backend(&self, app: &App) -> Cpu {
        let threads = app.settings.threads(self.threads.map(|threads| threads as usize));
        Cpu::new(app.settings.isa, threads)
    }
}

/// Opens the files MODEL names: headers and metadata, no weights.
pub(crate) fn checkpoint(model: &Path) -> anyhow::Result<Checkpoint> {
    Ok(Checkpoint::open(model)?)
}

/// Opens MODEL and understands it as a model.
pub(crate) fn file(model: &Path) -> anyhow::Result<Arc<ModelFile>> {
    Ok(Arc::new(ModelFile::new(checkpoint(model)?)?))
}

/// The tokenizer of an opened model, which must fit its embedding.
pub(crate) fn tokenizer_of(file: &ModelFile) -> anyhow::Result<Tokenizer> {
    let tokenizer = tokenizer::of(file.checkpoint())?;
    tokenizer
        .check_rows(file.model().vocab)
        .context("tokenizer and weights do not belong together")?;
    Ok(tokenizer)
}

/// What the user asked of context and cache, checked against the model.
pub(crate) fn engine_settings(
    file: &ModelFile,
    context: Option<usize>,
    kv: Kv,
) -> anyhow::Result<EngineSettings> {
    if let Some(asked) = context {
        let most = file.model().context;
        if asked == 0 || asked > most {
            return Err(usage(format!(
                "--ctx is {asked}, expected 1 to {most}, the context this model was made for"
            )));
        }
    }
    Ok(EngineSettings { context, kv: kv.format(), ..EngineSettings::SINGLE })
}

/// Plans, refuses what does not fit this machine with the arithmetic, loads with a progress bar.
pub(crate) fn engine(
    app: &App,
    file: &Arc<ModelFile>,
    backend: &Cpu,
    settings: &EngineSettings,
) -> anyhow::Result<Engine> {
    admit(file, backend, settings, Machine::detect().memory.free())?;
    let progress = app.output.progress("loading", file.checkpoint().tensor_bytes());
    let engine = Engine::load(Arc::clone(file), backend, settings, &mut |done, total| {
        progress.set(done, total);
    });
    progress.finish();
    Ok(engine?)
}

/// Compares what running would take with what is free.
pub(crate) fn admit(
    file: &ModelFile,
    backend: &Cpu,
    settings: &EngineSettings,
    available: Bytes,
) -> Result<(), engine::Error> {
    let footprint = Footprint::of(file, backend, settings)?;
    let needed = footprint.total();
    if needed <= available {
        return Ok(());
    }
    let breakdown = format!(
        "weights {} + cache {} for {} tokens + activations {} + program {}",
        footprint.weights,
        footprint.kv_cache,
        settings.context_of(file.model()),
        footprint.activations,
        footprint.program,
    );
    Err(engine::Error::DoesNotFit { needed, breakdown, available })
}

/// What running a model takes of this machine's memory. Pages of the model's file that the system
/// keeps while they are not needed elsewhere are not counted: it gives them up by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Footprint {
    /// Packed for the processor.
    pub(crate) weights: Bytes,
    /// Keys and values of the whole context.
    pub(crate) kv_cache: Bytes,
    /// Buffers of a step.
    pub(crate) activations: Bytes,
    /// The program itself, the tokenizer, the threads' scratch.
    pub(crate) program: Bytes,
}

impl Footprint {
    /// The program before it has opened anything.
    const BARE: u64 = 3 << 20;
    /// What a token of the vocabulary takes, and a merge: measured with real vocabularies of 32 to 262
    /// thousand tokens.
    const TOKEN: u64 = 70;
    const MERGE: u64 = 95;

    /// Of a model and an engine so set up.
    pub(crate) fn of(
        file: &ModelFile,
        backend: &Cpu,
        settings: &EngineSettings,
    ) -> Result<Self, engine::Error> {
        let memory = Engine::plan(file, backend, settings)?;
        let bytes = |n: usize| Bytes(n as u64);
        let vocab = file.model().vocab as u64;
        let merges = match file.checkpoint().metadata().gguf() {
            Some(keys) => match keys.kind("tokenizer.ggml.merges") {
                Some((_, Some((_, count)))) => count as u64,
                _ => 0,
            },
            None => vocab,
        };
        Ok(Footprint {
            weights: bytes(memory.weights),
            kv_cache: bytes(memory.kv_cache),
            activations: bytes(memory.activations),
            program: Bytes(Self::BARE + Self::TOKEN * vocab + Self::MERGE * merges),
        })
    }

    /// All of it.
    pub(crate) fn total(&self) -> Bytes {
        self.weights + self.kv_cache + self.activations + self.program
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_the_arithmetic() {
        let Some(shared) = testkit::shared() else {
            return println!("skipped: ../shared is not here");
        };
        let file = file(&shared.join("data/stories260K/stories260K-f32.gguf")).unwrap();
        let settings = engine_settings(&file, Some(512), Kv::F32).unwrap();
        let backend = Cpu::new(kernels::Isa::best(), 1);
        let needed = Footprint::of(&file, &backend, &settings).unwrap().total().get();
        admit(&file, &backend, &settings, Bytes(needed)).unwrap();
        let error =
            anyhow::Error::from(admit(&file, &backend, &settings, Bytes(needed - 1)).unwrap_err());
        assert_eq!(crate::error::code(&error), crate::error::REFUSED);
        let text = error.to_string();
        for part in ["needed (weights ", "cache ", "512 tokens", "activations ", "available"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
