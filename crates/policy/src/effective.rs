//! What binds the user of a model: the meet over its own licence and those of all its ancestors.
//!
//! A quantised copy, an adapter, a merge or a fine-tune cannot allow more than what it was made from.
//! So the chain is walked, breadth first, within bounds; an ancestor whose facts are not at hand is
//! known by its name or not at all, and not knowing is the strict answer.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::licence::Terms;
use crate::plain::shown;
use crate::resolve::{Basis, Evidence, Finding, FindingKind, Resolution, resolve};
use crate::{Class, Facts, Known, Licences, Read, Ruling, Shelf};

/// What binds the user of a model, and why.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effective {
    /// The model.
    pub model: String,
    /// The model itself first, then its ancestors and the data that binds, nearest first.
    pub parts: Vec<Part>,
    /// All their terms at once.
    pub terms: Terms,
    /// What does not fit together, and what one should know.
    pub findings: Vec<Finding>,
}

/// One licence of several.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// The model or data set.
    pub model: String,
    /// How it stands to the model asked about: `itself`, `quantized`, `finetune`, `made from`, `data`.
    pub relation: String,
    /// How many steps away it is; 0 is the model itself.
    pub depth: usize,
    /// Its licence.
    pub resolution: Resolution,
}

/// Ancestors further away than this are not followed.
const MAX_DEPTH: usize = 16;
/// More ancestors than this are not followed.
const MAX_PARTS: usize = 64;

/// What binds the user of a model, given the facts of it and, on the shelf, of its ancestors.
pub fn effective(facts: &Facts, shelf: &Shelf, licences: &Licences) -> Effective {
    let mut walk = Walk {
        shelf,
        licences,
        parts: Vec::new(),
        findings: Vec::new(),
        depth: BTreeMap::new(),
        parents: Vec::new(),
    };
    walk.from(facts);
    walk.inherit(facts);
    let Walk { parts, mut findings, .. } = walk;
    let of = |part: &Part| licences.get(&part.resolution.licence);
    let terms = parts.iter().map(|part| Terms::of(&of(part))).fold(Terms::free(), Terms::meet);

    for part in &parts {
        findings.extend(part.resolution.findings.iter().cloned());
        let licence = of(part);
        let mut find =
            |kind, says| findings.push(Finding { kind, model: part.model.clone(), says });
        if licence.read >= Read::Secondary
            && licence.id != Licences::UNKNOWN
            && !licence.id.starts_with("spdx:")
        {
            find(FindingKind::TermsNotRead, format!("{}: {}", licence.name, licence.read.means()));
        }
        if licence.unilateral_change == Known::Yes {
            find(
                FindingKind::TermsCanChange,
                format!(
                    "{}: its giver can change the terms for those who already have the model",
                    licence.name
                ),
            );
        }
    }
    if let Some((own, rest)) = parts.split_first() {
        let mine = of(own);
        for part in rest {
            let theirs = of(part);
            let stricter =
                theirs.class > mine.class || theirs.commercial.value > mine.commercial.value;
            if stricter && mine.class != Class::Unknown {
                findings.push(Finding {
                    kind: FindingKind::StricterThanDeclared,
                    model: own.model.clone(),
                    says: format!(
                        "it says {}, but it was made from {} under {}, which still binds",
                        mine.name, part.model, theirs.name
                    ),
                });
            }
        }
    }
    findings.sort();
    findings.dedup();
    Effective { model: shown(&facts.id), parts, terms, findings }
}

struct Walk<'a> {
    shelf: &'a Shelf,
    licences: &'a Licences,
    parts: Vec<Part>,
    findings: Vec<Finding>,
    /// Depth of every model met, by name in lower case.
    depth: BTreeMap<String, usize>,
    /// For every part, the names of what it was made from.
    parents: Vec<Vec<String>>,
}

