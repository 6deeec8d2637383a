//! Reading what a repository says of its licence: names first, then texts, then which of them counts.

use super::{
    Basis, Evidence, Finding, FindingKind, Resolution, is_other, text_files, told, unknown_name,
};
use crate::licence::{Match, normal, recognise};
use crate::plain::{list, shown};
use crate::{Class, Facts, Licences};

/// A reading under way: what was looked at and what does not fit.
pub(super) struct Reading<'a> {
    facts: &'a Facts,
    licences: &'a Licences,
    evidence: Vec<Evidence>,
    findings: Vec<Finding>,
}

/// What the licence files are.
#[derive(Default)]
pub(super) struct Texts {
    /// The first known one.
    pub(super) known: Option<Known>,
    /// The first unknown one: where, and a phrase that limits use.
    unknown: Option<(String, Option<&'static str>)>,
}

/// A known text.
pub(super) struct Known {
    basis: Basis,
    licence: String,
    place: String,
}

impl<'a> Reading<'a> {
    pub(super) fn new(facts: &'a Facts, licences: &'a Licences) -> Self {
        Self { facts, licences, evidence: Vec::new(), findings: Vec::new() }
    }

    fn find(&mut self, kind: FindingKind, says: String) {
        self.findings.push(Finding { kind, model: shown(&self.facts.id), says });
    }

