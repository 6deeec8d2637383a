//! What lies around the weights in a Hugging Face folder: configs, tokenizer, template, licence, card.
//!
//! Configs are read and parsed when the folder is opened, each within its bound; larger files
//! (tokenizers, templates, licences) are listed and read when asked for. Nothing here is ever run:
//! keys that ask a loader for code, and files with code, become findings.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{
    Error, Finding, FrontMatter, Limits, front_matter,
    json::{self, Bounds},
    pickle,
    source::{read_bounded, read_head},
};

/// Entries of a folder that are looked at.
const ENTRIES_MAX: usize = 16_384;

/// The files of a folder that [`Folder::bytes`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FolderFile {
    /// `tokenizer.json`.
    Tokenizer,
    /// `tokenizer.model`, a SentencePiece model.
    TokenizerModel,
    /// `chat_template.jinja`.
    ChatTemplate,
    /// `vocab.txt`, of WordPiece.
    VocabText,
    /// `vocab.json`, of byte-level BPE.
    VocabJson,
    /// `merges.txt`, of byte-level BPE.
    Merges,
}

impl FolderFile {
    /// All of them.
    pub const ALL: [FolderFile; 6] = [
        FolderFile::Tokenizer,
        FolderFile::TokenizerModel,
        FolderFile::ChatTemplate,
        FolderFile::VocabText,
        FolderFile::VocabJson,
        FolderFile::Merges,
    ];

    /// Its name in a folder.
    pub fn name(self) -> &'static str {
        match self {
            FolderFile::Tokenizer => "tokenizer.json",
            FolderFile::TokenizerModel => "tokenizer.model",
            FolderFile::ChatTemplate => "chat_template.jinja",
            FolderFile::VocabText => "vocab.txt",
            FolderFile::VocabJson => "vocab.json",
            FolderFile::Merges => "merges.txt",
        }
    }
}

/// Configs that are parsed when the folder is opened.
const CONFIGS: [&str; 7] = [
    "config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.json",
    "adapter_config.json",
];

/// Keys by which configs ask for code to be fetched or run.
const CODE_KEYS: [&str; 4] = ["auto_map", "trust_remote_code", "custom_pipelines", "auto_mapping"];

/// A folder with a model.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    names: Vec<String>,
    configs: BTreeMap<&'static str, Map<String, Value>>,
    empty: Map<String, Value>,
    card: Option<FrontMatter>,
    findings: Vec<Finding>,
    limits: Limits,
}

