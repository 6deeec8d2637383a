//! What may be used and how: licences, openness, gates, obligations. Pure functions over facts.
//!
//! Nothing here reads a file, a clock, a network or the environment: facts come in, answers go out,
//! and every answer names its evidence. The texts for people are made here, printed elsewhere.
//!
//! - [`Facts`]: what is known of one model: its card, its files, the texts of its licence files, what
//!   a GGUF header says. [`Shelf`] holds the facts of its ancestors, as far as they are at hand.
//! - [`Licences`]: 51 licences as data (`licences/<id>.toml`), each term with its clause and source.
//! - [`resolve`]: which licence a repository carries: by the text's hash, then its marks, then what
//!   is declared, with evidence; a name that disagrees with the text is a [`Finding`].
//! - [`effective`]: what binds the user: the meet over the model's own licence and all its ancestors.
//! - [`answers`]: plain words: may we sell, at what size, train others, what to show, whom it excludes.
//! - [`openness`]: Model Openness Framework class and the Open Source AI Definition, an upper bound
//!   computed from what is really there.
//! - [`Policy`] and [`decide`]: an organisation's rules, and allow, warn, ask or deny with reasons.
//! - [`audit`]: a hash-chained log, its lines and their verification.
//! - [`Catalogue`]: open-weight families to choose from offline.
//!
//! None of this is legal advice: it is what the licences' texts say, as read, with what is unknown
//! called unknown.

mod answer;
pub mod audit;
mod catalogue;
mod date;
mod effective;
mod error;
mod facts;
mod gate;
mod licence;
pub mod openness;
mod plain;
mod resolve;

pub use answer::{Answer, Question, Quote, answers};
pub use catalogue::{Catalogue, Model, ModelFile, Query, Task};
pub use date::Date;
pub use effective::{Effective, Part, effective};
pub use error::Error;
pub use facts::{Card, Facts, FileFact, Gated, GgufFacts, LicenceText, Shelf};
pub use gate::{
    Ask, AuditRules, Budget, Decision, Defaults, ExportFacts, Format, Formats, Gate, LicenceRules,
    MemoryRules, Obligation, ObligationKind, OpennessRules, Organisation, Policy, PolicyState,
    Reason, RemoteCode, Schema, Sources, TemplateFact, Templates, TuneFacts, TuneIntent, Use,
    Verdict, Waiver, decide,
};
pub use licence::{
    Class, Clause, Display, Exclusion, Hosting, Known, KnownText, Licence, Licences, Metric, Names,
    Naming, Notice, Outputs, Patent, Permission, Read, Ruling, Said, Source, Terms, TextMarks,
    Threshold, Train, UsePolicy,
};
pub use openness::Openness;
pub use plain::shown;
pub use resolve::{Basis, Evidence, Finding, FindingKind, Resolution, resolve};
