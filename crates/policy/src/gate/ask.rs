//! What a gate is asked.

use serde::{Deserialize, Serialize};

use crate::{Date, Effective, Openness};

/// Where a decision is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Before a model is fetched.
    Pull,
    /// Before it is loaded for oneself.
    Run,
    /// Before it is offered to others over a network.
    Serve,
    /// Before it is trained further, or its outputs train another.
    Tune,
    /// Before it is written out to be passed on.
    Export,
}

impl Gate {
    /// All.
    pub const ALL: [Self; 5] = [Self::Pull, Self::Run, Self::Serve, Self::Tune, Self::Export];

    /// Its name in files and commands.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Run => "run",
            Self::Serve => "serve",
            Self::Tune => "tune",
            Self::Export => "export",
        }
    }
}

impl std::str::FromStr for Gate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|gate| gate.name() == text).ok_or_else(|| {
            format!("found gate {text:?}, expected pull, run, serve, tune or export")
        })
    }
}

/// What a gate is asked: a model, where it comes from, and what is known of it.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// Which gate.
    pub gate: Gate,
    /// The model: `org/name`, or a path.
    pub model: &'a str,
    /// Where it comes from: `hf:org/name`, `https://…`, `dir:/path`, `oci:host/name`, `ollama:name`,
    /// `house:` for the one that ships inside.
    pub source: &'a str,
    /// The commit, where there is one.
    pub revision: Option<&'a str>,
    /// What binds its user.
    pub effective: &'a Effective,
    /// How open it is; `None` where that was not looked at, which counts as not open where asked for.
    pub openness: Option<&'a Openness>,
    /// Formats of the weights that would be fetched or loaded.
    pub formats: Vec<Format>,
    /// Whether it brings code of its own.
    pub remote_code: RemoteCode,
    /// Its chat template, where it has one.
    pub template: Option<TemplateFact>,
    /// Whether it takes more than text; `None` where nobody looked.
    pub multimodal: Option<bool>,
    /// What it would take.
    pub budget: Budget,
    /// At the tune gate: what is to be done.
    pub tune: Option<TuneFacts>,
    /// At the export gate: what is to be written.
    pub export: Option<ExportFacts>,
    /// Today, given from outside.
    pub today: Date,
}

impl<'a> Ask<'a> {
    /// A question with nothing known but the licence; set what is known.
    pub fn new(
        gate: Gate,
        model: &'a str,
        source: &'a str,
        effective: &'a Effective,
        today: Date,
    ) -> Self {
        Self {
            gate,
            model,
            source,
            revision: None,
            effective,
            openness: None,
            formats: Vec::new(),
            remote_code: RemoteCode::Unknown,
            template: None,
            multimodal: None,
            budget: Budget::default(),
            tune: None,
            export: None,
            today,
        }
    }
}

/// A file format of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// GGUF.
    Gguf,
    /// Safetensors.
    Safetensors,
    /// Python pickles: loading one runs what is in it.
    Pickle,
    /// ONNX.
    Onnx,
    /// Anything else.
    Other,
}

impl Format {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gguf => "gguf",
            Self::Safetensors => "safetensors",
            Self::Pickle => "pickle",
            Self::Onnx => "onnx",
            Self::Other => "other",
        }
    }

    /// The format of a weights file by its path; `None` for what holds no weights.
    pub fn of_path(path: &str) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| path.ends_with(ending));
        if ends(&[".gguf"]) {
            Some(Self::Gguf)
        } else if ends(&[".safetensors"]) {
            Some(Self::Safetensors)
        } else if ends(&[".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt"]) {
            Some(Self::Pickle)
        } else if ends(&[".onnx", ".onnx_data"]) {
            Some(Self::Onnx)
        } else if ends(&[
            ".h5", ".msgpack", ".tflite", ".mlmodel", ".npz", ".ot", ".ggml", ".nemo", ".keras",
        ]) {
            Some(Self::Other)
        } else {
            None
        }
    }
}

/// Whether a model brings code of its own that a loader elsewhere would run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemoteCode {
    /// It does: `auto_map` in its configuration, or Python files.
    Present,
    /// It does not.
    Absent,
    /// Nobody looked.
    #[default]
    Unknown,
}

/// A chat template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFact {
    /// SHA-256 of its text, in hex.
    pub sha256: String,
}

/// What a model would take, as far as known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Bytes to fetch.
    pub download_bytes: Option<u64>,
    /// Bytes on disk.
    pub disk_bytes: Option<u64>,
    /// Bytes of memory at its peak.
    pub memory_bytes: Option<u64>,
}

/// What a training would do.
#[derive(Debug, Clone)]
pub struct TuneFacts {
    /// Models whose outputs are in the training data, with what binds their users.
    pub teachers: Vec<Effective>,
    /// What it is for.
    pub intent: TuneIntent,
    /// What the result will be called, where known.
    pub result_name: Option<String>,
}

/// What a training is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TuneIntent {
    /// A skill, a style, a field.
    Ability,
    /// To make the model refuse less, or otherwise weaken its safeguards.
    WeakenSafeguards,
}

/// What an export would write.
#[derive(Debug, Clone, Default)]
pub struct ExportFacts {
    /// The name of what is exported, without the organisation.
    pub name: String,
    /// The files that go with the weights: paths and, for small texts, what they hold.
    pub files: Vec<(String, String)>,
    /// Whether the weights were changed: `Known::No` for a mere copy.
    pub changed: crate::Known,
}
