//! The policy file, `freehold-policy.toml`: typed, with unknown keys refused.

use serde::{Deserialize, Deserializer, Serialize};

use super::{Format, Gate, Organisation, Verdict, Waiver};
use crate::{Class, Date, Error, Licences, shown};

/// An organisation's rules.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// `freehold-policy/1`.
    #[serde(default)]
    pub schema: Schema,
    /// Grows with every change, so that an older file can be told.
    #[serde(default)]
    pub serial: Option<u64>,
    /// Who they are.
    #[serde(default)]
    pub organisation: Organisation,
    /// What to do where something is not known.
    #[serde(default)]
    pub defaults: Defaults,
    /// Where models may come from.
    #[serde(default)]
    pub sources: Sources,
    /// Which files may hold weights.
    #[serde(default)]
    pub formats: Formats,
    /// Which chat templates may run.
    #[serde(default)]
    pub templates: Templates,
    /// Which licences.
    #[serde(default)]
    pub licence: LicenceRules,
    /// How open a model has to be.
    #[serde(default)]
    pub openness: OpennessRules,
    /// What a model may take.
    #[serde(default)]
    pub memory: MemoryRules,
    /// The log of decisions.
    #[serde(default)]
    pub audit: AuditRules,
    /// Recorded exceptions.
    #[serde(default)]
    pub waiver: Vec<Waiver>,
}

/// The version of the file's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Schema {
    /// The first.
    #[default]
    #[serde(rename = "freehold-policy/1")]
    V1,
}

/// What to do where something is not known. Not stated: warn.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defaults {
    /// No permission was found at all.
    pub unknown_licence: Option<Verdict>,
    /// A licence is known, but not what it says of what is asked, or a fact of the organisation.
    pub unknown_term: Option<Verdict>,
    /// Something does not fit together, such as a name and a text.
    pub finding: Option<Verdict>,
}

/// Where models may come from: patterns such as `hf:Qwen/*`, `dir:/srv/models/*`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sources {
    /// Only these, where stated.
    pub allow: Option<Vec<String>>,
    /// Never these.
    pub deny: Vec<String>,
}

/// Which files may hold weights.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Formats {
    /// Only these, where stated.
    pub allow: Option<Vec<Format>>,
    /// Never these.
    pub deny: Vec<Format>,
    /// Models that bring code of their own (it is never run here).
    pub remote_code: Option<Verdict>,
}

/// Which chat templates may run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Templates {
    /// SHA-256 of those that were reviewed, in hex; where stated, others get the verdict of `other`.
    pub allow: Option<Vec<String>>,
    /// What to do with others. Not stated: deny.
    pub other: Option<Verdict>,
    /// SHA-256 of those never to run.
    pub deny: Vec<String>,
}

/// Which licences.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LicenceRules {
    /// Only these classes, where stated.
    pub allow_classes: Option<Vec<Class>>,
    /// Classes a person has to say yes to.
    pub ask_classes: Vec<Class>,
    /// Never these classes.
    pub deny_classes: Vec<Class>,
    /// Never these licences, by id.
    pub deny: Vec<String>,
    /// Licences a person has to say yes to, by id.
    pub ask: Vec<String>,
    /// Gates at which every licence has to be approved by the Open Source Initiative.
    pub require_osi: Vec<Gate>,
}

/// How open a model has to be, 0 to 6 as [`crate::openness::Level`] counts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpennessRules {
    /// At pull.
    pub pull: Option<u8>,
    /// At run.
    pub run: Option<u8>,
    /// At serve.
    pub serve: Option<u8>,
    /// At tune.
    pub tune: Option<u8>,
    /// At export.
    pub export: Option<u8>,
}

impl OpennessRules {
    pub(super) fn at(&self, gate: Gate) -> Option<u8> {
        match gate {
            Gate::Pull => self.pull,
            Gate::Run => self.run,
            Gate::Serve => self.serve,
            Gate::Tune => self.tune,
            Gate::Export => self.export,
        }
    }
}

/// What a model may take: bytes, or a text such as `64GiB`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemoryRules {
    /// Memory at its peak.
    #[serde(deserialize_with = "bytes")]
    pub memory_max: Option<u64>,
    /// Disk.
    #[serde(deserialize_with = "bytes")]
    pub disk_max: Option<u64>,
    /// One download.
    #[serde(deserialize_with = "bytes")]
    pub download_max: Option<u64>,
}

/// The log of decisions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditRules {
    /// Where the log is kept; the program's own place where not stated.
    pub path: Option<String>,
    /// What to do when it cannot be written. Not stated: deny.
    pub on_failure: Option<Verdict>,
}

