//! Up to what size: users, revenue, tokens.

use super::{Asked, Draft};
use crate::gate::Standing;
use crate::{Known, Ruling};

impl Asked<'_> {
    pub(super) fn size(&self, draft: &mut Draft) -> Ruling {
        if self.terms.thresholds.is_empty() || self.terms.commercial == Ruling::No {
            return match self.terms.commercial {
                Ruling::No => {
                    draft.say("none: commercial use is not allowed at any size");
                    Ruling::No
                }
                Ruling::Unknown => {
                    draft.say("nobody here knows");
                    Ruling::Unknown
                }
                _ => self.nothing_or_unknown(draft, "any size"),
            };
        }
        for said in &self.terms.thresholds {
            let limit = &said.what;
            let mut text = format!(
                "{}up to {}; above: {}",
                self.lead(&said.licence),
                limit.metric.count(limit.above),
                limit.effect
            );
            for (word, more) in
                [("counted", &limit.when), ("for", &limit.scope), ("but", &limit.exception)]
            {
                if let Some(more) = more {
                    text.extend(["; ", word, " ", more.as_str()]);
                }
            }
            draft.say(text);
            draft.quotes.push(self.quote(&said.licence, "thresholds", limit.clause.as_ref()));
            let what = limit.metric.count(limit.above);
            match self.who.standing(limit) {
                Standing::Below(number) => {
                    draft.you(format!("you are below {what}, at {}", limit.metric.count(number)));
                }
                Standing::Above(number) if limit.stops == Known::No => {
                    draft.you(format!(
                        "you are above {what}, at {}: a duty arises",
                        limit.metric.count(number)
                    ));
                }
                Standing::Above(number) => {
                    draft.you(format!(
                        "you are above {what}, at {}: you need another licence",
                        limit.metric.count(number)
                    ));
                }
                Standing::Free => {
                    draft.you("this limit is for those who offer models as a service; you do not");
                }
                Standing::NotKnown => {}
            }
        }
        if self.terms.thresholds.iter().any(|said| said.what.stops != Known::No) {
            Ruling::Conditional
        } else {
            Ruling::Yes
        }
    }
}
