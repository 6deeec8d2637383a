//! What is known of a model before it is judged: its card, licence texts, headers and files, and those of
//! the models it was made from, as far as they are at hand.
//!
//! Whoever calls decides how far to reach: into the store and what was learned earlier, or to the hub
//! too. What was learned of a model is kept under `FREEHOLD_HOME/facts`, so that judging it later needs
//! no network.

mod house;
mod sheet;
mod shelf;

use std::path::Path;

use engine::{Cpu, ModelFile, Settings};
use hub::{Hub, Pulled};
use policy::{
    Budget, Card, Effective, FileFact, Format, Gated, GgufFacts, LicenceText, Licences, Openness,
    RemoteCode, Shelf, TemplateFact, openness,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use weights::Checkpoint;

use crate::{
    load::Footprint,
    named::{Located, Remote},
    program::App,
};

/// A model card is no longer than this.
const CARD_MAX: u64 = 1 << 20;
/// A configuration is no longer than this.
const CONFIG_MAX: u64 = 1 << 20;
/// More licence files than this are not read.
const TEXTS_MAX: usize = 16;
/// More files than this are not listed.
const FILES_MAX: usize = 4096;

/// How far to look for what is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The store and what was learned earlier.
    Here,
    /// The hub too, where it may be asked.
    Hub,
}

/// See the module.
pub(crate) struct Known {
    /// Where it comes from, as policies name it.
    pub(crate) source: String,
    /// Its facts.
    pub(crate) facts: policy::Facts,
    /// Those of its ancestors.
    pub(crate) shelf: Shelf,
    /// In which formats its weights are.
    pub(crate) formats: Vec<Format>,
    /// Whether it brings code.
    pub(crate) remote_code: RemoteCode,
    /// Its chat template.
    pub(crate) template: Option<TemplateFact>,
    /// What it would take.
    pub(crate) budget: Budget,
}

/// Reads a small file of a model, whole; `None` when it is not there or too long.
type Read<'a> = &'a dyn Fn(&str, u64) -> Option<Vec<u8>>;

impl Known {
    /// Of a model that was located.
    pub(crate) fn of(app: &App, located: &Located, reach: Reach) -> Self {
        let hub = crate::named::hub(app).ok();
        let mut known = match (&located.remote, &located.pulled) {
            (Some(remote), _) => of_remote(hub.as_ref(), located, remote),
            (None, Some(pulled)) => of_pulled(app, located, pulled),
            (None, None) => of_path(located),
        };
        if let Ok(checkpoint) = Checkpoint::open(&located.path) {
            known.read_headers(&checkpoint);
            known.budget.memory_bytes = memory(app, checkpoint);
        }
        known.shelf = shelf::of(app, hub.as_ref(), &known.facts, reach);
        sheet::keep(app, &known.facts);
        known
    }

    /// What binds its user.
    pub(crate) fn effective(&self) -> Effective {
        policy::effective(&self.facts, &self.shelf, Licences::shipped())
    }

    /// How open it is.
    pub(crate) fn openness(&self, effective: &Effective) -> Openness {
        openness::assess(&self.facts, effective, Licences::shipped(), &[])
    }

    fn new(source: &str, facts: policy::Facts) -> Self {
        let mut formats: Vec<Format> =
            facts.files.iter().filter_map(|file| Format::of_path(&file.path)).collect();
        formats.sort();
        formats.dedup();
        let has_code = facts.files.iter().any(|file| is_python(&file.path));
        Known {
            source: source.to_owned(),
            facts,
            shelf: Shelf::new(),
            formats,
            remote_code: if has_code { RemoteCode::Present } else { RemoteCode::Unknown },
            template: None,
            budget: Budget::default(),
        }
    }

    /// What headers say beside the files.
    fn read_headers(&mut self, checkpoint: &Checkpoint) {
        let metadata = checkpoint.metadata();
        let keys = metadata.gguf();
        let template = match (keys, metadata.folder()) {
            (Some(keys), _) => keys.str("tokenizer.chat_template").ok().map(str::to_owned),
            (None, Some(folder)) => folder_template(folder),
            (None, None) => None,
        };
        self.template = template.map(|text| TemplateFact { sha256: hex(text.as_bytes()) });
        if keys.is_some() {
            let strings = metadata.config.iter();
            let strings = strings.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
            self.facts.gguf = Some(GgufFacts::new(strings));
            self.facts.architecture = text(&metadata.config, "general.architecture");
            let tokens = keys.and_then(|keys| keys.kind("tokenizer.ggml.tokens"));
            self.facts.vocabulary = tokens.and_then(|(_, items)| Some(items?.1 as u64));
            // Pictures come in a file of their own beside a GGUF file.
            let projector = |file: &FileFact| file.path.to_lowercase().contains("mmproj");
            self.facts.multimodal = Some(self.facts.files.iter().any(projector));
            if self.remote_code == RemoteCode::Unknown {
                self.remote_code = RemoteCode::Absent;
            }
        }
    }
}

