//! `freehold alias`: short names for models.

use clap::Args;
use hub::Aliases;
use serde_json::{Map, Value};

use super::Command;
use crate::{
    error::failed,
    named::{self, HOUSE},
    program::App,
    table::{Align, Table},
};

/// Arguments of `freehold alias`.
#[derive(Args)]
pub(crate) struct Alias {
    /// The short name [default: list all]
    #[arg(id = "alias")]
    name: Option<String>,
    /// What it stands for: org/model, org/model:quantization, org/model@revision
    model: Option<String>,
    /// Take the short name away
    #[arg(long, requires = "alias", conflicts_with = "model")]
    remove: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command for Alias {
    const NAME: &'static str = "alias";
    const ABOUT: &'static str = "Give a model a short name";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold alias small Qwen/Qwen3-0.6B-GGUF:Q8_0",
        "freehold alias",
        "freehold alias small --remove",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let hub = named::hub(app)?;
        let mut aliases = Aliases::load(&hub.settings().home)?;
        match (&self.name, &self.model) {
            (Some(alias), Some(_)) if alias == HOUSE => {
                return Err(failed("\"house\" is the built-in model", "take another name"));
            }
            (Some(alias), Some(model)) => aliases.set(alias, &hub.name(model)?)?,
            (Some(alias), None) if self.remove && !aliases.remove(alias)? => {
                return Err(failed(
                    format!("there is no alias {alias:?}"),
                    "freehold alias lists them",
                ));
            }
            _ => {}
        }
        let wanted = |name: &str| self.model.is_some() || self.remove || self.is_asked(name);
        let list: Vec<(&str, &str)> = aliases.iter().filter(|(name, _)| wanted(name)).collect();
        if self.json {
            let map: Map<String, Value> =
                list.iter().map(|(name, model)| ((*name).to_owned(), (*model).into())).collect();
            return app.output.json(&map);
        }
        if list.is_empty() {
            app.output.note("there are no aliases");
            return Ok(());
        }
        let mut table = Table::new([("alias", Align::Left), ("model", Align::Left)]);
        list.into_iter().for_each(|(name, model)| table.row([name, model]));
        app.output.line(table.render(app.output.styles()))
    }
}

impl Alias {
    fn is_asked(&self, name: &str) -> bool {
        self.name.as_deref().is_none_or(|alias| alias == name)
    }
}
