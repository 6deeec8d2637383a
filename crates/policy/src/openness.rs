//! How open a model is: from closed over open weights to fully open, with evidence.
//!
//! Two views over the same evidence: the Model Openness Framework 1.0 (17 entries, classes III, II and
//! I; its rules as the Model Openness Tool applies them) and the Open Source AI Definition 1.0. What
//! files and cards show is an upper bound: that something is linked does not prove that it is complete
//! or open. What is proven counts only what lies in the repository, or a person attested, under an open
//! licence. Weights under an open licence alone do not make an open model.

mod component;
mod detect;
mod evaluate;
mod osaid;

pub use component::{COMPONENTS, Component, Content};
pub use evaluate::{
    Count, Evaluation, EvidenceLevel, Held, Missing, MofClass, NextClass, evaluate,
};
pub use osaid::{Osaid, OsaidTest};

use serde::{Deserialize, Serialize};

use crate::{Class, Effective, Facts, Gated, Licences};

/// How open a model is, with evidence.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Openness {
    /// The model.
    pub model: String,
    /// At most here on the way from closed to fully open.
    pub level: Level,
    /// The class it could at most reach, by what was seen; `None` is unclassified.
    pub class: Option<MofClass>,
    /// The class that is proven.
    pub proven: Option<MofClass>,
    /// Every entry of the framework, and what was seen of it.
    pub components: Vec<Held>,
    /// How far it is, class by class, as an upper bound.
    pub evaluation: Evaluation,
    /// What is missing for the next class.
    pub next: Option<NextClass>,
    /// The verdict of the Open Source AI Definition.
    pub osaid: Osaid,
}

/// A step from closed to fully open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// No weights.
    Closed,
    /// Weights, but not for business, or under terms nobody knows, or by a person's approval only.
    Restricted,
    /// Weights on conditions.
    Conditional,
    /// Weights under an open or nearly free licence.
    Permissive,
    /// Class III.
    OpenModel,
    /// Class II.
    OpenTooling,
    /// Class I.
    OpenScience,
}

impl Level {
    /// 0 to 6.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// In plain words.
    pub fn means(self) -> &'static str {
        match self {
            Self::Closed => "closed: no weights",
            Self::Restricted => "open weights, restricted: not for business, or on unknown terms",
            Self::Conditional => "open weights on conditions",
            Self::Permissive => "open weights, free to use",
            Self::OpenModel => "open model (class III)",
            Self::OpenTooling => "open tooling (class II)",
            Self::OpenScience => "fully open (class I)",
        }
    }
}

/// A person's word that something is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// The component's number in [`COMPONENTS`].
    pub component: u8,
    /// Who says so.
    pub by: String,
    /// What they looked at.
    pub note: String,
    /// Its licence, as an SPDX identifier.
    pub licence: Option<String>,
}

/// Whether a licence, as an SPDX identifier, counts as open.
pub fn is_open(spdx: &str) -> bool {
    crate::licence::is_open_spdx(spdx)
}

/// How open a model is, by its facts, what binds its user, and what people attested.
pub fn assess(
    facts: &Facts,
    effective: &Effective,
    licences: &Licences,
    attested: &[Attestation],
) -> Openness {
    let components = detect::all(facts, effective, licences, attested);
    let evaluation = evaluate(&components, evaluate::Count::Possible);
    let proven = evaluate(&components, evaluate::Count::Proven).class;
    let level = level(facts, effective, &components, evaluation.class);
    Openness {
        model: crate::shown(&facts.id),
        level,
        class: evaluation.class,
        proven,
        next: evaluate::next(&components, evaluation.class),
        osaid: osaid::judge(effective, &components),
        components,
        evaluation,
    }
}

fn level(
    facts: &Facts,
    effective: &Effective,
    components: &[Held],
    class: Option<MofClass>,
) -> Level {
    let weights = components
        .iter()
        .any(|held| held.component.id == component::WEIGHTS && held.evidence.is_there());
    if !weights {
        return Level::Closed;
    }
    match class {
        Some(MofClass::OpenScience) => return Level::OpenScience,
        Some(MofClass::OpenTooling) => return Level::OpenTooling,
        Some(MofClass::OpenModel) => return Level::OpenModel,
        None => {}
    }
    if facts.gated == Gated::Manual {
        return Level::Restricted;
    }
    match effective.terms.class {
        Class::OpenSource | Class::OpenData | Class::OpenWeightPermissive => Level::Permissive,
        Class::CopyleftData | Class::OpenWeightConditional | Class::ResponsibleAi => {
            Level::Conditional
        }
        Class::NonCommercial | Class::Unknown => Level::Restricted,
    }
}
