//! `freehold catalogue`: open-weight models to choose from, built in, with dates and sources.

use clap::Args;
use policy::{Catalogue as Shipped, Class, Licences, Model, Query, Task};
use serde_json::json;

use super::Command;
use crate::{
    error::usage,
    program::App,
    room,
    table::{Align, Table, count},
};

/// Arguments of `freehold catalogue`.
#[derive(Args)]
pub(crate) struct Catalogue {
    /// Words all of which occur in name, family, publisher, task or note
    words: Vec<String>,
    /// What it is for: chat, reasoning, code, tools, vision, base, embedding, rerank, guard, translation, multilingual, open-science
    /// (a list: all of them)
    #[arg(long, value_name = "TASKS", value_delimiter = ',')]
    task: Vec<Task>,
    /// Only licences of these classes, such as open-source
    #[arg(long, value_name = "CLASSES", value_delimiter = ',')]
    class: Vec<String>,
    /// At most so many parameters, such as 8B
    #[arg(long, value_name = "N", value_parser = parameters)]
    max: Option<u64>,
    /// Only what fits this machine, in 4 bits if need be
    #[arg(long)]
    fits: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Command for Catalogue {
    const NAME: &'static str = "catalogue";
    const ABOUT: &'static str =
        "Choose among open-weight models without a network: task, size, licence";
    const DETAILS: &'static str = "The catalogue is built in; each entry has the day it was last looked at and its sources (--json). It helps to choose \
        and proves nothing: freehold show NAME looks at the model itself.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold catalogue --task chat --max 4B --fits",
        "freehold catalogue code --class open-source",
        "freehold catalogue qwen --json",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let class = |name: &String| {
            Class::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| {
                let names: Vec<&str> = Class::ALL.into_iter().map(Class::name).collect();
                usage(format!("--class is {name:?}, expected of {}", names.join(", ")))
            })
        };
        let query = Query {
            words: self.words.clone(),
            tasks: self.task.clone(),
            classes: self.class.iter().map(class).collect::<Result<_, _>>()?,
            parameters_max: self.max,
            ..Query::default()
        };
        let free = room::free();
        let mut models = Shipped::shipped().find(&query, Licences::shipped());
        models.retain(|model| !self.fits || room::fits(Some(model.parameters), free) != "no");
        shown(app, &models, self.json)
    }
}

/// What a search finds offline.
pub(super) fn find(app: &App, words: &[String], json: bool) -> anyhow::Result<()> {
    let query = Query { words: words.to_vec(), ..Query::default() };
    shown(app, &Shipped::shipped().find(&query, Licences::shipped()), json)
}

fn shown(app: &App, models: &[&Model], json: bool) -> anyhow::Result<()> {
    let free = room::free();
    if json {
        let rows = models.iter().map(|model| {
            let mut row = json!(model);
            row["fits"] = room::fits(Some(model.parameters), free).into();
            row["licence_class"] = Licences::shipped().get(&model.licence).class.name().into();
            row
        });
        return app.output.json(&rows.collect::<Vec<_>>());
    }
    if models.is_empty() {
        app.output.note("nothing in the catalogue fits; freehold search WORDS asks the hub");
        return Ok(());
    }
    let mut table = Table::new([
        ("model", Align::Left),
        ("params", Align::Right),
        ("active", Align::Right),
        ("fits", Align::Left),
        ("licence", Align::Left),
        ("context", Align::Right),
        ("for", Align::Left),
        ("checked", Align::Left),
    ]);
    for model in models {
        let tasks: Vec<&str> = model.tasks.iter().map(|task| task.name()).collect();
        table.row([
            model.id.clone(),
            count(model.parameters),
            model.active_parameters.map(count).unwrap_or_default(),
            room::fits(Some(model.parameters), free).to_owned(),
            model.licence.clone(),
            model.context.map(|tokens| format!("{}k", tokens / 1024)).unwrap_or_default(),
            tasks.join(" "),
            model.checked.to_string(),
        ]);
    }
    app.output.line(table.render(app.output.styles()))
}

/// `8B`, `600M`, `1.5b`, or a plain number.
fn parameters(text: &str) -> Result<u64, String> {
    let wrong = || format!("found {text:?}, expected a number such as 8B or 600M");
    let (number, factor) = match text.to_ascii_uppercase().chars().last() {
        Some('B') => (&text[..text.len() - 1], 1e9),
        Some('M') => (&text[..text.len() - 1], 1e6),
        Some('T') => (&text[..text.len() - 1], 1e12),
        _ => (text, 1.0),
    };
    let value: f64 = number.trim().parse().map_err(|_| wrong())?;
    let value = value * factor;
    if (1.0..=1e15).contains(&value) { Ok(value as u64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_parameters_are_read_as_people_write_them() {
        for (text, number) in
            [("8B", 8_000_000_000), ("1.5b", 1_500_000_000), ("600M", 600_000_000)]
        {
            assert_eq!(parameters(text), Ok(number));
        }
        for wrong in ["", "B", "-1B", "many", "1e99B"] {
            assert!(parameters(wrong).is_err(), "{wrong}");
        }
    }
}