    /// The declaration that counts. Where several disagree it is the strictest: a permissive word beside
    /// a strict one is more often a slip than a gift.
    pub(super) fn strictest<'d>(&mut self, declared: &'d [Evidence]) -> Option<&'d Evidence> {
        let known = || declared.iter().filter_map(|item| Some((item, item.licence.as_ref()?)));
        let class = |id: &String| self.licences.get(id).class;
        let strictest = known().map(|(_, id)| class(id)).max()?;
        let (first, licence) = known().find(|(_, id)| class(id) == strictest)?;
        for (other, _) in known().filter(|(_, id)| *id != licence) {
            let in_file = |item: &Evidence| item.basis == Basis::Gguf;
            let (a, b) = (told(first), told(other));
            let (kind, whose) = if in_file(first) == in_file(other) {
                (FindingKind::DeclarationsDisagree, "it says two things")
            } else {
                (FindingKind::HeaderDisagrees, "the card and the file disagree")
            };
            self.find(kind, format!("{whose}: {a}, but {b}; the stricter counts"));
        }
        Some(first)
    }

    /// Reads the licence files; without any, what people are asked to accept before they download.
    pub(super) fn texts(&mut self) -> Texts {
        let mut texts = Texts::default();
        for file in text_files::of_weights(&self.facts.texts) {
            self.file(&shown(&file.path), text_files::cut(&file.text), &mut texts);
        }
        let prompt = self.facts.card.as_ref().and_then(|card| card.gated_prompt.as_deref());
        if let Some(prompt) = prompt.filter(|_| texts.known.is_none() && texts.unknown.is_none())
            && let Match::Markers(licence, _) = recognise(&normal(prompt), self.licences)
        {
            let place = "README.md: extra_gated_prompt".to_owned();
            let found = format!("the marks of {}", self.licences.get(&licence).name);
            self.know(&mut texts, Basis::TextMarkers, licence, place, found);
        }
        self.unknown_beside_known(&mut texts);
        texts
    }

    fn file(&mut self, place: &str, raw: &str, texts: &mut Texts) {
        let text = normal(raw);
        let (basis, licence, found) = match recognise(&text, self.licences) {
            Match::Hash(id, of) => (Basis::TextHash, id, of),
            Match::HashWithMore(id, of, rest) => {
                let rest = shown(&rest);
                let says =
                    format!("{place} holds {of} and more, which has to be read: \"{rest}…\"");
                self.find(FindingKind::TextHasMore, says);
                (Basis::TextMarkers, id, format!("{of}, with more text beside it"))
            }
            Match::Markers(id, others) => {
                if !others.is_empty() {
                    let others = list(&others);
                    let says = format!(
                        "{place} bears the marks of {id}, and of {others} too: it has to be read"
                    );
                    self.find(FindingKind::TextHasMore, says);
                }
                let found = format!("the marks of {}", self.licences.get(&id).name);
                (Basis::TextMarkers, id, found)
            }
            Match::Nothing => {
                let (basis, found) = (Basis::TextMarkers, text_files::words(raw));
                self.evidence.push(Evidence {
                    basis,
                    place: place.to_owned(),
                    found,
                    licence: None,
                });
                if texts.unknown.is_none() && text_files::is_a_licence(&text) {
                    texts.unknown = Some((place.to_owned(), text_files::limits(&text)));
                }
                return;
            }
        };
        // A permissive text with anything beside it that speaks of limits is not believed.
        let permissive = self.licences.get(&licence).class <= Class::OpenWeightPermissive;
        let licence = match text_files::limits(&text).filter(|_| permissive) {
            None => licence,
            Some(limit) => {
                let says = format!(
                    "{place} looks like {licence}, but speaks of \"{limit}\": it has to be read"
                );
                self.find(FindingKind::TextLimitsUse, says);
                Licences::UNKNOWN.to_owned()
            }
        };
        self.know(texts, basis, licence, place.to_owned(), found);
    }

    /// Takes a known text in; the first one counts.
    fn know(
        &mut self,
        texts: &mut Texts,
        basis: Basis,
        licence: String,
        place: String,
        found: String,
    ) {
        let item = Evidence { basis, place: place.clone(), found, licence: Some(licence.clone()) };
        if texts.known.is_none() {
            self.evidence.insert(0, item);
            texts.known = Some(Known { basis, licence, place });
        } else {
            self.evidence.push(item);
        }
    }

    /// An unknown text beside a known one has to be read; one that limits use takes the grant away.
    fn unknown_beside_known(&mut self, texts: &mut Texts) {
        let (Some(known), Some((place, limit))) = (&mut texts.known, &texts.unknown) else {
            return;
        };
        let says = format!("{place} beside it is a text nobody here knows: it has to be read");
        self.find(FindingKind::TextUnknown, says);
        if let Some(limit) = limit {
            self.find(FindingKind::TextLimitsUse, format!("{place} speaks of \"{limit}\""));
            known.basis = Basis::TextMarkers;
            Licences::UNKNOWN.clone_into(&mut known.licence);
            known.place.clone_from(place);
        }
    }

    /// The text counts, whatever names say.
    pub(super) fn text_counts(&mut self, known: &Known, declared: &[Evidence]) -> (String, Basis) {
        let name = self.licences.get(&known.licence).name;
        for other in
            declared.iter().filter(|e| e.licence.as_ref().is_some_and(|id| *id != known.licence))
        {
            let says = format!(
                "{}, but the text in {} is {name}: the text counts",
                told(other),
                known.place
            );
            self.find(FindingKind::NameAndTextDisagree, says);
        }
        self.unknown_names(declared);
        (known.licence.clone(), known.basis)
    }

    /// A name counts, unless an unknown text stands where its own would be known.
    pub(super) fn name_counts(
        &mut self,
        named: &Evidence,
        texts: &Texts,
        declared: &[Evidence],
    ) -> (String, Basis) {
        self.unknown_names(declared);
        let licence = named.licence.clone().unwrap_or_else(|| Licences::UNKNOWN.to_owned());
        let Some((place, limit)) = &texts.unknown else { return (licence, named.basis) };
        if let Some(limit) = limit {
            let says = format!("the text in {place} is not known and speaks of \"{limit}\"");
            self.find(FindingKind::TextLimitsUse, says);
        }
        let recognisable = self.licences.find(&licence).is_some_and(|l| !l.text.markers.is_empty());
        if recognisable || limit.is_some() {
            let says = format!(
                "{}, but the text in {place} is another that nobody here knows: no permission is assumed",
                told(named)
            );
            self.find(FindingKind::NameAndTextDisagree, says);
            return (Licences::UNKNOWN.to_owned(), Basis::TextMarkers);
        }
        self.find(
            FindingKind::TextUnknown,
            format!("the text in {place} is not known; {}", told(named)),
        );
        (licence, named.basis)
    }

    /// Neither a known name nor a known text.
    pub(super) fn nothing_counts(
        &mut self,
        texts: &Texts,
        declared: &[Evidence],
    ) -> (String, Basis) {
        if let Some((place, limit)) = &texts.unknown {
            let limit = limit.map_or(String::new(), |limit| format!(" and speaks of \"{limit}\""));
            let says = format!("the text in {place} is not known{limit}: it has to be read");
            self.find(FindingKind::TextUnknown, says);
        }
        self.unknown_names(declared);
        if self.findings.is_empty() {
            self.find(FindingKind::NothingDeclared, "it names no licence".to_owned());
        }
        (Licences::UNKNOWN.to_owned(), Basis::Nothing)
    }

    /// Names that mean nothing here.
    fn unknown_names(&mut self, declared: &[Evidence]) {
        for item in declared.iter().filter(|e| e.licence.is_none() && !is_other(&e.found)) {
            self.find(FindingKind::NameUnknown, unknown_name(item));
        }
    }

    pub(super) fn done(
        mut self,
        licence: String,
        basis: Basis,
        declared: &[Evidence],
    ) -> Resolution {
        self.evidence.extend(declared.iter().cloned());
        self.findings.sort();
        self.findings.dedup();
        Resolution { licence, basis, evidence: self.evidence, findings: self.findings }
    }
}