/// Whether there is a policy.
#[derive(Debug, Clone, PartialEq)]
pub enum PolicyState {
    /// There is none: nothing but the licences themselves speaks.
    Absent,
    /// There is one.
    Ready(Box<Policy>),
    /// There is one and it cannot be read: everything is denied.
    Unreadable(String),
}

impl PolicyState {
    /// The state of a policy file given as its text.
    pub fn of(text: &str) -> Self {
        match Policy::parse(text) {
            Ok(policy) => Self::Ready(Box::new(policy)),
            Err(error) => Self::Unreadable(error.to_string()),
        }
    }

    /// What is stated of the organisation.
    pub fn organisation(&self) -> Organisation {
        match self {
            Self::Ready(policy) => policy.organisation.clone(),
            Self::Absent | Self::Unreadable(_) => Organisation::default(),
        }
    }

    /// What to do when the log of decisions cannot be written.
    pub fn on_audit_failure(&self) -> Verdict {
        match self {
            Self::Ready(policy) => policy.audit.on_failure.unwrap_or(Verdict::Deny),
            Self::Absent => Verdict::Warn,
            Self::Unreadable(_) => Verdict::Deny,
        }
    }
}

impl Policy {
    /// A policy file is no longer than this.
    pub const MAX_BYTES: usize = 1 << 20;

    /// A policy to start from, with every section explained.
    pub const EXAMPLE: &str = include_str!("../../policies/example.toml");

    /// What reads well but will not do what was meant: names nobody knows, waivers that softened a rule
    /// that does not exist or have ended, hashes that are none. For `policy check`.
    pub fn faults(&self, licences: &Licences, today: Date) -> Vec<String> {
        let mut faults = Vec::new();
        for id in self.licence.deny.iter().chain(&self.licence.ask) {
            if !licences.knows(id) {
                faults.push(format!(
                    "licence: \"{}\" is no licence known here; until it is, everything is denied",
                    shown(id)
                ));
            }
        }
        for hash in self.templates.allow.iter().flatten().chain(&self.templates.deny) {
            let digits = hash.trim_start_matches("sha256:");
            if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                faults
                    .push(format!("templates: found \"{}\", expected 64 hex digits", shown(hash)));
            }
        }
        let sources = self.sources.allow.iter().flatten().chain(&self.sources.deny);
        for pattern in sources.filter(|pattern| !pattern.contains(':') && pattern.as_str() != "*") {
            faults.push(format!(
                "sources: \"{}\" names no kind of source, such as hf: or dir:",
                shown(pattern)
            ));
        }
        for waiver in &self.waiver {
            let id = shown(&waiver.id);
            if !RULES.contains(&waiver.rule.as_str()) {
                faults.push(format!("waiver {id}: there is no rule \"{}\"", shown(&waiver.rule)));
            }
            if waiver.until < today {
                faults.push(format!("waiver {id} ended on {}", waiver.until));
            }
            if waiver.licence.as_ref().is_some_and(|licence| !licences.knows(licence)) {
                faults.push(format!("waiver {id}: its licence is not known here"));
            }
        }
        faults
    }

    /// Reads a policy file; an unknown key, a wrong value or a waiver without scope is refused with
    /// its line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > Self::MAX_BYTES {
            let why = format!("found {} bytes, expected at most {}", text.len(), Self::MAX_BYTES);
            return Err(Error::Policy { line: 1, column: 1, why });
        }
        let policy: Self = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let (line, column) = place(text, at);
            let why = error.message().lines().collect::<Vec<_>>().join(" ");
            Error::Policy { line, column, why: shown(&why) }
        })?;
        if !text.contains("freehold-policy/1") {
            let why = "found no schema, expected schema = \"freehold-policy/1\"".to_owned();
            return Err(Error::Policy { line: 1, column: 1, why });
        }
        if let Some((id, why)) =
            policy.waiver.iter().find_map(|w| w.fault().map(|why| (&w.id, why)))
        {
            let at = text.find(&format!("{id:?}")).unwrap_or(0);
            let (line, column) = place(text, at);
            return Err(Error::Policy { line, column, why });
        }
        let mut levels = Gate::ALL.into_iter().filter_map(|gate| policy.openness.at(gate));
        if let Some(level) = levels.find(|level| *level > 6) {
            let (line, column) = place(text, text.find("[openness]").unwrap_or(0));
            let why = format!("found openness level {level}, expected 0 to 6");
            return Err(Error::Policy { line, column, why });
        }
        Ok(policy)
    }
}

