//! The ancestors of a model, as far as they are at hand: learned earlier, in the store, or on the hub.

use std::collections::VecDeque;

use hub::{Hub, ModelName, Place, Trust};
use policy::{Facts, Gated, Shelf};

use super::{FILES_MAX, Reach, fact, facts, read_file, sheet};
use crate::program::App;

/// More ancestors than this are not looked up.
const MODELS_MAX: usize = 12;
/// Ancestors further away are not looked up.
const DEPTH_MAX: usize = 4;

/// Looks up the ancestors of a model and theirs.
pub(super) fn of(app: &App, hub: Option<&Hub>, model: &Facts, reach: Reach) -> Shelf {
    let mut shelf = Shelf::new();
    let mut queue: VecDeque<(String, usize)> =
        model.ancestors().into_iter().map(|id| (id, 1)).collect();
    let mut looked = 0;
    while let Some((id, depth)) = queue.pop_front() {
        if shelf.get(&id).is_some() || looked >= MODELS_MAX {
            continue;
        }
        looked += 1;
        let Some(facts) = look_up(app, hub, &id, reach) else { continue };
        if depth < DEPTH_MAX {
            queue.extend(facts.ancestors().into_iter().map(|id| (id, depth + 1)));
        }
        shelf.put(Facts { id, ..facts });
    }
    shelf
}

fn look_up(app: &App, hub: Option<&Hub>, id: &str, reach: Reach) -> Option<Facts> {
    let asks = reach == Reach::Hub && hub.is_some_and(Hub::is_online);
    let learned = if asks { sheet::fresh(app, id) } else { sheet::of(app, id) };
    if learned.is_some() {
        return learned;
    }
    let hub = hub?;
    let name = ModelName::parse(&format!("hf://{id}")).ok()?;
    if let Some(facts) = in_store(hub, &name, id) {
        return Some(facts);
    }
    if !asks {
        return None;
    }
    app.output.note(format!("reading the terms of {}, which it was made from", policy::shown(id)));
    match on_hub(hub, &name, id) {
        Ok(facts) => {
            sheet::keep(app, &facts);
            Some(facts)
        }
        Err(error) => {
            app.output.note(format!("they cannot be read: {error}"));
            sheet::of(app, id)
        }
    }
}

fn in_store(hub: &Hub, name: &ModelName, id: &str) -> Option<Facts> {
    let Place::Hub { .. } = name.place else { return None };
    let pulled = hub.find(name, Trust::Remembered).ok().flatten()?;
    let files = pulled.files.iter().map(|file| fact(&file.path, file.bytes, &file.digest));
    let read = |path: &str, max: u64| read_file(pulled.file(path)?, max);
    Some(facts(id, Some(&pulled.commit), files.collect(), &read, None))
}

fn on_hub(hub: &Hub, name: &ModelName, id: &str) -> Result<Facts, hub::Error> {
    let listing = hub.listing(name)?;
    let files = listing.files.iter().take(FILES_MAX);
    let files = files.map(|file| fact(&file.path, file.bytes, &file.digest)).collect();
    let read = |path: &str, max: u64| {
        listing.file(path)?;
        hub.read(&listing, path, max).ok()
    };
    let mut facts = facts(id, Some(&listing.commit), files, &read, Some(&listing.about.card));
    facts.gated = match listing.about.gated.as_deref() {
        None => Gated::No,
        Some("manual") => Gated::Manual,
        Some(_) => Gated::Auto,
    };
    Ok(facts)
}
