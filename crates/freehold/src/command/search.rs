//! `freehold search`: models on the hub by words, with what one needs to choose; offline the catalogue.

use clap::{Args, ValueEnum};
use hub::{Found, SearchQuery, Sort};
use policy::{Card, Facts, Licences};
use serde::Serialize;

use super::{Command, catalogue};
use crate::{
    named,
    program::App,
    room,
    table::{Align, Table, count},
};

/// Arguments of `freehold search`.
#[derive(Args)]
pub(crate) struct Search {
    /// Words of the name
    #[arg(required = true)]
    words: Vec<String>,
    /// Only of this organisation
    #[arg(long, value_name = "NAME")]
    author: Option<String>,
    /// Only with this tag, such as gguf or license:apache-2.0 (repeatable)
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Also models that are not for text generation
    #[arg(long)]
    all: bool,
    /// In which order
    #[arg(long, value_enum, default_value = "downloads")]
    sort: Order,
    /// How many, at most
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Order {
    Downloads,
    Likes,
    Modified,
    Trending,
}

/// One model: what `--json` prints.
#[derive(Serialize)]
struct Row {
    name: String,
    /// As declared, by our id where we know it.
    licence: String,
    licence_class: &'static str,
    parameters: Option<u64>,
    family: Option<String>,
    quantizations: Vec<String>,
    downloads: Option<u64>,
    likes: Option<u64>,
    modified: Option<String>,
    gated: bool,
    base_models: Vec<String>,
    /// `yes`, `as Q4`, `no` or `?`.
    fits: &'static str,
}

impl Command for Search {
    const NAME: &'static str = "search";
    const ABOUT: &'static str =
        "Find models: licence, size, family, quantizations, downloads, and whether they fit here";
    const DETAILS: &'static str = "Licences are as declared by the publisher: freehold licence NAME looks closer. \"fits\" says whether this \
        machine's free memory would hold the model in 8 bits, or only in 4. Offline, the built-in catalogue is searched.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold search qwen3 gguf",
        "freehold search llama --author unsloth --limit 5",
        "freehold search coder --offline",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        let hub = named::hub(app)?;
        if !hub.is_online() {
            app.output.note("offline: searching the built-in catalogue");
            return catalogue::find(app, &self.words, self.json);
        }
        let query = SearchQuery {
            words: self.words.join(" "),
            tags: self.tag.clone(),
            author: self.author.clone(),
            pipeline: (!self.all).then(|| "text-generation".to_owned()),
            sort: match self.sort {
                Order::Downloads => Sort::Downloads,
                Order::Likes => Sort::Likes,
                Order::Modified => Sort::Modified,
                Order::Trending => Sort::Trending,
            },
            limit: usize::from(self.limit),
        };
        let free = room::free();
        let rows: Vec<Row> =
            hub.search(&query)?.into_iter().map(|found| row(found, free)).collect();
        if self.json {
            return app.output.json(&rows);
        }
        if rows.is_empty() {
            app.output.note("nothing was found; fewer words, or --all for other tasks");
            return Ok(());
        }
        let mut table = Table::new([
            ("model", Align::Left),
            ("licence", Align::Left),
            ("params", Align::Right),
            ("fits", Align::Left),
            ("downloads", Align::Right),
            ("family", Align::Left),
            ("quantizations", Align::Left),
        ]);
        for row in &rows {
            let gate = if row.gated { " (gated)" } else { "" };
            table.row([
                format!("{}{gate}", row.name),
                row.licence.clone(),
                row.parameters.map(count).unwrap_or_default(),
                row.fits.to_owned(),
                row.downloads.map(count).unwrap_or_default(),
                row.family.clone().unwrap_or_default(),
                few(&row.quantizations),
            ]);
        }
        app.output.line(table.render(app.output.styles()))
    }
}

fn row(found: Found, free: machine::Bytes) -> Row {
    let licences = Licences::shipped();
    let card = Card {
        license: found.licences.clone(),
        base_model: found.base_models.clone(),
        ..Card::new(&found.about.card, "")
    };
    let facts = Facts { id: found.id.clone(), card: Some(card), ..Facts::default() };
    let resolved = policy::resolve(&facts, licences).licence;
    let licence = licences.get(&resolved);
    let declared = found.licences.first().cloned().unwrap_or_else(|| "none stated".to_owned());
    Row {
        licence: if resolved == Licences::UNKNOWN { declared } else { licence.id.clone() },
        licence_class: licence.class.name(),
        fits: room::fits(found.parameters, free),
        name: found.id,
        parameters: found.parameters,
        family: found.architecture,
        quantizations: found.quants,
        downloads: found.about.downloads,
        likes: found.about.likes,
        modified: found.about.modified,
        gated: found.about.gated.is_some(),
        base_models: found.base_models,
    }
}

/// The first of many.
fn few(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let more = names.len().saturating_sub(SHOWN);
    let first = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(" ");
    if more > 0 { format!("{first} +{more}") } else { first }
}