/// Every rule a reason can name, for waivers.
pub(super) const RULES: [&str; 39] = [
    "defaults.finding",
    "defaults.unknown_licence",
    "defaults.unknown_term",
    "formats.allow",
    "formats.deny",
    "formats.pickle",
    "formats.remote_code",
    "licence.allow_classes",
    "licence.ask",
    "licence.ask_classes",
    "licence.commercial",
    "licence.deny",
    "licence.deny_classes",
    "licence.derivatives",
    "licence.exclusion",
    "licence.guardrail",
    "licence.military",
    "licence.model_card",
    "licence.naming",
    "licence.notice",
    "licence.outputs",
    "licence.redistribution",
    "licence.require_osi",
    "licence.serving",
    "licence.threshold",
    "memory.disk_max",
    "memory.download_max",
    "memory.memory_max",
    "openness.export",
    "openness.pull",
    "openness.run",
    "openness.serve",
    "openness.tune",
    "policy.unknown_name",
    "sources.allow",
    "sources.crooked",
    "sources.deny",
    "templates.allow",
    "templates.deny",
];

/// Line and column of a place in a text, counted from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line = before.split(|&byte| byte == b'\n').count();
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    (line, before.len() - start + 1)
}

/// A number of bytes, or a text with a unit.
fn bytes<'de, D: Deserializer<'de>>(input: D) -> Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Size {
        Number(u64),
        Text(String),
    }
    match Size::deserialize(input)? {
        Size::Number(number) => Ok(Some(number)),
        Size::Text(text) => size(&text).map(Some).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "found size {text:?}, expected bytes or such as \"64GiB\""
            ))
        }),
    }
}

/// `64GiB`, `1.5TB`, `512 MiB`.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), text[split..].trim());
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    let (whole, tenths) = number.split_once('.').unwrap_or((number, ""));
    let digits = |part: &str| part.len() <= 12 && part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty()
        || !digits(whole)
        || !digits(tenths)
        || (number.contains('.') && tenths.is_empty())
    {
        return None;
    }
    let scale = 10_u128.pow(tenths.len() as u32);
    let value: u128 = format!("{whole}{tenths}").parse().ok()?;
    u64::try_from(value * u128::from(factor) / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("64GiB"), Some(64 << 30));
        assert_eq!(size("1.5 TB"), Some(1_500_000_000_000));
        for wrong in ["", "GiB", "-1GB", "1.GB", "1e9", "5 bananas", "99999999999999TB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let text = "schema = \"freehold-policy/1\"\n\n[licence]\ndeny_clases = [\"unknown\"]\n";
        let Err(Error::Policy { line, column, why }) = Policy::parse(text) else {
            panic!("refused")
        };
        assert_eq!((line, column), (4, 1), "{why}");
        assert!(why.contains("deny_clases"), "{why}");
    }

    #[test]
    fn the_example_reads_and_has_no_faults() {
        let policy = Policy::parse(Policy::EXAMPLE).unwrap();
        let today = Date::new(2026, 11, 21).unwrap();
        assert_eq!(policy.faults(Licences::shipped(), today), Vec::<String>::new());
        assert_eq!(policy.waiver.len(), 1);
        assert_eq!(policy.memory.memory_max, Some(64 << 30));
    }

    #[test]
    fn slips_of_the_pen_are_told() {
        let text = "schema = \"freehold-policy/1\"\n[licence]\ndeny = [\"gema-tou\"]\n[templates]\nallow = [\"abc\"]\n[sources]\nallow = [\"Qwen/*\"]\n[[waiver]]\nid = \"w\"\nby = \"Ada\"\nreason = \"r\"\nrule = \"licence.denny\"\nlicence = \"mit\"\nfrom = \"2026-01-01\"\nuntil = \"2026-02-01\"\n";
        let faults = Policy::parse(text)
            .unwrap()
            .faults(Licences::shipped(), Date::new(2026, 11, 21).unwrap());
        assert_eq!(faults.len(), 5, "{faults:#?}");
    }

    #[test]
    fn a_waiver_needs_a_scope_and_an_end() {
        let head = "schema = \"freehold-policy/1\"\n[[waiver]]\nid = \"w1\"\nby = \"Ada\"\nreason = \"r\"\nrule = \"licence.deny\"\n";
        let days = "from = \"2026-01-01\"\nuntil = \"2026-02-01\"\n";
        assert!(Policy::parse(&format!("{head}{days}")).is_err(), "no scope");
        assert!(Policy::parse(&format!("{head}model = \"a/*\"\n{days}")).is_err(), "a pattern");
        assert!(
            Policy::parse(&format!("{head}model = \"a/b\"\nfrom = \"2026-01-01\"\n")).is_err(),
            "no end"
        );
        assert!(Policy::parse(&format!("{head}model = \"a/b\"\n{days}")).is_ok());
        let error = Policy::parse(&format!("{head}{days}")).unwrap_err().to_string();
        assert!(error.starts_with("policy file, line 3"), "{error}");
    }
}
