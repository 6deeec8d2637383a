//! The entries of the Model Openness Framework 1.0.
//!
//! Source: the framework's paper (16 components) and the Model Openness Tool's settings, which split
//! model parameters into final and intermediate (17 entries) and number them as here.

use serde::Serialize;

use super::MofClass;

/// One entry.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Its number.
    pub id: u8,
    /// Its name.
    pub name: &'static str,
    /// What kind of thing it is.
    pub content: Content,
    /// The class that asks for it.
    pub class: MofClass,
    /// Whether the class needs it, or only welcomes it.
    pub required: bool,
}

/// Kinds of things; each has its own fitting licences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Programs.
    Code,
    /// Data, weights among them.
    Data,
    /// Texts.
    Document,
}

pub(super) const ARCHITECTURE: u8 = 9;
pub(super) const WEIGHTS: u8 = 10;
pub(super) const REPORT: u8 = 11;
pub(super) const RESULTS: u8 = 12;
pub(super) const MODEL_CARD: u8 = 13;
pub(super) const DATA_CARD: u8 = 14;
pub(super) const SAMPLES: u8 = 20;
pub(super) const TRAINING_CODE: u8 = 7;
pub(super) const INFERENCE_CODE: u8 = 8;
pub(super) const EVALUATION_CODE: u8 = 18;
pub(super) const EVALUATION_DATA: u8 = 19;
pub(super) const LIBRARIES: u8 = 22;
pub(super) const DATASETS: u8 = 15;
pub(super) const PREPROCESSING: u8 = 16;
pub(super) const PAPER: u8 = 21;
pub(super) const CHECKPOINTS: u8 = 24;
pub(super) const METADATA: u8 = 17;

use Content::{Code, Data, Document};
use MofClass::{OpenModel, OpenScience, OpenTooling};

/// All entries, class III first.
pub const COMPONENTS: [Component; 17] = [
    entry(ARCHITECTURE, "model architecture", Code, OpenModel, Need::Required),
    entry(WEIGHTS, "final model parameters", Data, OpenModel, Need::Required),
    entry(REPORT, "technical report", Document, OpenModel, Need::Required),
    entry(RESULTS, "evaluation results", Document, OpenModel, Need::Required),
    entry(MODEL_CARD, "model card", Document, OpenModel, Need::Required),
    entry(DATA_CARD, "data card", Document, OpenModel, Need::Required),
    entry(SAMPLES, "sample model outputs", Document, OpenModel, Need::Welcome),
    entry(TRAINING_CODE, "training code", Code, OpenTooling, Need::Required),
    entry(INFERENCE_CODE, "inference code", Code, OpenTooling, Need::Required),
    entry(EVALUATION_CODE, "evaluation code", Code, OpenTooling, Need::Required),
    entry(EVALUATION_DATA, "evaluation data", Data, OpenTooling, Need::Required),
    entry(LIBRARIES, "supporting libraries and tools", Code, OpenTooling, Need::Welcome),
    entry(DATASETS, "datasets", Data, OpenScience, Need::Required),
    entry(PREPROCESSING, "data preprocessing code", Code, OpenScience, Need::Required),
    entry(PAPER, "research paper", Document, OpenScience, Need::Required),
    entry(CHECKPOINTS, "intermediate model parameters", Data, OpenScience, Need::Required),
    entry(METADATA, "model metadata", Data, OpenScience, Need::Welcome),
];

#[derive(Clone, Copy)]
enum Need {
    Required,
    Welcome,
}

const fn entry(
    id: u8,
    name: &'static str,
    content: Content,
    class: MofClass,
    need: Need,
) -> Component {
    Component { id, name, content, class, required: matches!(need, Need::Required) }
}

impl Component {
    /// The entry with a number.
    pub fn by_id(id: u8) -> Option<&'static Self> {
        COMPONENTS.iter().find(|component| component.id == id)
    }
}
