//! The questions people ask of a model's terms, answered in plain words with clause and source.

mod size;

use serde::Serialize;

use crate::licence::Terms;
use crate::plain::{list, sentence, shown};
use crate::{Effective, Known, Licences, Organisation, Ruling, Said, Train};

/// What people ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// May we sell what we build?
    Sell,
    /// Up to what size?
    Size,
    /// May we train other models on its output?
    Train,
    /// May we change it and pass it on?
    Share,
    /// What must we display?
    Show,
    /// What must we name it?
    Name,
    /// Whom does it exclude, and which uses?
    Exclude,
    /// What does serving it oblige us to?
    Serve,
}

impl Question {
    /// All, in the order they are asked.
    pub const ALL: [Self; 8] = [
        Self::Sell,
        Self::Size,
        Self::Train,
        Self::Share,
        Self::Show,
        Self::Name,
        Self::Exclude,
        Self::Serve,
    ];

    /// The question, as people ask it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Sell => "May we sell what we build?",
            Self::Size => "Up to what size?",
            Self::Train => "May we train other models on its output?",
            Self::Share => "May we change it and pass it on?",
            Self::Show => "What must we show?",
            Self::Name => "How must we name what we make?",
            Self::Exclude => "Whom and what does it exclude?",
            Self::Serve => "What does serving it oblige us to?",
        }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The question.
    pub question: Question,
    /// In one word: yes (or nothing to do), conditional, unknown, no.
    pub ruling: Ruling,
    /// Sentences in plain words, the short answer first.
    pub says: Vec<String>,
    /// What it means for the organisation asked about, where its facts are known.
    pub for_you: Vec<String>,
    /// Where it is written.
    pub quotes: Vec<Quote>,
}

/// Where something is written, and how well we know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Quote {
    /// The licence's id.
    pub licence: String,
    /// The licence's name.
    pub name: String,
    /// The clause, where known.
    pub clause: Option<String>,
    /// What was read.
    pub source: String,
    /// The models that carry it, nearest first.
    pub models: Vec<String>,
    /// How well it is known: `its text was read`, or what was read instead.
    pub known_by: &'static str,
}

impl Quote {
    /// Where a licence says something: a clause of it, and what was read for a field of its data file.
    pub(crate) fn of(
        effective: &Effective,
        licences: &Licences,
        id: &str,
        field: &str,
        clause: Option<&String>,
    ) -> Self {
        let licence = licences.get(id);
        let carries = effective.parts.iter().filter(|part| part.resolution.licence == id);
        Self {
            source: licence.source_of(field),
            known_by: licence.read.means(),
            name: licence.name,
            licence: licence.id,
            clause: clause.cloned(),
            models: carries.map(|part| part.model.clone()).collect(),
        }
    }

    /// On one line: `Llama 3.1 Community License, section 2 (meta-llama/llama-models …)`.
    pub fn line(&self) -> String {
        let clause = self.clause.as_ref().map_or(String::new(), |clause| format!(", {clause}"));
        format!("{}{clause} ({})", self.name, self.source)
    }
}

/// All questions answered for what binds the user of a model; `who` makes answers personal.
pub fn answers(effective: &Effective, licences: &Licences, who: &Organisation) -> Vec<Answer> {
    let asked = Asked { effective, licences, who, terms: &effective.terms };
    Question::ALL.into_iter().map(|question| asked.answer(question)).collect()
}

struct Asked<'a> {
    effective: &'a Effective,
    licences: &'a Licences,
    who: &'a Organisation,
    terms: &'a Terms,
}

/// An answer being written.
#[derive(Default)]
struct Draft {
    says: Vec<String>,
    for_you: Vec<String>,
    quotes: Vec<Quote>,
}

impl Draft {
    fn say(&mut self, text: impl AsRef<str>) {
        let text = sentence(text.as_ref());
        if !self.says.contains(&text) {
            self.says.push(text);
        }
    }

    fn you(&mut self, text: impl AsRef<str>) {
        let text = sentence(text.as_ref());
        if !self.for_you.contains(&text) {
            self.for_you.push(text);
        }
    }

    fn done(mut self, question: Question, ruling: Ruling) -> Answer {
        self.quotes.sort();
        self.quotes.dedup();
        Answer { question, ruling, says: self.says, for_you: self.for_you, quotes: self.quotes }
    }
}

