//! Open-weight models to choose from offline: `catalogue/*.toml`, with dates and sources.
//!
//! It is a help for choosing, never evidence: what a repository carries is resolved from the repository.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{Class, Error, Format, Licences};

/// A set of models.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    models: Vec<Model>,
}

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Its name on the hub: `org/name`.
    pub id: String,
    /// The family.
    pub family: String,
    /// Who published it.
    pub publisher: String,
    /// When: `2025-04-28` or, where only that is known, `2025-04`.
    pub released: Option<String>,
    /// What it is for.
    pub tasks: Vec<Task>,
    /// Its licence, by our id, as its publisher declared it.
    pub licence: String,
    /// How many parameters it has, all in all.
    pub parameters: u64,
    /// How many of them work on each token, where that is fewer.
    pub active_parameters: Option<u64>,
    /// The longest context its publisher states, in tokens.
    pub context: Option<u64>,
    /// Formats its publisher offers weights in.
    #[serde(default)]
    pub formats: Vec<Format>,
    /// Repositories with weights in other formats.
    #[serde(default)]
    pub files: Vec<ModelFile>,
    /// What else one should know.
    pub note: Option<String>,
    /// Which fields are from memory and wait to be checked.
    #[serde(default)]
    pub from_memory: Vec<String>,
    /// What this entry rests on.
    pub sources: Vec<String>,
    /// When the entry was last looked at.
    pub checked: crate::Date,
}

/// A repository with the same weights in another form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its name on the hub.
    pub id: String,
    /// The format.
    pub format: Format,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Talking and following instructions.
    Chat,
    /// Thinking before answering.
    Reasoning,
    /// Writing programs.
    Code,
    /// Calling tools.
    Tools,
    /// Looking at pictures.
    Vision,
    /// Going on with a text; the start for training.
    Base,
    /// Turning texts into vectors.
    Embedding,
    /// Putting search results in order.
    Rerank,
    /// Judging whether a text is harmful.
    Guard,
    /// Translating.
    Translation,
    /// Many languages.
    Multilingual,
    /// Taking part in research with data and code open.
    OpenScience,
}

impl Task {
    /// All.
    pub const ALL: [Self; 12] = [
        Self::Chat,
        Self::Reasoning,
        Self::Code,
        Self::Tools,
        Self::Vision,
        Self::Base,
        Self::Embedding,
        Self::Rerank,
        Self::Guard,
        Self::Translation,
        Self::Multilingual,
        Self::OpenScience,
    ];

    /// Its name in files and commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Reasoning => "reasoning",
            Self::Code => "code",
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Base => "base",
            Self::Embedding => "embedding",
            Self::Rerank => "rerank",
            Self::Guard => "guard",
            Self::Translation => "translation",
            Self::Multilingual => "multilingual",
            Self::OpenScience => "open-science",
        }
    }
}

impl std::str::FromStr for Task {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|task| task.name() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.into_iter().map(Self::name).collect();
            format!("found task {text:?}, expected one of {}", names.join(", "))
        })
    }
}

/// What is looked for. Everything stated has to fit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    /// Words that all occur in name, family, publisher, tasks or note.
    pub words: Vec<String>,
    /// Tasks it is all for.
    pub tasks: Vec<Task>,
    /// Licence classes, any of which will do; empty for any.
    pub classes: Vec<Class>,
    /// At most so many parameters.
    pub parameters_max: Option<u64>,
    /// At least so many.
    pub parameters_min: Option<u64>,
    /// A context at least so long.
    pub context_min: Option<u64>,
}

const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

impl Catalogue {
    /// The catalogue that ships inside: a constant, read once.
    pub fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<Catalogue> =
            LazyLock::new(|| Catalogue::parse(FILES).expect("a test reads every shipped file"));
        &SHIPPED
    }

    /// Reads catalogue files, given as (name for errors, text): `[[model]]` tables.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct File {
            model: Vec<Model>,
        }
        let mut models = Vec::new();
        for (file, text) in files {
            let wrong = |error: toml::de::Error| Error::Data {
                file: (*file).to_owned(),
                why: error.to_string(),
            };
            models.extend(toml::from_str::<File>(text).map_err(wrong)?.model);
        }
        Ok(Self { models })
    }

    /// All models.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The model with a name on the hub.
    pub fn get(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.id.eq_ignore_ascii_case(id))
    }

    /// Models that fit, smallest first.
    pub fn find(&self, query: &Query, licences: &Licences) -> Vec<&Model> {
        let mut found: Vec<&Model> =
            self.models.iter().filter(|model| model.fits(query, licences)).collect();
        found.sort_by(|a, b| (a.parameters, &a.id).cmp(&(b.parameters, &b.id)));
        found
    }
}

impl Model {
    fn fits(&self, query: &Query, licences: &Licences) -> bool {
        let tasks: Vec<&str> = self.tasks.iter().map(|task| task.name()).collect();
        let note = self.note.as_deref().unwrap_or_default();
        let text = format!(
            "{} {} {} {} {note} {}",
            self.id,
            self.family,
            self.publisher,
            tasks.join(" "),
            self.licence
        );
        let text = text.to_lowercase();
        query.words.iter().all(|word| text.contains(&word.to_lowercase()))
            && query.tasks.iter().all(|task| self.tasks.contains(task))
            && (query.classes.is_empty()
                || query.classes.contains(&licences.get(&self.licence).class))
            && query.parameters_max.is_none_or(|most| self.parameters <= most)
            && query.parameters_min.is_none_or(|least| self.parameters >= least)
            && query
                .context_min
                .is_none_or(|least| self.context.is_some_and(|context| context >= least))
    }
}

#[cfg(test)]
mod tests;
