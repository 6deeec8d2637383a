//! From components to a class.
//!
//! Rules, as the Model Openness Tool applies them: a class needs all its own required entries and those
//! of the classes below, each there and under an open licence; a technical report may be left out where
//! there is a research paper; a class counts for nothing while a lower one is not complete.

use serde::{Deserialize, Serialize};

use super::component::{COMPONENTS, Component, PAPER, REPORT};
use crate::Known;

/// A class of the framework; III is the first to reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MofClass {
    /// Class III.
    #[serde(rename = "III")]
    OpenModel,
    /// Class II.
    #[serde(rename = "II")]
    OpenTooling,
    /// Class I.
    #[serde(rename = "I")]
    OpenScience,
}

impl MofClass {
    /// All, the first to reach first.
    pub const ALL: [Self; 3] = [Self::OpenModel, Self::OpenTooling, Self::OpenScience];

    /// `Class III, open model`.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenModel => "Class III, open model",
            Self::OpenTooling => "Class II, open tooling",
            Self::OpenScience => "Class I, open science",
        }
    }
}

/// What was seen of one entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Held {
    /// The entry.
    pub component: &'static Component,
    /// How well it is known to be there.
    pub evidence: EvidenceLevel,
    /// Where it was seen: paths, keys, addresses.
    pub places: Vec<String>,
    /// Its licence, where known: an SPDX identifier or a licence's id.
    pub licence: Option<String>,
    /// Whether that licence is open.
    pub open: Known,
    /// What a person should look at.
    pub note: Option<String>,
}

/// How well something is known to be there, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceLevel {
    /// A file of the repository.
    Present,
    /// A named person said so.
    Attested,
    /// The card or configuration says so.
    Declared,
    /// The card links to it; nobody followed the link.
    Linked,
    /// Not seen.
    Absent,
}

impl EvidenceLevel {
    /// Anything but absent.
    pub fn is_there(self) -> bool {
        self != Self::Absent
    }

    /// In plain words.
    pub fn means(self) -> &'static str {
        match self {
            Self::Present => "in the repository",
            Self::Attested => "attested by a person",
            Self::Declared => "declared, not seen",
            Self::Linked => "linked, not followed",
            Self::Absent => "not found",
        }
    }
}

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// All that is there in any way and not known to be closed: an upper bound.
    Possible,
    /// Only what is present or attested, under a licence known to be open.
    Proven,
}

/// How far a model is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// The class reached; `None` is unclassified.
    pub class: Option<MofClass>,
    /// Percent of what class III, II and I need; 0 while a lower class is not complete.
    pub percent: [f64; 3],
}

/// What is missing for a class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextClass {
    /// The class.
    pub class: MofClass,
    /// What it lacks.
    pub missing: Vec<Missing>,
}

/// One thing that is missing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Missing {
    /// The entry's number.
    pub component: u8,
    /// Its name.
    pub name: &'static str,
    /// Why it does not count, in plain words.
    pub why: String,
}

/// How far a model is, by what was seen of its components.
pub fn evaluate(held: &[Held], count: Count) -> Evaluation {
    let mut percent = [0.0; 3];
    let mut class = None;
    for (index, next) in MofClass::ALL.into_iter().enumerate() {
        let needed = needed(held, next, count);
        let met = needed.iter().filter(|component| counts(held, component.id, count)).count();
        percent[index] = met as f64 / needed.len() as f64 * 100.0;
        if met < needed.len() {
            break;
        }
        class = Some(next);
    }
    Evaluation { class, percent }
}

/// Required entries of a class and those below it. A paper stands in for a report that does not count.
fn needed(held: &[Held], class: MofClass, count: Count) -> Vec<&'static Component> {
    let paper = held.iter().any(|h| h.component.id == PAPER && h.evidence.is_there());
    let paper_stands_in = paper && !counts(held, REPORT, count);
    let mut needed: Vec<&Component> = COMPONENTS
        .iter()
        .filter(|component| component.required && component.class <= class)
        .filter(|component| !(paper_stands_in && component.id == REPORT))
        .collect();
    if paper_stands_in && class < MofClass::OpenScience {
        needed.extend(Component::by_id(PAPER));
    }
    needed
}

fn counts(held: &[Held], id: u8, count: Count) -> bool {
    held.iter().filter(|held| held.component.id == id).any(|held| match count {
        Count::Possible => held.evidence.is_there() && held.open != Known::No,
        Count::Proven => {
            matches!(held.evidence, EvidenceLevel::Present | EvidenceLevel::Attested)
                && held.open == Known::Yes
        }
    })
}

/// What is missing for the class after the one reached.
pub(super) fn next(held: &[Held], reached: Option<MofClass>) -> Option<NextClass> {
    let class = match reached {
        None => MofClass::OpenModel,
        Some(MofClass::OpenModel) => MofClass::OpenTooling,
        Some(MofClass::OpenTooling) => MofClass::OpenScience,
        Some(MofClass::OpenScience) => return None,
    };
    let missing = needed(held, class, Count::Possible)
        .into_iter()
        .filter(|component| !counts(held, component.id, Count::Possible))
        .map(|component| {
            let seen =
                held.iter().find(|h| h.component.id == component.id && h.evidence.is_there());
            let why = match seen {
                None => "not found".to_owned(),
                Some(held) => match &held.licence {
                    Some(licence) => format!("its licence, {licence}, is not open"),
                    None => "it has no licence, and no licence is not open".to_owned(),
                },
            };
            Missing { component: component.id, name: component.name, why }
        })
        .collect();
    Some(NextClass { class, missing })
}
