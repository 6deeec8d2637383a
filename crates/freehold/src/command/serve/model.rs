//! The models of `freehold serve`: understood and planned at once, loaded when they are asked for.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use engine::{Cpu, Engine, ModelFile, Policy, PrefixCache, Settings, Worker};
use machine::{Bytes, Machine};
use serve::{
    Source,
    model::{About, Parts},
};

use super::{Serve, Switch};
use crate::{
    chat::Chat,
    command::run::sampling,
    error::usage,
    gate,
    kv::Kv,
    load,
    named::{self, HOUSE, Located},
    program::App,
};

/// Full contexts the cache has room for, where memory allows and nothing else is said.
const CONTEXTS: usize = 8;

/// The models that were named, or the house model.
pub(super) fn sources(serve: &Serve, app: &App) -> anyhow::Result<Vec<Source>> {
    let named: Vec<String> =
        if serve.models.is_empty() { vec![HOUSE.to_owned()] } else { serve.models.clone() };
    named.iter().map(|text| source(serve, app, text)).collect()
}

fn source(serve: &Serve, app: &App, text: &str) -> anyhow::Result<Source> {
    let (name, located) = named(app, text)?;
    let file = load::file(&located.path)?;
    // That it can be talked with is known before it is offered.
    load::tokenizer_of(&file)?;
    let backend = serve.running.backend(app).with(serve.precision.precision());
    let kv = Kv::or_of(serve.kv, &file);
    let settings = load::engine_settings(&file, serve.ctx.map(|ctx| ctx as usize), kv)?;
    let settings = Settings { running: serve.parallel as usize, ..settings };
    let settings = fitting(serve, &file, &backend, settings)?;
    gate::at_serve(app, &located, &load::Footprint::of(&file, &backend, &settings)?)?;
    let bytes = Engine::plan(&file, &backend, &settings)?.total() as u64;
    let policy = Policy {
        queue: serve.queue as usize,
        queue_per_tenant: serve.queue as usize,
        prefix_cache: match serve.prefix_cache {
            Switch::On => PrefixCache::On,
            Switch::Off => PrefixCache::Off,
        },
        ..Policy::default()
    };
    let about = about(&file);
    let known = about.clone();
    let open = move || {
        parts(&file, &backend, &settings, policy, &known).map_err(|error| format!("{error:#}"))
    };
    Ok(Source { name, bytes, about, open: Box::new(open) })
}

/// `NAME=MODEL`, or a model by the name of its file or under which it was pulled.
fn named(app: &App, text: &str) -> anyhow::Result<(String, Located)> {
    let (name, model) = match text.split_once('=') {
        Some((name, model)) if !Path::new(text).exists() => (Some(name), model),
        _ => (None, text),
    };
    if name.is_some_and(str::is_empty) || model.is_empty() {
        return Err(usage(format!("{text:?} is no model, expected MODEL or NAME=MODEL")));
    }
    let located = named::locate(app, Path::new(model))?;
    let own = || {
        if located.is_house() {
            return HOUSE.to_owned();
        }
        if located.pulled.is_some() {
            return located.name.clone();
        }
        let path = &located.path;
        let stem = if path.is_dir() { path.file_name() } else { path.file_stem() };
        let stem =
            stem.map_or_else(|| model.to_owned(), |stem| stem.to_string_lossy().into_owned());
        stem.split("-00001-of-").next().unwrap_or(&stem).to_owned()
    };
    let name = name.map_or_else(own, str::to_owned);
    Ok((name, located))
}

/// With as many contexts as were asked for, or as fit.
fn fitting(
    serve: &Serve,
    file: &ModelFile,
    backend: &Cpu,
    settings: Settings,
) -> anyhow::Result<Settings> {
    let available = Machine::detect().memory.free();
    let with = |sequences: usize| Settings { sequences, ..settings };
    if let Some(asked) = serve.contexts {
        let settings = with(asked as usize);
        load::admit(file, backend, &settings, available)?;
        return Ok(settings);
    }
    // A quarter of what is free stays free: other models and other programs live here too.
    let share = Bytes(available.0 / 4 * 3);
    let mut sequences = CONTEXTS;
    while sequences > 1 && load::admit(file, backend, &with(sequences), share).is_err() {
        sequences /= 2;
    }
    load::admit(file, backend, &with(sequences), available)?;
    Ok(with(sequences))
}

fn parts(
    file: &Arc<ModelFile>,
    backend: &Cpu,
    settings: &Settings,
    policy: Policy,
    about: &About,
) -> anyhow::Result<Parts> {
    let tokenizer = load::tokenizer_of(file)?;
    let (templates, specials) = Chat::of(file.checkpoint(), &tokenizer)?.into_parts();
    let sampler = sampling::recommended(file.checkpoint())?;
    let engine = Engine::load(Arc::clone(file), backend, settings, &mut |_, _| ())?;
    let worker = Worker::start(engine.with_policy(policy))?;
    Ok(Parts {
        runner: Box::new(worker.handle()),
        keep: Box::new(Mutex::new(worker)),
        tokenizer: Arc::new(tokenizer),
        templates,
        specials,
        sampler,
        about: about.clone(),
    })
}

fn about(file: &ModelFile) -> About {
    let checkpoint = file.checkpoint();
    let mut formats: std::collections::BTreeMap<String, u64> = std::collections::BTreeMap::new();
    let mut parameters = 0;
    for tensor in checkpoint.tensors().values() {
        *formats.entry(tensor.dtype.to_string()).or_default() += tensor.len_bytes();
        parameters += tensor.shape.iter().map(|n| *n as u64).product::<u64>();
    }
    let most = formats.into_iter().max_by_key(|(_, bytes)| *bytes);
    let keys = checkpoint.metadata().gguf();
    let text = |key: &str| keys.and_then(|keys| keys.str(key).ok()).map(str::to_owned);
    About {
        architecture: text("general.architecture").unwrap_or_default(),
        parameters,
        format: most.map(|(format, _)| format).unwrap_or_default(),
        context_trained: file.model().context,
        bytes: checkpoint.tensor_bytes(),
        license: text("general.license"),
    }
}
