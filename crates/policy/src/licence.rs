//! A licence as knowledge: what it lets one do, on what condition, where it says so, how well we know.
//!
//! One file a licence, `licences/<id>.toml`. What nobody has read is `unknown`: an ordinary value that
//! rules can speak about, never a silent yes or no.

mod open;
mod table;
mod terms;
mod text;

pub(crate) use open::is_open_spdx;
pub use table::Licences;
pub(crate) use table::hint;
pub use terms::{Said, Terms};
pub(crate) use text::{Match, hex, normal, recognise, sha256};

use serde::{Deserialize, Serialize};

/// One licence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licence {
    /// Its identifier here: the data file's name.
    pub id: String,
    /// Its full name.
    pub name: String,
    /// The kind of licence.
    pub class: Class,
    /// How its terms were learned.
    pub read: Read,
    /// Its SPDX identifier.
    pub spdx: Option<String>,
    /// Its identifier in the ScanCode licence database.
    pub scancode: Option<String>,
    /// The date or version of the text that was read.
    pub date: Option<String>,
    /// Whether the Open Source Initiative approved it.
    pub osi_approved: Known,
    /// What else one should know.
    pub note: Option<String>,
    /// Model families that carry it.
    #[serde(default)]
    pub families: Vec<String>,
    /// Names of repositories known to carry it, with `*` for any ending; used only for an ancestor
    /// whose own card is not at hand.
    #[serde(default)]
    pub repositories: Vec<String>,
    /// What of this file is memory, not reading.
    #[serde(default)]
    pub from_memory: Vec<String>,
    /// What it is called in cards.
    #[serde(default)]
    pub names: Names,
    /// How its text is recognised.
    #[serde(default)]
    pub text: TextMarks,
    /// May it be used to earn money?
    pub commercial: Permission,
    /// Sizes at which something changes.
    #[serde(default)]
    pub thresholds: Vec<Threshold>,
    /// May it be passed on?
    pub redistribution: Permission,
    /// May it be changed, and the result passed on?
    pub derivatives: Permission,
    /// Does offering it over a network count as passing it on?
    pub hosting: Hosting,
    /// What it says of the model's outputs.
    pub outputs: Outputs,
    /// A text that has to accompany copies.
    pub notice: Option<Notice>,
    /// A text that has to be shown to people.
    pub display: Option<Display>,
    /// How derived models have to be named.
    pub naming: Option<Naming>,
    /// An acceptable use policy.
    pub use_policy: Option<UsePolicy>,
    /// Who may not use it.
    #[serde(default)]
    pub exclusions: Vec<Exclusion>,
    /// Patents.
    pub patent: Patent,
    /// What it says of weakening a model's safeguards.
    pub guardrail: Option<Clause>,
    /// When it ends.
    pub termination: Option<Clause>,
    /// The law it chose.
    pub governing_law: Option<String>,
    /// Whether its giver can change it for those who already have it.
    pub unilateral_change: Known,
    /// Where each field comes from; `*` is every field not named.
    #[serde(default)]
    pub sources: Vec<Source>,
}

/// A kind of licence, from the most to the least permissive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Approved by the Open Source Initiative.
    OpenSource,
    /// An open licence meant for data and documents.
    OpenData,
    /// Only duties to keep or show a notice.
    OpenWeightPermissive,
    /// Share-alike: what is made from it carries the same licence.
    CopyleftData,
    /// Commercial use on conditions: size, field, territory, names.
    OpenWeightConditional,
    /// Use restrictions that have to be passed on.
    ResponsibleAi,
    /// Research or personal use only.
    NonCommercial,
    /// No grant was found.
    Unknown,
}

impl Class {
    /// All, from the most to the least permissive.
    pub const ALL: [Self; 8] = [
        Self::OpenSource,
        Self::OpenData,
        Self::OpenWeightPermissive,
        Self::CopyleftData,
        Self::OpenWeightConditional,
        Self::ResponsibleAi,
        Self::NonCommercial,
        Self::Unknown,
    ];