impl Folder {
    /// Lists `path` and parses its configs.
    pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Folder, Error> {
        let mut folder = Folder {
            path: path.to_path_buf(),
            names: list(path)?,
            configs: BTreeMap::new(),
            empty: Map::new(),
            card: None,
            findings: Vec::new(),
            limits: limits.clone(),
        };
        for name in CONFIGS {
            if folder.has(name) {
                let config = folder.parse(name)?;
                folder.note_code(name, &config);
                folder.configs.insert(name, config);
            }
        }
        folder.note_files();
        folder.read_card()?;
        Ok(folder)
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of its entries, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Whether it has an entry of this name.
    pub fn has(&self, name: &str) -> bool {
        self.names.binary_search_by(|entry| entry.as_str().cmp(name)).is_ok()
    }

    /// `config.json`; empty when there is none.
    pub fn config(&self) -> &Map<String, Value> {
        self.parsed("config.json").unwrap_or(&self.empty)
    }

    /// `generation_config.json`.
    pub fn generation_config(&self) -> Option<&Map<String, Value>> {
        self.parsed("generation_config.json")
    }

    /// `tokenizer_config.json`.
    pub fn tokenizer_config(&self) -> Option<&Map<String, Value>> {
        self.parsed("tokenizer_config.json")
    }

    /// `special_tokens_map.json`.
    pub fn special_tokens_map(&self) -> Option<&Map<String, Value>> {
        self.parsed("special_tokens_map.json")
    }

    /// `added_tokens.json`.
    pub fn added_tokens(&self) -> Option<&Map<String, Value>> {
        self.parsed("added_tokens.json")
    }

    /// A parsed config by file name: the ones above, `chat_template.json` and
    /// `adapter_config.json`.
    pub fn parsed(&self, name: &str) -> Option<&Map<String, Value>> {
        self.configs.get(name)
    }

    /// Where one of the larger files lies, if it does.
    pub fn file(&self, file: FolderFile) -> Option<PathBuf> {
        self.has(file.name()).then(|| self.path.join(file.name()))
    }

    /// One of the larger files, read within its bound; `None` when it is not there.
    pub fn bytes(&self, file: FolderFile) -> Result<Option<Vec<u8>>, Error> {
        let max = match file {
            FolderFile::ChatTemplate => self.limits.text_bytes,
            _ => self.limits.tokenizer_bytes,
        };
        self.file(file).map(|path| read_bounded(&path, file.name(), max)).transpose()
    }

    /// `chat_template.jinja` as text.
    pub fn chat_template(&self) -> Result<Option<String>, Error> {
        let Some(bytes) = self.bytes(FolderFile::ChatTemplate)? else { return Ok(None) };
        let text = String::from_utf8(bytes).map_err(|_| {
            Error::NotUtf8 { what: FolderFile::ChatTemplate.name().to_owned() }.within(&self.path)
        })?;
        Ok(Some(text))
    }

    /// Licence and notice files, by name.
    pub fn licences(&self) -> Vec<PathBuf> {
        let is_licence = |name: &&str| {
            let name = name.to_ascii_lowercase();
            ["license", "licence", "notice", "usage_policy", "use_policy"]
                .iter()
                .any(|start| name.starts_with(start))
        };
        self.names().filter(is_licence).map(|name| self.path.join(name)).collect()
    }

    /// A licence file's text, within its bound; bytes that are no UTF-8 are replaced.
    pub fn licence_text(&self, path: &Path) -> Result<String, Error> {
        let bytes = read_bounded(path, "the licence", self.limits.text_bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The front matter of `README.md`: licence, base model and the like, as stated.
    pub fn card(&self) -> Option<&FrontMatter> {
        self.card.as_ref()
    }

    /// What was noted while reading.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings.clone()
    }

    fn parse(&self, name: &'static str) -> Result<Map<String, Value>, Error> {
        let limits = &self.limits;
        let max = match name {
            "tokenizer_config.json"
            | "special_tokens_map.json"
            | "added_tokens.json"
            | "chat_template.json" => limits.tokenizer_config_bytes,
            _ => limits.config_bytes,
        };
        let path = self.path.join(name);
        let text = read_bounded(&path, name, max)?;
        json::parse_object(&text, Bounds::new(max, limits)).map_err(|fault| fault.within(&path))
    }

    fn note_code(&mut self, file: &str, config: &Map<String, Value>) {
        for (key, value) in config {
            let is_url =
                key == "_name_or_path" && value.as_str().is_some_and(|text| text.contains("://"));
            let asks = CODE_KEYS.contains(&key.as_str())
                && *value != Value::Bool(false)
                && !value.is_null();
            if asks || is_url {
                self.findings.push(Finding::RemoteCode { file: file.to_owned(), key: key.clone() });
            }
        }
    }

    fn note_files(&mut self) {
        for name in &self.names {
            if Path::new(name)
                .extension()
                .is_some_and(|extension| extension.eq_ignore_ascii_case("py"))
            {
                self.findings.push(Finding::CodeFile { file: name.clone() });
            }
            if pickle::is_named_like(name) {
                self.findings.push(Finding::PickleFile { file: name.clone() });
            }
        }
    }

    /// Reads the card; what is wrong with it is a finding, for a card says nothing a model needs.
    fn read_card(&mut self) -> Result<(), Error> {
        if !self.has("README.md") {
            return Ok(());
        }
        // One byte over the bound and the fences, so that a longer one is noticed.
        let head =
            read_head(&self.path.join("README.md"), self.limits.front_matter_bytes as u64 + 16)?;
        match front_matter::front_matter(&head, &self.limits) {
            Ok(card) => self.card = card,
            Err(fault) => {
                let why = match &fault {
                    Error::FrontMatter { why } => why.clone(),
                    other => other.to_string(),
                };
                self.findings.push(Finding::FrontMatter { why });
            }
        }
        Ok(())
    }
}

fn list(path: &Path) -> Result<Vec<String>, Error> {
    let within = |fault: Error| fault.within(path);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(Error::io("list the folder")).map_err(within)? {
        let entry = entry.map_err(Error::io("list the folder")).map_err(within)?;
        if names.len() >= ENTRIES_MAX {
            return Err(within(Error::over(
                "entries of the folder",
                names.len() as u64 + 1,
                ENTRIES_MAX as u64,
            )));
        }
        // A name that is no Unicode is none that a checkpoint uses.
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