impl Walk<'_> {
    fn from(&mut self, root: &Facts) {
        let name = root.id.to_ascii_lowercase();
        self.depth.insert(name.clone(), 0);
        let resolution = resolve(root, self.licences);
        self.unnamed_ancestor(root, &resolution);
        self.add(part(&root.id, "itself", 0, resolution), root.ancestors());
        self.data(root, 0);
        let mut queue: VecDeque<(String, String, usize, Vec<String>)> = VecDeque::new();
        for id in root.ancestors() {
            queue.push_back((id, relation(root), 1, vec![name.clone()]));
        }
        while let Some((id, relation_to_child, depth, path)) = queue.pop_front() {
            let key = id.to_ascii_lowercase();
            if path.contains(&key) {
                let says = format!("{} is named among its own ancestors", shown(&id));
                self.find(FindingKind::Cycle, &id, says);
                continue;
            }
            if self.depth.contains_key(&key) {
                continue;
            }
            if depth > MAX_DEPTH || self.parts.len() >= MAX_PARTS {
                self.find(FindingKind::TooDeep, &id, format!(
                    "more than {MAX_DEPTH} steps or {MAX_PARTS} ancestors; the rest counts as unknown"));
                self.add(part(&id, &relation_to_child, depth, nothing()), Vec::new());
                break;
            }
            self.depth.insert(key.clone(), depth);
            let Some(facts) = self.shelf.get(&id) else {
                let resolution = self.by_name(&id);
                self.add(part(&id, &relation_to_child, depth, resolution), Vec::new());
                continue;
            };
            let facts = facts.clone();
            let mut resolution = resolve(&facts, self.licences);
            if resolution.basis == Basis::Nothing
                && let Some(named) = self.licences.by_repository(&id)
            {
                resolution = self.named(&id, named);
            }
            self.add(part(&id, &relation_to_child, depth, resolution), facts.ancestors());
            self.data(&facts, depth);
            let mut path = path;
            path.push(key);
            for next in facts.ancestors() {
                queue.push_back((next, relation(&facts), depth + 1, path.clone()));
            }
        }
    }

    fn add(&mut self, part: Part, parents: Vec<String>) {
        self.parts.push(part);
        self.parents.push(parents);
    }

    /// What says nothing of its own carries what it was made from; so does a mere copy in another format
    /// whose card names another licence than what it copies, since a copyist can give and take nothing.
    fn inherit(&mut self, root: &Facts) {
        for index in (0..self.parts.len()).rev() {
            let parents = std::mem::take(&mut self.parents[index]);
            let same =
                |part: &&Part| parents.iter().any(|id| part.model.eq_ignore_ascii_case(&shown(id)));
            let strictest = self
                .parts
                .iter()
                .filter(same)
                .max_by_key(|part| self.licences.get(&part.resolution.licence).class)
                .cloned();
            let Some(from) = strictest else { continue };
            let part = &self.parts[index];
            let own = &part.resolution;
            let silent = own.basis == Basis::Nothing
                && !own
                    .findings
                    .iter()
                    .any(|f| matches!(f.kind, FindingKind::TextUnknown | FindingKind::NameUnknown));
            let known = matches!(
                from.resolution.basis,
                Basis::TextHash | Basis::TextMarkers | Basis::License
            );
            let copy = index == 0
                && parents.len() == 1
                && is_copy(root)
                && known
                && own.basis > Basis::TextMarkers
                && own.licence != from.resolution.licence
                && own.basis != Basis::Nothing;
            if !silent && !copy {
                continue;
            }
            let name = self.licences.get(&from.resolution.licence).name;
            if copy {
                let mine = self.licences.get(&own.licence).name;
                let says = format!(
                    "its card says {mine}, but it is a copy of {} under {name}: that counts",
                    from.model
                );
                let model = part.model.clone();
                self.find(FindingKind::CopySaysOther, &model, says);
            }
            let own = &mut self.parts[index].resolution;
            own.licence.clone_from(&from.resolution.licence);
            own.basis = Basis::Ancestors;
            own.evidence.insert(
                0,
                Evidence {
                    basis: Basis::Ancestors,
                    place: "made from".to_owned(),
                    found: format!("{}: {name}", from.model),
                    licence: Some(from.resolution.licence),
                },
            );
        }
    }

    /// An ancestor whose facts are not at hand.
    fn by_name(&mut self, id: &str) -> Resolution {
        let found = self.licences.by_repository(id);
        let says = match &found {
            Some(licence) => format!(
                "its card is not at hand; by its name it carries {}",
                self.licences.get(licence).name
            ),
            None => "its card is not at hand, so its licence is not known".to_owned(),
        };
        self.find(FindingKind::AncestorNotAtHand, id, says);
        found.map_or_else(nothing, |licence| self.named(id, licence))
    }

    fn named(&self, id: &str, licence: String) -> Resolution {
        let found = self.licences.get(&licence).name;
        let evidence = vec![Evidence {
            basis: Basis::Name,
            place: "the repository's name".to_owned(),
            found: format!("{}: {found}", shown(id)),
            licence: Some(licence.clone()),
        }];
        Resolution { licence, basis: Basis::Name, evidence, findings: Vec::new() }
    }

    /// Training data under share-alike or non-commercial terms binds too, as far as it is declared with
    /// its licence on the shelf.
    fn data(&mut self, facts: &Facts, depth: usize) {
        let Some(card) = &facts.card else { return };
        for id in card.datasets.iter().take(MAX_PARTS) {
            let key = format!("datasets/{id}");
            let Some(data) = self.shelf.get(&key) else { continue };
            if self.parts.len() >= MAX_PARTS || self.depth.contains_key(&key.to_ascii_lowercase()) {
                continue;
            }
            let resolution = resolve(data, self.licences);
            let class = self.licences.get(&resolution.licence).class;
            if matches!(class, Class::CopyleftData | Class::NonCommercial) {
                self.depth.insert(key.to_ascii_lowercase(), depth + 1);
                self.add(part(&key, "data", depth + 1, resolution), Vec::new());
            }
        }
    }

    /// A model that bears a family's shape but names no ancestor.
    fn unnamed_ancestor(&mut self, facts: &Facts, own: &Resolution) {
        if !facts.ancestors().is_empty() {
            return;
        }
        let Some((family, licences)) = family_of(facts) else { return };
        if licences.contains(&own.licence.as_str()) {
            return;
        }
        self.find(FindingKind::AncestorNotNamed, &facts.id, format!(
            "its architecture and the size of its vocabulary are those of {family}, but it names no \
             base model: the licence of {family} may bind it"));
    }

    fn find(&mut self, kind: FindingKind, model: &str, says: String) {
        self.findings.push(Finding { kind, model: shown(model), says });
    }
}