/// Memory it would take for one user with a usual context, where it can be run at all.
fn memory(app: &App, checkpoint: Checkpoint) -> Option<u64> {
    let file = ModelFile::new(checkpoint).ok()?;
    let footprint = Footprint::of(&file, &Cpu::new(app.settings.isa, 1), &Settings::SINGLE);
    footprint.ok().map(|footprint| footprint.total().get())
}

fn of_path(located: &Located) -> Known {
    if located.is_house() {
        let mut known = Known::new(&located.source, house::facts(&located.name));
        known.remote_code = RemoteCode::Absent;
        known.formats = vec![Format::Gguf];
        return known;
    }
    let path = &located.path;
    let is_folder = path.is_dir();
    let root = if is_folder { path.as_path() } else { path.parent().unwrap_or(Path::new(".")) };
    let files = if is_folder { listed(root) } else { one(path) };
    let read = |name: &str, max: u64| read_file(&root.join(name), max);
    let mut facts = facts(&located.name, None, files, &read, None);
    if !is_folder {
        // What lies beside a single file need not belong to it.
        facts.card = None;
        facts.texts.clear();
    }
    let disk = facts.files.iter().map(|file| file.bytes).sum();
    let mut known = Known::new(&located.source, facts);
    known.budget.disk_bytes = Some(disk);
    if known.remote_code == RemoteCode::Unknown && is_folder {
        known.remote_code = code_of(&read).unwrap_or(RemoteCode::Unknown);
    }
    known
}

fn of_pulled(app: &App, located: &Located, pulled: &Pulled) -> Known {
    let files = pulled.files.iter().map(|file| fact(&file.path, file.bytes, &file.digest));
    let read = |name: &str, max: u64| read_file(pulled.file(name)?, max);
    let id = id_of(&pulled.name);
    let mut facts = facts(&id, Some(&pulled.commit), files.collect(), &read, None);
    // What the hub said when it was pulled: whether it is gated, which files it has beside these.
    if let Some(sheet) = sheet::of(app, &id)
        && sheet.revision.as_deref() == Some(pulled.commit.as_str())
    {
        facts.gated = sheet.gated;
        if sheet.files.len() > facts.files.len() {
            facts.files = sheet.files;
        }
        if facts.card.is_none() {
            facts.card = sheet.card;
        }
    }
    let mut known = Known::new(&located.source, facts);
    known.formats = pulled.files.iter().filter_map(|file| Format::of_path(&file.path)).collect();
    known.formats.sort();
    known.formats.dedup();
    known.remote_code = code_of(&read).unwrap_or(known.remote_code);
    known.budget = Budget { disk_bytes: Some(pulled.bytes()), ..Budget::default() };
    known
}

fn of_remote(hub: Option<&Hub>, located: &Located, remote: &Remote) -> Known {
    let listing = &remote.listing;
    let files = listing.files.iter().take(FILES_MAX);
    let files = files.map(|file| fact(&file.path, file.bytes, &file.digest)).collect();
    let read = |name: &str, max: u64| {
        listing.file(name)?;
        let here = read_file(&remote.headers.root.join(name), max);
        here.or_else(|| hub?.read(listing, name, max).ok())
    };
    let about = &listing.about;
    let id = about.id.clone().unwrap_or_else(|| id_of(&listing.name));
    let mut facts = facts(&id, Some(&listing.commit), files, &read, Some(&about.card));
    facts.gated = match about.gated.as_deref() {
        None => Gated::No,
        Some("manual") => Gated::Manual,
        Some(_) => Gated::Auto,
    };
    let mut known = Known::new(&located.source, facts);
    let chosen = &remote.selection.files;
    known.formats = chosen.iter().filter_map(|path| Format::of_path(path)).collect();
    known.formats.sort();
    known.formats.dedup();
    let bytes = chosen.iter().filter_map(|path| Some(listing.file(path)?.bytes)).sum();
    known.remote_code = code_of(&read).unwrap_or(known.remote_code);
    known.budget =
        Budget { download_bytes: Some(bytes), disk_bytes: Some(bytes), memory_bytes: None };
    known
}

/// `org/name` of a hub's model; the whole name of any other.
fn id_of(name: &hub::ModelName) -> String {
    match &name.place {
        hub::Place::Hub { id } => id.clone(),
        _ => name.source(),
    }
}

