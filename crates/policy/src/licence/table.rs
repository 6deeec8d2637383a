//! All known licences, and finding one by what a card calls it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::open::osi_spdx;
use super::{
    Class, Hosting, Known, Licence, Names, Outputs, Patent, Permission, Read, Ruling, Source,
    TextMarks, Train,
};
use crate::Error;

/// A set of licences.
#[derive(Debug, Clone, PartialEq)]
pub struct Licences {
    all: BTreeMap<String, Licence>,
}

/// (name, text) of every file of `licences/`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/licences.rs"));

impl Licences {
    /// The licences that ship inside: a constant, read once.
    pub fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<Licences> =
            LazyLock::new(|| Licences::parse(FILES).expect("a test reads every shipped file"));
        &SHIPPED
    }

    /// Reads data files, given as (name for errors, text).
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, Error> {
        let mut all = BTreeMap::new();
        for (file, text) in files {
            let wrong = |why: String| Error::Data { file: (*file).to_owned(), why };
            let licence: Licence =
                toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
            let id = licence.id.clone();
            if all.insert(id.clone(), licence).is_some() {
                return Err(wrong(format!("id {id} is taken, expected one file a licence")));
            }
        }
        if all.contains_key(Self::UNKNOWN) {
            return Ok(Self { all });
        }
        Err(Error::Data {
            file: "(all)".to_owned(),
            why: format!("no licence with id {:?}, expected one", Self::UNKNOWN),
        })
    }

    /// The id that stands for "no permission was found".
    pub const UNKNOWN: &'static str = "unknown";

    /// Adds an organisation's own licences; one with a known id replaces it.
    pub fn with(mut self, more: Self) -> Self {
        self.all.extend(more.all);
        self
    }

    /// All, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Licence> {
        self.all.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none; never so.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The licence with an id of ours; `spdx:ID` gives what is known of an OSI-approved one that has
    /// no file; anything else is the unknown licence.
    pub fn get(&self, id: &str) -> Licence {
        if let Some(known) = self.all.get(id) {
            return known.clone();
        }
        match id.strip_prefix("spdx:").and_then(osi_spdx) {
            Some(spdx) => approved(spdx),
            None => self.unknown(),
        }
    }

    /// The licence with an id of ours, where there is one.
    pub fn find(&self, id: &str) -> Option<&Licence> {
        self.all.get(id)
    }

    /// Whether an id is one of ours, or `spdx:` and an OSI-approved identifier.
    pub fn knows(&self, id: &str) -> bool {
        self.all.contains_key(id)
            || id.strip_prefix("spdx:").is_some_and(|id| osi_spdx(id) == Some(id))
    }

    /// The licence that stands for "no permission was found".
    pub fn unknown(&self) -> Licence {
        self.all.get(Self::UNKNOWN).cloned().expect("parse refuses a set without it")
    }

    /// By a card's `license`, or an SPDX identifier: ours first, then whatever OSI approved.
    pub(crate) fn by_license(&self, name: &str) -> Option<String> {
        let name = name.trim();
        let ours = self.all.values().find(|licence| {
            let spdx = licence.spdx.iter();
            licence.names.license.iter().chain(spdx).any(|known| known.eq_ignore_ascii_case(name))
        });
        let scancode = || {
            let of =
                |l: &&Licence| l.scancode.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(name));
            self.all.values().find(of)
        };
        ours.or_else(scancode)
            .map(|licence| licence.id.clone())
            .or_else(|| osi_spdx(name).map(|spdx| format!("spdx:{spdx}")))
            .or_else(|| self.by_expression(name))
    }

    /// By a plain SPDX expression: of `A OR B` one may choose, so the freest known one counts; of
    /// `A AND B` the strictest, and all have to be known. Brackets inside are not followed.
    fn by_expression(&self, text: &str) -> Option<String> {
        let text = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
        if text.contains(['(', ')']) || text.len() > 500 {
            return None;
        }
        let class = |id: &String| self.get(id).class;
        let (either, all) = (text.contains(" OR "), text.contains(" AND "));
        match (either, all) {
            (true, false) => {
                text.split(" OR ").filter_map(|part| self.by_license(part)).min_by_key(class)
            }
            (false, true) => {
                let parts: Option<Vec<String>> =
                    text.split(" AND ").map(|part| self.by_license(part)).collect();
                parts?.into_iter().max_by_key(class)
            }
            _ => None,
        }
    }

    /// By a card's `license_name`.
    pub(crate) fn by_license_name(&self, name: &str) -> Option<String> {
        let name = name.trim();
        let known = |licence: &&Licence| {
            licence.names.license_name.iter().any(|known| known.eq_ignore_ascii_case(name))
                || licence.name.eq_ignore_ascii_case(name)
                || licence.id.eq_ignore_ascii_case(name)
        };
        self.all.values().filter(|l| l.id != Self::UNKNOWN).find(known).map(|l| l.id.clone())
    }

    /// By a part of a card's `license_link`, the longest known part first; else by the repository on a
    /// hub that the link leads to.
    pub(crate) fn by_link(&self, link: &str) -> Option<String> {
        let link = link.to_ascii_lowercase();
        let parts = self.all.values().flat_map(|l| l.names.links.iter().map(move |part| (part, l)));
        let found = parts.filter(|(part, _)| link.contains(&part.to_ascii_lowercase()));
        let found = found.max_by_key(|(part, _)| part.len()).map(|(_, licence)| licence.id.clone());
        found.or_else(|| {
            let (_, path) = link.split_once("huggingface.co/")?;
            let mut parts = path.split('/');
            let id = format!("{}/{}", parts.next()?, parts.next()?);
            self.by_repository(&id)
        })
    }

    /// By the name of a repository known to carry it; the longest pattern decides.
    pub(crate) fn by_repository(&self, id: &str) -> Option<String> {
        let id = id.to_ascii_lowercase();
        let patterns = self.all.values().flat_map(|l| l.repositories.iter().map(move |p| (p, l)));
        let fits = |pattern: &str| {
            let pattern = pattern.to_ascii_lowercase();
            pattern.strip_suffix('*').map_or(id == pattern, |start| id.starts_with(start))
        };
        let found = patterns.filter(|(pattern, _)| fits(pattern));
        found.max_by_key(|(pattern, _)| pattern.len()).map(|(_, licence)| licence.id.clone())
    }
}