    /// Its name in files, such as `open-weight-conditional`.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenSource => "open-source",
            Self::OpenData => "open-data",
            Self::OpenWeightPermissive => "open-weight-permissive",
            Self::CopyleftData => "copyleft-data",
            Self::OpenWeightConditional => "open-weight-conditional",
            Self::ResponsibleAi => "responsible-ai",
            Self::NonCommercial => "non-commercial",
            Self::Unknown => "unknown",
        }
    }

    /// What it means, in plain words.
    pub fn means(self) -> &'static str {
        match self {
            Self::OpenSource => {
                "an open source licence: use, change, sell and share, keep the notices"
            }
            Self::OpenData => "an open licence meant for data and documents",
            Self::OpenWeightPermissive => "nearly free: only notices to keep or show",
            Self::CopyleftData => "share-alike: what is made from it carries the same licence",
            Self::OpenWeightConditional => {
                "usable in business on conditions: size, field of use, territory or names"
            }
            Self::ResponsibleAi => "usable, with restrictions on use that have to be passed on",
            Self::NonCommercial => "for research or personal use only",
            Self::Unknown => "no permission was found, so none can be assumed",
        }
    }
}

/// How a licence's terms were learned, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Read {
    /// The text was read.
    Text,
    /// Quotations from the text were read.
    Quoted,
    /// Others who read it were read.
    Secondary,
    /// From memory, to be checked.
    Memory,
}

impl Read {
    /// In plain words.
    pub fn means(self) -> &'static str {
        match self {
            Self::Text => "its text was read",
            Self::Quoted => "only quotations from its text were read",
            Self::Secondary => "its text was not read; this is what others report of it",
            Self::Memory => "its text was not read; this is from memory and should be checked",
        }
    }
}

/// Yes, no, or nobody knows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Known {
    /// It is so.
    Yes,
    /// Nobody looked, or the text could not be read.
    #[default]
    Unknown,
    /// It is not so.
    No,
}

/// What one may do, from the most to the least permissive.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Ruling {
    /// Yes.
    Yes,
    /// Yes, on a condition that is stated.
    Conditional,
    /// Nobody knows.
    #[default]
    Unknown,
    /// No.
    No,
}

/// Whether outputs may train other models, from the most to the least permissive.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Train {
    /// Yes.
    Yes,
    /// Yes, with a duty.
    Conditional,
    /// Yes, but what is trained counts as a derivative and inherits the licence.
    Derivative,
    /// Nobody knows.
    #[default]
    Unknown,
    /// No.
    No,
}

/// What a licence is called.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Names {
    /// Values of a card's `license`.
    pub license: Vec<String>,
    /// Values of a card's `license_name`.
    pub license_name: Vec<String>,
    /// Parts of a card's `license_link`.
    pub links: Vec<String>,
}

/// How a licence's text is recognised.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextMarks {
    /// Phrases that all stand in it, compared in normal form.
    pub markers: Vec<String>,
    /// Licences whose text this one contains: where both match, this one counts.
    pub beats: Vec<String>,
    /// Known texts.
    pub known: Vec<KnownText>,
}

/// A known text, by its hash. The text itself is not kept here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownText {
    /// SHA-256 of the normal form, in hex.
    pub sha256: String,
    /// Where the hashed part begins, in normal form; a title and copyright lines may stand before.
    pub begin: Option<String>,
    /// Where the hashed part ends, in normal form.
    pub end: Option<String>,
    /// What may follow the hashed part: texts that begin with one of these, in normal form.
    #[serde(default)]
    pub tails: Vec<String>,
    /// Which text this is.
    pub of: String,
}

/// Whether something is allowed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// The ruling.
    pub value: Ruling,
    /// In plain words, where there is more to say.
    pub note: Option<String>,
    /// What has to be done.
    #[serde(default)]
    pub conditions: Vec<String>,
    /// The clause that says so.
    pub clause: Option<String>,
}

/// A size at which something changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// What is counted.
    pub metric: Metric,
    /// Above this many, the effect comes.
    pub above: u64,
    /// When it is counted.
    pub when: Option<String>,
    /// Of whom, or for which use.
    pub scope: Option<String>,
    /// What happens above it.
    pub effect: String,
    /// Whether the effect takes away the right to use, or only adds a duty.
    pub stops: Known,
    /// Whether it concerns only those who offer the model itself as a service.
    #[serde(default)]
    pub only_model_service: bool,
    /// Whom it does not concern.
    pub exception: Option<String>,
    /// The clause.
    pub clause: Option<String>,
}

