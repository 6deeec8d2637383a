//! The Open Source AI Definition 1.0: information about the data, the code, the parameters, and the
//! four freedoms. Unlike the framework's class I it does not ask for the data themselves. Whether
//! information is enough for a skilled person to build the like is a person's judgement, so files and
//! cards alone never give a yes.

use serde::Serialize;

use super::component::{
    DATA_CARD, DATASETS, INFERENCE_CODE, PREPROCESSING, TRAINING_CODE, WEIGHTS,
};
use super::{EvidenceLevel, Held};
use crate::{Effective, Known, Ruling};

/// The verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Osaid {
    /// Is it open source AI? `Unknown` where a person has to judge.
    pub verdict: Known,
    /// The tests it rests on.
    pub tests: Vec<OsaidTest>,
}

/// One test.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OsaidTest {
    /// What is asked.
    pub asks: &'static str,
    /// Whether it is met.
    pub met: Known,
    /// Why.
    pub why: String,
}

/// Judges by the terms and what was seen.
pub(super) fn judge(effective: &Effective, held: &[Held]) -> Osaid {
    let tests = vec![freedoms(effective), parameters(effective, held), code(held), data(held)];
    let verdict = if tests.iter().any(|test| test.met == Known::No) {
        Known::No
    } else if tests.iter().all(|test| test.met == Known::Yes) {
        Known::Yes
    } else {
        Known::Unknown
    };
    Osaid { verdict, tests }
}

fn freedoms(effective: &Effective) -> OsaidTest {
    let terms = &effective.terms;
    let mut against = Vec::new();
    let mut unknown = false;
    for (what, ruling) in [
        ("use for any purpose", terms.commercial),
        ("modify", terms.derivatives),
        ("share", terms.redistribution),
    ] {
        match ruling {
            Ruling::Yes => {}
            Ruling::Unknown => unknown = true,
            Ruling::Conditional | Ruling::No => against.push(format!("to {what} is not free")),
        }
    }
    if !terms.use_policies.is_empty() {
        against.push("a policy restricts what it may be used for".to_owned());
    }
    if !terms.exclusions.is_empty() {
        against.push("some are excluded".to_owned());
    }
    let met = match (against.is_empty(), unknown) {
        (false, _) => Known::No,
        (true, true) => Known::Unknown,
        (true, false) => Known::Yes,
    };
    let why = match met {
        Known::Yes => "nothing in the terms restricts them".to_owned(),
        Known::No => against.join("; "),
        Known::Unknown => "the terms are not known".to_owned(),
    };
    OsaidTest { asks: "the freedoms to use, study, modify and share, for any purpose", met, why }
}

fn parameters(effective: &Effective, held: &[Held]) -> OsaidTest {
    let there = of(held, WEIGHTS).is_some_and(|held| held.evidence.is_there());
    let (met, why) = match (there, effective.terms.osi_approved) {
        (false, _) => (Known::No, "no weights were found".to_owned()),
        (true, Known::Yes) => (
            Known::Yes,
            "every licence that binds them is approved by the Open Source Initiative".to_owned(),
        ),
        (true, Known::No) => (
            Known::No,
            "a licence that binds them is not approved by the Open Source Initiative".to_owned(),
        ),
        (true, Known::Unknown) => (
            Known::Unknown,
            "whether the licences that bind them are approved is not known".to_owned(),
        ),
    };
    OsaidTest {
        asks: "the parameters, under terms approved by the Open Source Initiative",
        met,
        why,
    }
}

fn code(held: &[Held]) -> OsaidTest {
    let mut met = Known::Yes;
    let mut why = Vec::new();
    for id in [TRAINING_CODE, INFERENCE_CODE, PREPROCESSING] {
        let Some(held) = of(held, id) else { continue };
        let proven = matches!(held.evidence, EvidenceLevel::Present | EvidenceLevel::Attested);
        match (held.evidence.is_there(), held.open) {
            (false, _) => {
                met = Known::No;
                why.push(format!("{} was not found", held.component.name));
            }
            (true, Known::No) => {
                met = Known::No;
                why.push(format!("{} is not under an open licence", held.component.name));
            }
            (true, Known::Yes) if proven => {}
            (true, _) => {
                met = if met == Known::No { Known::No } else { Known::Unknown };
                why.push(format!("{} is {}", held.component.name, held.evidence.means()));
            }
        }
    }
    if why.is_empty() {
        why.push("the code to prepare data, train and run is there under open licences".to_owned());
    }
    OsaidTest {
        asks: "the complete code to train and run it, under approved licences",
        met,
        why: why.join("; "),
    }
}

fn data(held: &[Held]) -> OsaidTest {
    let seen: Vec<&Held> =
        [DATA_CARD, DATASETS].into_iter().filter_map(|id| of(held, id)).collect();
    let attested = seen.iter().any(|held| held.evidence == EvidenceLevel::Attested);
    let there = seen.iter().any(|held| held.evidence.is_there());
    let (met, why) = match (attested, there) {
        (true, _) => (Known::Yes, "a person attested it".to_owned()),
        (false, true) => (
            Known::Unknown,
            "there is information about the data; whether it is enough, a person has to judge"
                .to_owned(),
        ),
        (false, false) => {
            (Known::No, "no information about the training data was found".to_owned())
        }
    };
    OsaidTest {
        asks: "information about the data, enough for a skilled person to build the like",
        met,
        why,
    }
}

fn of(held: &[Held], id: u8) -> Option<&Held> {
    held.iter().find(|held| held.component.id == id)
}
