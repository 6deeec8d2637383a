//! The list of prices a million tokens have elsewhere: a TOML file under `FREEHOLD_HOME` that its owner
//! edits, and until then the one built in, which says when and from where each price was taken.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use machine::economy::Rented;
use serde::{Deserialize, Serialize};

use crate::{error::refused, program::App};

/// The list built in.
const BUILT_IN: &str = include_str!("prices.toml");
/// The only schema there is.
const SCHEMA: &str = "freehold-prices/1";
/// Longer lists are a mistake.
const BYTES_MAX: u64 = 1 << 20;
/// Prices dearer than this for a million tokens are a mistake.
const PRICE_MAX: f64 = 1e6;

/// A list of prices.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    schema: String,
    /// In which every price is, also those of hardware and power.
    pub(super) currency: String,
    /// When the list was put together.
    pub(super) as_of: String,
    #[serde(rename = "price")]
    pub(super) list: Vec<Price>,
}

/// What one provider asks for one model.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    pub(super) name: String,
    /// A million tokens of prompts.
    pub(super) input: f64,
    /// A million tokens of answers.
    pub(super) output: f64,
    pub(super) as_of: String,
    pub(super) source: String,
    #[serde(default)]
    pub(super) basis: String,
}

impl Price {
    pub(super) fn rented(&self) -> Rented {
        Rented { input: self.input, output: self.output }
    }
}

impl Prices {
    /// Those under `FREEHOLD_HOME`, else those built in.
    pub(super) fn of(app: &App) -> anyhow::Result<Self> {
        match path(app).ok().filter(|path| path.exists()) {
            Some(path) => {
                let size = fs::metadata(&path)?.len();
                if size > BYTES_MAX {
                    let what = format!("{} has {size} bytes", path.display());
                    return Err(refused(what, format!("expected at most {BYTES_MAX}")));
                }
                let text = fs::read_to_string(&path)?;
                Self::parse(&text).with_context(|| format!("{}", path.display()))
            }
            None => Self::parse(BUILT_IN),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let hint = "put the list right with: freehold cost --prices edit";
        let prices: Prices = toml::from_str(text)
            .map_err(|error| refused(format!("the price list cannot be read: {error}"), hint))?;
        let wrong = |what: String| Err(refused(format!("the price list: {what}"), hint));
        if prices.schema != SCHEMA {
            return wrong(format!("schema is {:?}, expected {SCHEMA:?}", prices.schema));
        }
        for (at, price) in prices.list.iter().enumerate() {
            let sound = |number: f64| (0.0..=PRICE_MAX).contains(&number);
            if !sound(price.input) || !sound(price.output) {
                return wrong(format!(
                    "{} costs {} and {}, expected 0 to {PRICE_MAX}",
                    price.name, price.input, price.output
                ));
            }
            if prices.list[..at].iter().any(|other| other.name == price.name) {
                return wrong(format!("{} is there twice", price.name));
            }
        }
        Ok(prices)
    }

    /// Those of these names, or all.
    pub(super) fn named(&self, names: &[String]) -> anyhow::Result<Vec<Price>> {
        if names.is_empty() {
            return Ok(self.list.clone());
        }
        let one = |name: &String| {
            let found = self.list.iter().find(|price| price.name == *name).cloned();
            found.ok_or_else(|| {
                let known: Vec<&str> = self.list.iter().map(|price| price.name.as_str()).collect();
                crate::error::usage_hint(
                    format!("no price is known for {name:?}"),
                    format!("known are: {}", known.join(", ")),
                )
            })
        };
        names.iter().map(one).collect()
    }
}

/// Where the owner's list lies.
pub(super) fn path(app: &App) -> anyhow::Result<PathBuf> {
    Ok(app.settings.home()?.join("prices.toml"))
}

/// Puts the built-in list where its owner can edit it, unless there is one already.
pub(super) fn place(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, BUILT_IN).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_list_is_sound_and_every_price_has_a_date_and_a_source() {
        let prices = Prices::parse(BUILT_IN).unwrap();
        assert!(prices.list.len() >= 6);
        for price in &prices.list {
            assert!(price.as_of.starts_with("202") && price.source.starts_with("https://"));
            assert!(!price.basis.is_empty(), "{}", price.name);
        }
    }

    #[test]
    fn what_is_wrong_in_a_list_is_named() {
        for (from, to, words) in [
            ("0.10", "-1.0", "expected 0 to"),
            ("0.10", "nan", "expected 0 to"),
            ("prices/1", "prices/2", "schema"),
            ("openai/gpt-5-nano", "openai/gpt-5-mini", "twice"),
            ("currency", "money", "money"),
        ] {
            let text = BUILT_IN.replacen(from, to, 1);
            let error = Prices::parse(&text).unwrap_err();
            assert_eq!(crate::error::code(&error), crate::error::REFUSED);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