/// What a threshold counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// People who use the products in a month.
    MonthlyActiveUsers,
    /// Revenue in a year, US dollars.
    AnnualRevenueUsd,
    /// Revenue in a month, US dollars.
    MonthlyRevenueUsd,
    /// Revenue, US dollars, over a span that is not known.
    RevenueUsd,
    /// Tokens generated in a month.
    MonthlyOutputTokens,
}

impl Metric {
    /// A number of it, in plain words.
    pub fn count(self, number: u64) -> String {
        let number = crate::plain::count(number);
        match self {
            Self::MonthlyActiveUsers => format!("{number} monthly active users"),
            Self::AnnualRevenueUsd => format!("{number} US dollars of revenue a year"),
            Self::MonthlyRevenueUsd => format!("{number} US dollars of revenue a month"),
            Self::RevenueUsd => format!("{number} US dollars of revenue"),
            Self::MonthlyOutputTokens => format!("{number} generated tokens a month"),
        }
    }
}

/// Whether offering a model over a network counts as passing it on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hosting {
    /// Does it?
    pub is_distribution: Known,
    /// The clause that says so.
    pub clause: Option<String>,
}

/// What a licence says of a model's outputs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// Does the licensor claim to own them?
    pub claimed: Known,
    /// May they train other models?
    pub train: Train,
    /// In plain words.
    pub note: Option<String>,
    /// The clause.
    pub clause: Option<String>,
}

/// A text that has to accompany copies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The file it belongs in.
    pub file: String,
    /// The text.
    pub text: String,
    /// The clause.
    pub clause: Option<String>,
}

/// A text that has to be shown to people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Display {
    /// The texts, any one of which will do.
    pub any_of: Vec<String>,
    /// Where.
    pub place: String,
    /// When the duty arises.
    pub trigger: String,
    /// Whether it arises only above a threshold of the same licence.
    #[serde(default)]
    pub only_above_threshold: bool,
    /// Whether serving the model is enough to bring it about, or only what is said in `trigger`.
    pub on_serving: Known,
    /// The clause.
    pub clause: Option<String>,
}

/// How derived models have to be named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Naming {
    /// What the name begins with.
    pub prefix: String,
    /// When the duty arises.
    pub trigger: String,
    /// The clause.
    pub clause: Option<String>,
}

/// An acceptable use policy.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsePolicy {
    /// Where it stands.
    pub place: Option<String>,
    /// Whether it has to be passed on.
    pub flows_down: Known,
    /// Whether it can change.
    pub can_change: Known,
    /// Whether military use is barred.
    pub bars_military: Known,
    /// The clause.
    pub clause: Option<String>,
}

/// Who may not use it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// Regions, such as `EU`, `UK`, `KR`.
    pub regions: Vec<String>,
    /// What is excluded.
    pub scope: String,
    /// Whether it concerns only models that take more than text.
    #[serde(default)]
    pub only_multimodal: bool,
    /// Who.
    pub who: String,
    /// Whom it does not concern.
    pub exception: Option<String>,
    /// Where it is written.
    pub place: String,
}

/// Patents.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patent {
    /// Does it give a right to use the givers' patents?
    pub grant: Known,
    /// What suing does.
    pub retaliation: Option<String>,
    /// The clause.
    pub clause: Option<String>,
}

/// Something a licence says, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// What it says, in our words.
    pub says: String,
    /// The clause.
    pub clause: Option<String>,
}

/// Where a field of a data file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The field, or `*`.
    pub field: String,
    /// What was read.
    #[serde(rename = "ref")]
    pub reference: String,
}

impl Licence {
    /// What was read for a field: its own sources, else those of every field.
    pub fn source_of(&self, field: &str) -> String {
        let of = |wanted: &str| -> Vec<&str> {
            let named = self.sources.iter().filter(|source| source.field.starts_with(wanted));
            named.map(|source| source.reference.as_str()).collect()
        };
        let mut found = of(field);
        if found.is_empty() {
            found = of("*");
        }
        if found.is_empty() {
            found = self.sources.iter().map(|source| source.reference.as_str()).collect();
        }
        if found.is_empty() { self.read.means().to_owned() } else { found.join("; ") }
    }
}
