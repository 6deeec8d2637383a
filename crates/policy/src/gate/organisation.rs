//! Who asks: the facts of an organisation that licences make a difference by.

use serde::{Deserialize, Serialize};

use crate::{Exclusion, Known, Metric, Threshold};

/// Facts of an organisation. What is not stated is not known, and asked for where it matters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Organisation {
    /// Its name.
    pub name: Option<String>,
    /// Where it is domiciled: a region or country code that licences speak of (`EU`, `UK`, `KR`, `US`),
    /// or a member state (`DE`), which counts as `EU`.
    pub region: Option<String>,
    /// What it uses models for.
    #[serde(rename = "use")]
    pub purpose: Option<Use>,
    /// Revenue of a year in US dollars, affiliates included.
    pub annual_revenue_usd: Option<u64>,
    /// Revenue of a month in US dollars.
    pub monthly_revenue_usd: Option<u64>,
    /// People who use its products and services in a month.
    pub monthly_active_users: Option<u64>,
    /// Tokens it generates in a month.
    pub monthly_output_tokens: Option<u64>,
    /// Whether it offers models themselves as a service to others.
    pub model_service: Known,
    /// Whether any of its use is military.
    pub military: Known,
}

/// What models are used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// To earn money, directly or not.
    Commercial,
    /// Research that earns nothing.
    Research,
    /// By a person, for themselves.
    Personal,
}

/// How an organisation stands to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does not concern it.
    Free,
    /// It is below it: by its number.
    Below(u64),
    /// It is above it: by its number.
    Above(u64),
    /// Nobody said.
    NotKnown,
}

impl Organisation {
    /// Its number for a metric.
    pub(crate) fn number(&self, metric: Metric) -> Option<u64> {
        match metric {
            Metric::MonthlyActiveUsers => self.monthly_active_users,
            Metric::AnnualRevenueUsd | Metric::RevenueUsd => self.annual_revenue_usd,
            Metric::MonthlyRevenueUsd => self.monthly_revenue_usd,
            Metric::MonthlyOutputTokens => self.monthly_output_tokens,
        }
    }

    /// How it stands to a threshold.
    pub(crate) fn standing(&self, threshold: &Threshold) -> Standing {
        if threshold.only_model_service && self.model_service == Known::No {
            return Standing::Free;
        }
        match self.number(threshold.metric) {
            Some(number) if number > threshold.above => Standing::Above(number),
            Some(number) => Standing::Below(number),
            None => match (threshold.metric, self.annual_revenue_usd) {
                // No month earns more than its year.
                (Metric::MonthlyRevenueUsd, Some(year)) if year <= threshold.above => {
                    Standing::Below(year)
                }
                _ => Standing::NotKnown,
            },
        }
    }

    /// Whether an exclusion meets it. `None` where its region, or what the model takes in, is not known.
    pub(crate) fn excluded(&self, exclusion: &Exclusion, multimodal: Option<bool>) -> Option<bool> {
        if exclusion.only_multimodal && multimodal == Some(false) {
            return Some(false);
        }
        let region = self.region.as_deref()?.trim().to_ascii_uppercase();
        let inside = exclusion.regions.iter().any(|excluded| {
            let excluded = excluded.to_ascii_uppercase();
            excluded == region
                || (excluded == "EU" && EU.contains(&region.as_str()))
                || (excluded == "UK" && region == "GB")
        });
        if !inside {
            return Some(false);
        }
        (!exclusion.only_multimodal || multimodal == Some(true)).then_some(true)
    }
}

/// Member states of the European Union, ISO 3166 codes.
const EU: [&str; 27] = [
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV",
    "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Licences;

    #[test]
    fn member_states_are_in_the_union() {
        let llama = Licences::shipped().get("llama-3.2-community");
        let of =
            |region: &str| Organisation { region: Some(region.into()), ..Organisation::default() };
        let exclusion = &llama.exclusions[0];
        assert_eq!(of("DE").excluded(exclusion, Some(true)), Some(true));
        assert_eq!(of("eu").excluded(exclusion, None), None, "nobody said what it takes in");
        assert_eq!(of("DE").excluded(exclusion, Some(false)), Some(false));
        assert_eq!(of("US").excluded(exclusion, Some(true)), Some(false));
        assert_eq!(Organisation::default().excluded(exclusion, Some(true)), None);
    }
}