/// Families whose weights have restricted licences, known by architecture and size of vocabulary.
/// Source: the published configurations of the families.
const SHAPES: [(&[&str], u64, &str, &[&str]); 5] = [
    (
        &["llama", "LlamaForCausalLM"],
        128_256,
        "Llama 3",
        &["llama-3-community", "llama-3.1-community", "llama-3.2-community", "llama-3.3-community"],
    ),
    (
        &["llama4", "Llama4ForConditionalGeneration", "Llama4ForCausalLM"],
        202_048,
        "Llama 4",
        &["llama-4-community"],
    ),
    (&["gemma", "GemmaForCausalLM"], 256_000, "Gemma", &["gemma-tou"]),
    (&["gemma2", "Gemma2ForCausalLM"], 256_000, "Gemma 2", &["gemma-tou"]),
    (
        &["gemma3", "Gemma3ForCausalLM", "Gemma3ForConditionalGeneration"],
        262_144,
        "Gemma 3",
        &["gemma-tou"],
    ),
];

fn family_of(facts: &Facts) -> Option<(&'static str, &'static [&'static str])> {
    let architecture = facts.architecture.as_deref()?;
    let vocabulary = facts.vocabulary?;
    let near = |known: u64| (known..=known + 1024).contains(&vocabulary);
    let found =
        SHAPES.iter().find(|(names, size, ..)| names.contains(&architecture) && near(*size));
    found.map(|(_, _, family, licences)| (*family, *licences))
}

/// Whether a model is a mere copy of another in another format, by what it says of itself.
fn is_copy(facts: &Facts) -> bool {
    let Some(card) = &facts.card else { return false };
    match card.base_model_relation.as_deref() {
        Some(said) => said == "quantized",
        None => card.tags.iter().any(|tag| tag.starts_with("base_model:quantized:")),
    }
}

fn relation(facts: &Facts) -> String {
    let said = facts.card.as_ref().and_then(|card| card.base_model_relation.as_deref());
    match said {
        Some("quantized") => "quantized".to_owned(),
        Some("adapter") => "adapter".to_owned(),
        Some("merge") => "merge".to_owned(),
        Some("finetune") => "finetune".to_owned(),
        _ => "made from".to_owned(),
    }
}

fn part(model: &str, relation: &str, depth: usize, resolution: Resolution) -> Part {
    Part { model: shown(model), relation: relation.to_owned(), depth, resolution }
}

fn nothing() -> Resolution {
    Resolution {
        licence: Licences::UNKNOWN.to_owned(),
        basis: Basis::Nothing,
        evidence: Vec::new(),
        findings: Vec::new(),
    }
}

impl Effective {
    /// The licence of the model itself.
    pub fn own(&self) -> Option<&Part> {
        self.parts.first()
    }

    /// In one line: what kind of licence binds, and whether it may be used in business.
    pub fn summary(&self, licences: &Licences) -> String {
        let mut names: Vec<String> = Vec::new();
        for part in &self.parts {
            let name = licences.get(&part.resolution.licence).name;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let sell = match self.terms.commercial {
            Ruling::Yes => "business use allowed",
            Ruling::Conditional => "business use allowed on conditions",
            Ruling::Unknown => "business use not known to be allowed",
            Ruling::No => "no business use",
        };
        format!("{}: {} ({sell})", crate::plain::list(&names), self.terms.class.means())
    }
}
