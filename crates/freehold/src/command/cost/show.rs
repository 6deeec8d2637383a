//! The comparison as people read it.

use super::{Prices, Report, tokens_month};
use crate::{
    output::Colours,
    table::{Align, Table, count, rate},
};

/// The whole page.
pub(super) fn page(report: &Report, colours: Colours) -> String {
    let load = &report.load;
    let model = match &report.model {
        Some(model) => format!("{model}: "),
        None => String::new(),
    };
    let heading = format!(
        "{model}reads {} and writes {} tokens a second ({})",
        rate(report.owned.prompt_tokens_per_s),
        rate(report.owned.generation_tokens_per_s),
        report.speeds,
    );
    let work = format!(
        "{} requests a day of {} + {} tokens: {} tokens a month",
        count(load.requests_per_day as u64),
        load.tokens_in,
        load.tokens_out,
        count(report.tokens_month as u64)
    );
    let parts = [
        format!("{}\n{work}", colours.bold(&heading)),
        owning(report, colours),
        renting(report, colours),
        sensitivity(report, colours),
        colours.dim(
            "prices change: freehold cost --prices show tells when and from where each was taken;\n\
             money is all that is compared here, not what the models can do",
        ),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn owning(report: &Report, colours: Colours) -> String {
    let (owned, cost) = (&report.owned, &report.owning);
    let month = format!("{} a month", report.currency);
    let mut table =
        Table::new([("owning", Align::Left), (month.as_str(), Align::Right), ("", Align::Left)]);
    let machines = if cost.machines == 1 {
        "1 machine".to_owned()
    } else {
        format!("{} machines", cost.machines)
    };
    table.row([
        machines,
        money(cost.hardware_month),
        format!("{} each, used {} years", money(owned.price), owned.life_years),
    ]);
    table.row([
        "power".to_owned(),
        money(cost.power_month),
        format!(
            "{} W busy, {} W idle, {} a kWh; busy {}, at most {}",
            owned.watts_busy,
            owned.watts_idle,
            owned.kwh_price,
            percent(cost.busy),
            percent(owned.utilisation)
        ),
    ]);
    if cost.upkeep_month > 0.0 {
        table.row(["upkeep".to_owned(), money(cost.upkeep_month)]);
    }
    table.row([
        "all".to_owned(),
        money(cost.total_month),
        format!(
            "{} per million tokens; one machine takes {} requests a day",
            money(cost.per_million_tokens),
            count(report.capacity_per_day as u64)
        ),
    ]);
    table.render(colours)
}

fn renting(report: &Report, colours: Colours) -> String {
    if report.renting.is_empty() {
        return String::new();
    }
    let month = format!("{} a month", report.currency);
    let mut table = Table::new([
        ("renting", Align::Left),
        ("in", Align::Right),
        ("out", Align::Right),
        (month.as_str(), Align::Right),
        ("per M tokens", Align::Right),
        ("owning pays from", Align::Right),
        ("as of", Align::Left),
    ]);
    for renting in &report.renting {
        table.row([
            renting.price.name.clone(),
            format!("{:.2}", renting.price.input),
            format!("{:.2}", renting.price.output),
            money(renting.month),
            money(renting.per_million_tokens),
            even(report, renting.break_even_requests_per_day),
            renting.price.as_of.clone(),
        ]);
    }
    table.render(colours)
}

fn sensitivity(report: &Report, colours: Colours) -> String {
    let Some(against) = &report.against else { return String::new() };
    let from = format!("owning pays against {against} from");
    let mut table = Table::new([
        ("what it hangs on", Align::Left),
        ("machines", Align::Right),
        ("own, per M tokens", Align::Right),
        (from.as_str(), Align::Right),
    ]);
    for row in &report.sensitivity {
        table.row([
            row.what.clone(),
            row.machines.to_string(),
            money(row.per_million_tokens),
            even(report, row.break_even_requests_per_day),
        ]);
    }
    table.render(colours)
}

/// Requests a day, with tokens a month.
fn even(report: &Report, requests: Option<f64>) -> String {
    match requests {
        Some(requests) => {
            let tokens = tokens_month(&report.load, requests);
            format!("{}/day ({} a month)", count(requests.ceil() as u64), count(tokens as u64))
        }
        None => "never".to_owned(),
    }
}

/// The list with dates and sources.
pub(super) fn prices(list: &Prices) -> String {
    let mut table = Table::new([
        ("name", Align::Left),
        ("in", Align::Right),
        ("out", Align::Right),
        ("as of", Align::Left),
        ("source", Align::Left),
        ("basis", Align::Left),
    ]);
    for price in &list.list {
        table.row([
            price.name.clone(),
            format!("{:.2}", price.input),
            format!("{:.2}", price.output),
            price.as_of.clone(),
            price.source.clone(),
            price.basis.clone(),
        ]);
    }
    format!(
        "{} per million tokens, list of {}\n\n{}",
        list.currency,
        list.as_of,
        table.render(Colours::Off)
    )
}

fn money(amount: f64) -> String {
    match amount {
        a if a >= 1000.0 => format!("{a:.0}"),
        a if a >= 0.1 => format!("{a:.2}"),
        a => format!("{a:.4}"),
    }
}

fn percent(share: f64) -> String {
    if share < 0.0995 {
        format!("{:.1} %", 100.0 * share)
    } else {
        format!("{:.0} %", 100.0 * share)
    }
}