impl Asked<'_> {
    fn answer(&self, question: Question) -> Answer {
        let mut draft = Draft::default();
        let ruling = match question {
            Question::Sell => self.sell(&mut draft),
            Question::Size => self.size(&mut draft),
            Question::Train => self.train(&mut draft),
            Question::Share => self.share(&mut draft),
            Question::Show => self.show(&mut draft),
            Question::Name => self.name(&mut draft),
            Question::Exclude => self.exclude(&mut draft),
            Question::Serve => self.serve(&mut draft),
        };
        draft.done(question, ruling)
    }

    fn quote(&self, id: &str, field: &str, clause: Option<&String>) -> Quote {
        Quote::of(self.effective, self.licences, id, field, clause)
    }

    /// Quotes every licence whose answer to something is the one that decided.
    fn quote_all(
        &self,
        draft: &mut Draft,
        field: &str,
        of: impl Fn(&crate::Licence) -> Option<Option<String>>,
    ) {
        for id in &self.terms.licences {
            if let Some(clause) = of(&self.licences.get(id)) {
                draft.quotes.push(self.quote(id, field, clause.as_ref()));
            }
        }
    }

    /// `Llama 3.1 Community License (of meta-llama/Llama-3.1-8B)`.
    fn named(&self, id: &str) -> String {
        let name = self.licences.get(id).name;
        let carries = self.effective.parts.iter().filter(|part| part.resolution.licence == id);
        let others: Vec<String> =
            carries.filter(|part| part.depth > 0).map(|part| part.model.clone()).take(3).collect();
        let own = self.effective.own().is_some_and(|own| own.resolution.licence == id);
        if own || others.is_empty() { name } else { format!("{name} (of {})", list(&others)) }
    }

    /// The licence's name before what it says, where several bind.
    fn lead(&self, id: &str) -> String {
        if self.terms.licences.len() == 1 { String::new() } else { format!("{}: ", self.named(id)) }
    }

    fn sell(&self, draft: &mut Draft) -> Ruling {
        let ruling = self.terms.commercial;
        draft.say(match ruling {
            Ruling::Yes => "yes",
            Ruling::Conditional => "yes, on conditions",
            Ruling::Unknown => "nobody here knows: no permission was found, so none can be assumed",
            Ruling::No => "no",
        });
        for id in &self.terms.licences {
            let licence = self.licences.get(id);
            if licence.commercial.value == ruling || licence.commercial.value == Ruling::No {
                if let Some(note) = &licence.commercial.note {
                    draft.say(format!("{}{note}", self.lead(id)));
                } else if licence.commercial.value != Ruling::Yes {
                    draft.say(format!("{}{}", self.lead(id), licence.class.means()));
                }
            }
        }
        self.quote_all(draft, "commercial_use", |licence| {
            (licence.commercial.value == ruling).then(|| licence.commercial.clause.clone())
        });
        if let Some(purpose) = self.who.purpose {
            use crate::Use::{Commercial, Personal, Research};
            match (ruling, purpose) {
                (Ruling::No, Commercial) => draft.you("your use is commercial, so you may not"),
                (Ruling::No, Research) => draft.you("your use is research, which it allows"),
                (Ruling::No, Personal) => {
                    draft.you("your use is personal; read whether it is allowed");
                }
                _ => {}
            }
        }
        ruling
    }

    fn train(&self, draft: &mut Draft) -> Ruling {
        let train = self.terms.train;
        let (ruling, short) = match train {
            Train::Yes => (Ruling::Yes, "yes"),
            Train::Conditional => (Ruling::Conditional, "yes, with a duty"),
            Train::Derivative => (
                Ruling::Conditional,
                "yes, but what you train counts as made from it and inherits its terms",
            ),
            Train::Unknown => (Ruling::Unknown, "nobody here knows"),
            Train::No => (Ruling::No, "no"),
        };
        draft.say(short);
        for id in &self.terms.licences {
            let licence = self.licences.get(id);
            let speaks =
                licence.outputs.train == train || licence.outputs.train >= Train::Conditional;
            if let Some(note) = licence.outputs.note.as_ref().filter(|_| speaks) {
                draft.say(format!("{}{note}", self.lead(id)));
            }
        }
        for naming in &self.terms.namings {
            if train != Train::No && naming.what.trigger.contains("output") {
                draft.say(format!("a model you distribute is named \"{}…\"", naming.what.prefix));
            }
        }
        match self.terms.outputs_claimed {
            Known::Yes => draft.say("the outputs themselves belong to the licensor"),
            Known::No => {}
            Known::Unknown => {
                draft.say("whether anyone claims the outputs themselves is not known");
            }
        }
        self.quote_all(draft, "outputs", |licence| {
            (licence.outputs.train == train).then(|| licence.outputs.clause.clone())
        });
        ruling
    }

    fn share(&self, draft: &mut Draft) -> Ruling {
        let ruling = self.terms.redistribution.max(self.terms.derivatives);
        draft.say(match ruling {
            Ruling::Yes if self.terms.sharing_duties.is_empty() => "yes",
            Ruling::Yes => "yes, with duties",
            Ruling::Conditional => "yes, on conditions",
            Ruling::Unknown => "nobody here knows",
            Ruling::No => "no: no permission to pass it on was found",
        });
        for duty in self.terms.sharing_duties.iter().chain(&self.terms.change_duties) {
            draft.say(format!("{}{}", self.lead(&duty.licence), duty.what.says));
            draft.quotes.push(self.quote(
                &duty.licence,
                "redistribution",
                duty.what.clause.as_ref(),
            ));
        }
        self.notices(draft);
        for said in &self.terms.guardrails {
            draft.say(format!("{}{}", self.lead(&said.licence), said.what.says));
            draft.quotes.push(self.quote(
                &said.licence,
                "guardrail_clause",
                said.what.clause.as_ref(),
            ));
        }
        self.quote_all(draft, "redistribution", |licence| {
            (licence.redistribution.value == ruling || licence.derivatives.value == ruling)
                .then(|| licence.redistribution.clause.clone())
        });
        ruling
    }

    fn notices(&self, draft: &mut Draft) {
        for said in &self.terms.notices {
            draft.say(format!(
                "copies carry a file \"{}\" that says: \"{}\"",
                said.what.file, said.what.text
            ));
            draft.quotes.push(self.quote(&said.licence, "notice", said.what.clause.as_ref()));
        }
    }

    fn show(&self, draft: &mut Draft) -> Ruling {
        if self.terms.displays.is_empty() {
            return self.nothing_or_unknown(draft, "nothing");
        }
        for said in &self.terms.displays {
            let texts: Vec<String> =
                said.what.any_of.iter().map(|text| format!("\"{text}\"")).collect();
            let (texts, place) = (texts.join(" or "), &said.what.place);
            let lead = self.lead(&said.licence);
            draft.say(format!("{lead}{texts} on {place}, when {}", said.what.trigger));
            draft.quotes.push(self.quote(&said.licence, "display", said.what.clause.as_ref()));
        }
        Ruling::Conditional
    }

    fn name(&self, draft: &mut Draft) -> Ruling {
        if self.terms.namings.is_empty() {
            return self.nothing_or_unknown(draft, "as you like; trademarks are not licensed");
        }
        for said in &self.terms.namings {
            let Said { licence, what } = said;
            draft.say(format!(
                "{}the name begins with \"{}\"; for: {}",
                self.lead(licence),
                what.prefix,
                what.trigger
            ));
            draft.quotes.push(self.quote(licence, "naming", what.clause.as_ref()));
        }
        Ruling::Conditional
    }

    /// Nothing to do, unless a licence's terms were never read.
    fn nothing_or_unknown(&self, draft: &mut Draft, nothing: &str) -> Ruling {
        let unread = |id: &&String| {
            self.licences.get(id).read >= crate::Read::Quoted
                || self.terms.class == crate::Class::Unknown
        };
        let unread: Vec<String> =
            self.terms.licences.iter().filter(unread).map(|id| self.named(id)).collect();
        if unread.is_empty() {
            draft.say(nothing);
            return Ruling::Yes;
        }
        if self.terms.licences.contains(Licences::UNKNOWN) {
            draft.say("no permission was found, so nothing can be said");
        } else {
            let whose = list(&unread);
            draft.say(format!("nothing is known, but the whole text was not read of {whose}"));
        }
        Ruling::Unknown
    }

    fn exclude(&self, draft: &mut Draft) -> Ruling {
        let mut ruling = Ruling::Yes;
        for Said { licence, what } in &self.terms.exclusions {
            ruling = Ruling::Conditional;
            let except =
                what.exception.as_ref().map_or(String::new(), |text| format!("; not {text}"));
            let (lead, regions) = (self.lead(licence), list(&what.regions));
            draft.say(format!("{lead}{regions}: {}; for {}{except}", what.who, what.scope));
            draft.say(format!("this is written {}", what.place));
            draft.quotes.push(self.quote(licence, "geo_exclusions", Some(&what.place)));
        }
        for Said { licence, what } in &self.terms.use_policies {
            ruling = ruling.max(Ruling::Conditional);
            let place = what.place.as_ref().map_or(String::new(), |place| format!(" ({place})"));
            draft.say(format!("{}uses that its policy bars{place}", self.lead(licence)));
            if what.bars_military == Known::Yes {
                draft.say(format!("{}military use", self.lead(licence)));
                if self.who.military == Known::Yes {
                    draft.you("your use is military, which is barred");
                }
            }
            draft.quotes.push(self.quote(licence, "aup", what.clause.as_ref()));
        }
        for Said { what, .. } in &self.terms.exclusions {
            match self.who.excluded(what, None) {
                Some(true) => draft.you(format!("you are in {}, which is excluded", self.region())),
                Some(false) => {
                    draft.you(format!("you are in {}, which is not excluded", self.region()));
                }
                None if self.who.region.is_some() => draft.you(format!(
                    "you are in {}, where this depends on whether the model takes more than text",
                    self.region()
                )),
                None => {}
            }
        }
        if self.terms.commercial == Ruling::No {
            draft.say("all commercial use");
            return Ruling::Conditional;
        }
        if draft.says.is_empty() { self.nothing_or_unknown(draft, "nobody") } else { ruling }
    }

    fn region(&self) -> String {
        shown(self.who.region.as_deref().unwrap_or_default())
    }

    fn serve(&self, draft: &mut Draft) -> Ruling {
        let mut ruling = match self.terms.hosting_is_distribution {
            Known::Yes => {
                draft.say("offering it over a network counts as passing it on");
                for id in &self.terms.licences {
                    let licence = self.licences.get(id);
                    if licence.hosting.is_distribution == Known::Yes {
                        draft.quotes.push(self.quote(
                            id,
                            "hosted_service_is_distribution",
                            licence.hosting.clause.as_ref(),
                        ));
                        for duty in licence
                            .redistribution
                            .conditions
                            .iter()
                            .filter(|d| !d.contains("not for hosted"))
                        {
                            draft.say(format!("{}{duty}", self.lead(id)));
                        }
                    }
                }
                Ruling::Conditional
            }
            Known::No => Ruling::Yes,
            Known::Unknown => {
                draft
                    .say("whether offering it over a network counts as passing it on is not known");
                Ruling::Unknown
            }
        };
        for said in self.terms.displays.iter().filter(|said| said.what.on_serving == Known::Yes) {
            let texts: Vec<String> =
                said.what.any_of.iter().map(|text| format!("\"{text}\"")).collect();
            let when = if said.what.only_above_threshold { ", above the sizes named" } else { "" };
            draft.say(format!("show {} on {}{when}", texts.join(" or "), said.what.place));
            draft.quotes.push(self.quote(&said.licence, "display", said.what.clause.as_ref()));
            ruling = ruling.max(Ruling::Conditional);
        }
        for said in &self.terms.use_policies {
            if said.what.flows_down == Known::Yes {
                draft.say(format!("{}bind your users to its use policy", self.lead(&said.licence)));
            } else {
                draft.say(format!("{}keep to its use policy", self.lead(&said.licence)));
            }
            draft.quotes.push(self.quote(&said.licence, "aup", said.what.clause.as_ref()));
            ruling = ruling.max(Ruling::Conditional);
        }
        if self.terms.commercial == Ruling::No {
            draft.say("it may not be served to earn money");
            ruling = Ruling::No;
        }
        if draft.says.is_empty() { self.nothing_or_unknown(draft, "nothing") } else { ruling }
    }
}