/// What a survey says in a word of a name for which there is no file.
pub(crate) fn hint(name: &str) -> Option<&'static str> {
    let lines = include_str!("../../data/names.txt").lines().filter(|line| !line.starts_with('#'));
    let mut names = lines.filter_map(|line| line.split_once('\t'));
    names.find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).map(|(_, says)| says)
}

/// What the Open Source Definition promises of every approved licence.
fn approved(spdx: &str) -> Licence {
    let clause = |number: &str| Some(format!("Open Source Definition, point {number}"));
    let yes = |number: &str, conditions: &[&str]| Permission {
        value: Ruling::Yes,
        note: None,
        conditions: conditions.iter().map(|&text| text.to_owned()).collect(),
        clause: clause(number),
    };
    Licence {
        id: format!("spdx:{spdx}"),
        name: spdx.to_owned(),
        class: Class::OpenSource,
        read: Read::Secondary,
        spdx: Some(spdx.to_owned()),
        scancode: None,
        date: None,
        osi_approved: Known::Yes,
        note: Some(
            "known only as approved by the Open Source Initiative; read it for its conditions"
                .into(),
        ),
        families: Vec::new(),
        repositories: Vec::new(),
        from_memory: Vec::new(),
        names: Names::default(),
        text: TextMarks::default(),
        commercial: yes("6", &[]),
        thresholds: Vec::new(),
        redistribution: yes(
            "1",
            &["the licence's own conditions, among them notices and, for some, source"],
        ),
        derivatives: yes("3", &["some approved licences ask for the same licence on derivatives"]),
        hosting: Hosting::default(),
        outputs: Outputs {
            claimed: Known::Unknown,
            train: Train::Yes,
            note: None,
            clause: clause("6"),
        },
        notice: None,
        display: None,
        naming: None,
        use_policy: None,
        exclusions: Vec::new(),
        patent: Patent::default(),
        guardrail: None,
        termination: None,
        governing_law: None,
        unilateral_change: Known::Unknown,
        sources: vec![Source {
            field: "*".into(),
            reference: "SPDX licence list 3.28.0 and the Open Source Definition".into(),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_file_reads_and_is_named_after_its_id() {
        let licences = Licences::parse(FILES).unwrap();
        assert_eq!(licences.len(), 51);
        for (file, text) in FILES {
            let licence: Licence = toml::from_str(text).unwrap();
            assert_eq!(licence.id.replace("++", "-plus-plus"), *file);
            assert!(!licence.name.is_empty());
            assert!(
                !licence.sources.is_empty() || !licence.from_memory.is_empty(),
                "{file}: no source"
            );
            for known in &licence.text.known {
                assert_eq!(known.sha256.len(), 64, "{file}");
            }
            for other in &licence.text.beats {
                assert!(licences.find(other).is_some(), "{file} beats {other}");
            }
        }
    }

    #[test]
    fn what_was_not_read_is_not_claimed() {
        for licence in Licences::shipped().iter().filter(|l| l.read >= Read::Secondary) {
            let filler = licence.hosting.is_distribution == Known::No;
            assert!(!filler, "{}: hosting cannot be known without reading", licence.id);
        }
    }

    #[test]
    fn one_name_means_one_licence() {
        let mut seen = BTreeMap::new();
        for licence in Licences::shipped().iter() {
            for name in &licence.names.license {
                assert_eq!(
                    seen.insert(("license", name.to_lowercase()), &licence.id),
                    None,
                    "{name}"
                );
            }
            for name in &licence.names.license_name {
                assert_eq!(seen.insert(("name", name.to_lowercase()), &licence.id), None, "{name}");
            }
        }
    }

    #[test]
    fn found_by_what_cards_say() {
        let all = Licences::shipped();
        assert_eq!(all.by_license("llama3.1").as_deref(), Some("llama-3.1-community"));
        assert_eq!(all.by_license("Apache-2.0").as_deref(), Some("apache-2.0"));
        assert_eq!(all.by_license("gpl-3.0").as_deref(), Some("spdx:GPL-3.0"));
        assert_eq!(all.by_license("MIT OR Apache-2.0").as_deref(), Some("mit"));
        assert_eq!(all.by_license("(CC-BY-NC-4.0 OR MIT)").as_deref(), Some("mit"));
        assert_eq!(all.by_license("MIT AND CC-BY-NC-4.0").as_deref(), Some("cc-by-nc-4.0"));
        assert_eq!(all.by_license("MIT AND Strange-1.0"), None);
        assert_eq!(all.by_license("(MIT OR (A AND B))"), None);
        assert_eq!(all.by_license("other"), None);
        assert_eq!(all.by_license_name("qwen-research").as_deref(), Some("qwen-research"));
        assert_eq!(all.by_link("https://ai.google.dev/gemma/terms").as_deref(), Some("gemma-tou"));
        let found = all.by_repository("meta-llama/Llama-3.1-8B-Instruct");
        assert_eq!(found.as_deref(), Some("llama-3.1-community"));
        assert_eq!(all.by_repository("someone/Llama-3.1-8B"), None);
        assert_eq!(hint("nvidia-license"), Some("non-commercial"));
        assert_eq!(hint("mit"), None);
        assert!(
            all.knows("mit")
                && all.knows("spdx:GPL-3.0")
                && !all.knows("spdx:x")
                && !all.knows("x")
        );
        assert_eq!(all.get("no such thing").class, Class::Unknown);
        assert_eq!(all.get("spdx:GPL-3.0").class, Class::OpenSource);
    }

    #[test]
    fn broken_data_is_refused_by_file_and_place() {
        let error = Licences::parse(&[("x", "id = \"x\"\nsurprise = 1\n")]).unwrap_err();
        assert!(error.to_string().starts_with("data file x: "), "{error}");
    }
}