/// From files to facts.
fn facts(
    id: &str,
    revision: Option<&str>,
    files: Vec<FileFact>,
    read: Read<'_>,
    stated: Option<&Map<String, Value>>,
) -> policy::Facts {
    let texts = files.iter().filter(|file| LicenceText::is_licence_path(&file.path));
    let texts = texts.take(TEXTS_MAX).filter_map(|file| {
        let bytes = read(&file.path, LicenceText::MAX_BYTES as u64)?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Some(LicenceText { path: file.path.clone(), text })
    });
    let texts = texts.collect();
    let config = config_of(read).unwrap_or_default();
    let architectures = config.get("architectures").and_then(Value::as_array);
    let first = architectures.and_then(|all| all.first()?.as_str().map(str::to_owned));
    let senses = ["vision_config", "audio_config", "vision_tower", "mm_vision_tower"];
    policy::Facts {
        id: id.to_owned(),
        revision: revision.map(str::to_owned),
        card: card(read, stated),
        texts,
        files,
        architecture: first.or_else(|| text(&config, "model_type")),
        vocabulary: config.get("vocab_size").and_then(Value::as_u64),
        multimodal: (!config.is_empty())
            .then(|| senses.iter().any(|key| config.contains_key(*key))),
        ..policy::Facts::default()
    }
}

/// The card's own front matter; where it cannot be read, what the server states of it.
fn card(read: Read<'_>, stated: Option<&Map<String, Value>>) -> Option<Card> {
    let bytes = read("README.md", CARD_MAX);
    let limits = weights::Limits::DEFAULT;
    let keys = bytes.as_ref().and_then(|bytes| {
        weights::front_matter(bytes, &limits).ok().flatten().map(|matter| matter.keys)
    });
    let body = bytes.as_deref().map(|bytes| body(&String::from_utf8_lossy(bytes)).to_owned());
    let stated = stated.filter(|keys| !keys.is_empty());
    match (keys, stated, body) {
        (Some(keys), _, Some(body)) => Some(Card::new(&keys, &body)),
        (None, Some(keys), body) => Some(Card::new(keys, &body.unwrap_or_default())),
        (None, None, Some(body)) => Some(Card::new(&Map::new(), &body)),
        _ => None,
    }
}

/// What follows the front matter.
fn body(text: &str) -> &str {
    let rest = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n"));
    let after = rest.and_then(|rest| rest.split_once("\n---").map(|(_, after)| after));
    after.unwrap_or(text).trim_start_matches('-').trim_start()
}

fn config_of(read: Read<'_>) -> Option<Map<String, Value>> {
    serde_json::from_slice(&read("config.json", CONFIG_MAX)?).ok()
}

/// Whether the configuration names code to run.
fn code_of(read: Read<'_>) -> Option<RemoteCode> {
    let config = config_of(read)?;
    let named = config.contains_key("auto_map");
    Some(if named { RemoteCode::Present } else { RemoteCode::Absent })
}

fn folder_template(folder: &weights::Folder) -> Option<String> {
    let own = folder.chat_template().ok().flatten();
    own.or_else(|| text(folder.tokenizer_config()?, "chat_template"))
}

fn text(map: &Map<String, Value>, key: &str) -> Option<String> {
    map.get(key)?.as_str().map(str::to_owned)
}

fn fact(path: &str, bytes: u64, digest: &hub::Digest) -> FileFact {
    let sha256 = matches!(digest, hub::Digest::Sha256(_)).then(|| digest.hex());
    FileFact { path: path.to_owned(), bytes, sha256 }
}

/// The files of a folder, one level deep.
fn listed(root: &Path) -> Vec<FileFact> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten().take(FILES_MAX);
    let mut files: Vec<FileFact> = entries
        .filter_map(|entry| {
            let bytes = std::fs::metadata(entry.path()).ok().filter(std::fs::Metadata::is_file)?;
            let path = entry.file_name().into_string().ok()?;
            Some(FileFact { path, bytes: bytes.len(), sha256: None })
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn one(path: &Path) -> Vec<FileFact> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    name.map(|path| FileFact { path, bytes, sha256: None }).into_iter().collect()
}

fn read_file(path: &Path, max: u64) -> Option<Vec<u8>> {
    use std::io::Read;
    let file = std::fs::File::open(path).ok()?;
    let mut bytes = vec![];
    file.take(max + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= max).then_some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    crate::house::hex(&Sha256::digest(bytes))
}

fn is_python(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("py"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_its_keys_and_what_follows_them() {
        let file = "---\nlicense: mit\nbase_model: a/b\n---\n\n# Title\ntext\n---\nmore\n";
        let read = |name: &str, _: u64| (name == "README.md").then(|| file.as_bytes().to_vec());
        let card = card(&read, None).unwrap();
        assert_eq!(card.license, ["mit"]);
        assert!(card.body.starts_with("# Title"), "{}", card.body);
        assert!(card.body.contains("more"));
    }

    #[test]
    fn a_card_that_cannot_be_read_is_what_the_server_states() {
        let read =
            |name: &str, _: u64| (name == "README.md").then(|| b"---\na: [b\n---\n".to_vec());
        let Value::Object(keys) = serde_json::json!({"license": "apache-2.0"}) else { panic!() };
        assert_eq!(card(&read, Some(&keys)).unwrap().license, ["apache-2.0"]);
        assert!(card(&|_, _| None, None).is_none());
    }
}
