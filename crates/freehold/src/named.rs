//! From a MODEL argument to files: a path, the house model, or a name that the store holds.
//!
//! Nothing is ever fetched here but, where a command asks for it, the headers of a model on the hub: what
//! is not there is named, with the command that would bring it.

use std::path::{Path, PathBuf};

use hub::{Access, Hub, HubSettings, ModelName, Place, Pulled, Trust};

use crate::{
    error::{failed, usage_hint},
    house,
    program::App,
};

/// The name by which the built-in model is asked for.
pub(crate) const HOUSE: &str = "house";

/// A model's files on this computer.
#[derive(Debug)]
pub(crate) struct Located {
    /// What to open.
    pub(crate) path: PathBuf,
    /// What it is called.
    pub(crate) name: String,
    /// Where it comes from, as policies name it: `hf:org/name`, `dir:/path`, `house:`.
    pub(crate) source: String,
    /// What the store knows of it, where it is from there.
    pub(crate) pulled: Option<Box<Pulled>>,
    /// What the hub says of it, where only its headers are here.
    pub(crate) remote: Option<Box<Remote>>,
}

impl Located {
    /// Whether it is the model built in.
    pub(crate) fn is_house(&self) -> bool {
        self.source == "house:"
    }
}

/// A model on the hub of which only the headers were read.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(crate) listing: hub::Listing,
    pub(crate) selection: hub::Selection,
    pub(crate) headers: hub::Headers,
}

/// The hub by the environment and `--offline`; opens no connection.
pub(crate) fn hub(app: &App) -> anyhow::Result<Hub> {
    let mut settings = HubSettings::from_env(|name| std::env::var(name).ok())?;
    settings.home = app.settings.home()?.to_path_buf();
    if app.settings.access == Access::Offline {
        settings.access = Access::Offline;
    }
    Ok(Hub::new(settings)?)
}

/// The files MODEL names, all of them here.
pub(crate) fn locate(app: &App, model: &Path) -> anyhow::Result<Located> {
    if let Some(located) = on_disk(app, model)? {
        return Ok(located);
    }
    let hub = hub(app)?;
    let name = parse(&hub, model)?;
    match held(&hub, &name)? {
        Some(located) => Ok(located),
        None => Err(not_here(&name)),
    }
}

/// The same, or only the headers where the model is on the hub and not here.
pub(crate) fn locate_or_headers(app: &App, model: &Path) -> anyhow::Result<Located> {
    if let Some(located) = on_disk(app, model)? {
        return Ok(located);
    }
    let hub = hub(app)?;
    let name = parse(&hub, model)?;
    if let Some(located) = held(&hub, &name)? {
        return Ok(located);
    }
    if !hub.is_online() {
        return Err(not_here(&name));
    }
    headers(app, &hub, &name)
}

/// The headers of a model on the hub, by range requests alone.
pub(crate) fn headers(app: &App, hub: &Hub, name: &ModelName) -> anyhow::Result<Located> {
    let listing = hub.listing(name)?;
    let selection = hub.select(&listing)?;
    let headers = hub.headers(&listing, &selection)?;
    if headers.requests > 0 {
        let bytes = machine::Bytes(headers.fetched);
        app.output.note(format!("read {bytes} of headers of {name}, no weights"));
    }
    let pulled = headers.pulled.clone().map(Box::new);
    let path = headers.open.clone();
    Ok(Located {
        path,
        name: name.to_string(),
        source: name.source(),
        pulled,
        remote: Some(Box::new(Remote { listing, selection, headers })),
    })
}

/// A name or an alias, read.
pub(crate) fn parse(hub: &Hub, model: &Path) -> anyhow::Result<ModelName> {
    let text = model.to_str().ok_or_else(|| {
        usage_hint(
            format!("there is no file {}", model.display()),
            "a name on the hub is plain letters: org/model",
        )
    })?;
    Ok(hub.name(text)?)
}

/// What is a path, or the house model.
fn on_disk(app: &App, model: &Path) -> anyhow::Result<Option<Located>> {
    // The name always means the built-in model; a folder of that name is `./house`.
    if model == Path::new(HOUSE) {
        return Ok(Some(Located {
            path: house::path(app)?,
            name: HOUSE.to_owned(),
            source: "house:".to_owned(),
            pulled: None,
            remote: None,
        }));
    }
    if !(model.exists() || is_path(model)) {
        return Ok(None);
    }
    let absolute = std::path::absolute(model).unwrap_or_else(|_| model.to_owned());
    Ok(Some(Located {
        path: model.to_owned(),
        name: model.display().to_string(),
        source: format!("dir:{}", absolute.display()),
        pulled: None,
        remote: None,
    }))
}

/// Whether a text can only be a path, there or not.
fn is_path(model: &Path) -> bool {
    let Some(text) = model.to_str() else { return true };
    let file = ["gguf", "safetensors", "json", "bin", "pt", "pth", "ckpt"];
    let ending = model.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let named_like_a_file = !text.contains([':', '@']) && file.contains(&ending);
    let from_here = [".", "/", "~", "\\"].iter().any(|start| text.starts_with(start));
    named_like_a_file || from_here || text.is_empty()
}

fn held(hub: &Hub, name: &ModelName) -> anyhow::Result<Option<Located>> {
    let pulled = hub.find(name, Trust::Remembered)?;
    Ok(pulled.map(|pulled| Located {
        path: pulled.open.clone(),
        name: name.to_string(),
        source: name.source(),
        pulled: Some(Box::new(pulled)),
        remote: None,
    }))
}

fn not_here(name: &ModelName) -> anyhow::Error {
    match &name.place {
        Place::Hub { id } if !id.contains('/') => failed(
            format!("there is no file, alias or pulled model `{id}`"),
            "check the path; freehold ls shows what is here, freehold search WORDS what the hub has",
        ),
        Place::Local { path } => {
            failed(format!("there is no model at {}", path.display()), "check the path")
        }
        _ => failed(
            format!("{name} is not on this computer"),
            format!("bring it with: freehold pull {name}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_path_is_one() {
        for path in ["model.gguf", "./x", "../x", "/x", "a/b.safetensors", "~/m", "."] {
            assert!(is_path(Path::new(path)), "{path}");
        }
        for name in ["org/model", "alias", "org/model:q.gguf", "org/model.1@main", "hf:a/b", "gpt2"]
        {
            assert!(!is_path(Path::new(name)), "{name}");
        }
    }
}
