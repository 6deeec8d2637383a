//! The commands: one file each, one line in [`COMMANDS`] each.

mod alias;
mod audit;
mod bench;
mod catalogue;
mod completions;
mod cost;
mod cp;
mod diff;
mod doctor;
mod inspect;
mod key;
mod licence;
mod logits;
mod ls;
mod man;
mod openness;
mod outdated;
mod plan;
mod policy;
mod pull;
mod rm;
mod run;
mod search;
mod serve;
mod show;
mod template;
mod tokenize;
mod verify;

use clap::{ArgMatches, Args};

use crate::program::App;

/// Every command there is, in the order of the help.
pub(crate) const COMMANDS: &[Entry] = &[
    entry::<run::Run>(),
    entry::<serve::Serve>(),
    entry::<key::Keys>(),
    entry::<pull::Pull>(),
    entry::<search::Search>(),
    entry::<catalogue::Catalogue>(),
    entry::<show::Show>(),
    entry::<ls::Ls>(),
    entry::<alias::Alias>(),
    entry::<cp::Cp>(),
    entry::<rm::Rm>(),
    entry::<verify::Verify>(),
    entry::<outdated::Outdated>(),
    entry::<licence::Licence>(),
    entry::<openness::Openness>(),
    entry::<policy::Policy>(),
    entry::<audit::Audit>(),
    entry::<inspect::Inspect>(),
    entry::<diff::Diff>(),
    entry::<plan::Plan>(),
    entry::<cost::Cost>(),
    entry::<bench::Bench>(),
    entry::<logits::Logits>(),
    entry::<tokenize::Tokenize>(),
    entry::<template::Template>(),
    entry::<doctor::Doctor>(),
    entry::<completions::Completions>(),
    entry::<man::Man>(),
];

/// A command: its arguments (the implementing type, by `clap::Args`), its words, what it does.
pub(crate) trait Command: Args {
    /// As typed.
    const NAME: &'static str;
    /// One line for the list of commands.
    const ABOUT: &'static str;
    /// What a user needs to know beyond the arguments; may be empty.
    const DETAILS: &'static str = "";
    /// Command lines that work, one a line, each beginning with `freehold NAME`.
    const EXAMPLES: &'static [&'static str];

    /// Does it.
    fn run(self, app: &App) -> anyhow::Result<()>;
}

/// A command without its type, for the list.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) define: fn() -> clap::Command,
    pub(crate) run: fn(&ArgMatches, &App) -> anyhow::Result<()>,
}

const fn entry<C: Command>() -> Entry {
    Entry { name: C::NAME, define: define::<C>, run: run::<C> }
}

fn define<C: Command>() -> clap::Command {
    let long = if C::DETAILS.is_empty() {
        format!("{}.", C::ABOUT)
    } else {
        format!("{}.\n\n{}", C::ABOUT, C::DETAILS)
    };
    let examples: String = C::EXAMPLES.iter().flat_map(|line| ["\n  ", line]).collect();
    // The words come last: clap takes those of the type's own comment otherwise.
    C::augment_args(clap::Command::new(C::NAME))
        .about(C::ABOUT)
        .long_about(long)
        .after_help(format!("Examples:{examples}"))
}

fn run<C: Command>(matches: &ArgMatches, app: &App) -> anyhow::Result<()> {
    C::from_arg_matches(matches)?.run(app)
}
