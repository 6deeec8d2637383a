//! `freehold policy`: an organisation's rules: begin them, check them, have a decision explained.

mod template;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use policy::{Decision, Gate, Policy as Rules, PolicyState, Verdict};
use serde_json::json;

use super::Command;
use crate::{
    error::{failed, refused, usage},
    gate,
    known::{Known, Reach},
    named,
    output::Colours,
    program::App,
};

/// Arguments of `freehold policy`.
#[derive(Args)]
pub(crate) struct Policy {
    /// What to do
    #[arg(value_enum)]
    action: Action,
    /// The model that is judged: here or on the hub (check, explain)
    model: Option<PathBuf>,
    /// At which gate
    #[arg(long, value_enum, default_value = "run")]
    gate: At,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Whether the policy can be read; with MODEL what it decides, in a line
    Check,
    /// Every rule that speaks, with its clause and source, and every duty
    Explain,
    /// Put a commented policy where it is looked for
    Init,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum At {
    Pull,
    Run,
    Serve,
    Tune,
    Export,
}

impl At {
    fn gate(self) -> Gate {
        match self {
            At::Pull => Gate::Pull,
            At::Run => Gate::Run,
            At::Serve => Gate::Serve,
            At::Tune => Gate::Tune,
            At::Export => Gate::Export,
        }
    }
}

impl Command for Policy {
    const NAME: &'static str = "policy";
    const ABOUT: &'static str =
        "Check an organisation's rules for models, and have decisions explained";
    const DETAILS: &'static str = "The policy is freehold-policy.toml under FREEHOLD_HOME, or the file FREEHOLD_POLICY names. Without one nothing is \
        forbidden; one that cannot be read allows nothing. It is asked before every pull and run; what it decided is in the \
        audit log. check and explain end with exit code 3 where the answer is no, or where a person would have to be asked.";
    const EXAMPLES: &'static [&'static str] = &[
        "freehold policy init",
        "freehold policy check",
        "freehold policy check org/model --gate pull",
        "freehold policy explain org/model --gate serve",
    ];

    fn run(self, app: &App) -> anyhow::Result<()> {
        match (self.action, &self.model) {
            (Action::Init, _) => init(app),
            (Action::Check, None) => self.check_file(app),
            (Action::Explain, None) => Err(usage("a MODEL is needed to explain a decision about")),
            (action, Some(model)) => {
                let located = named::locate_or_headers(app, model)?;
                let known = Known::of(app, &located, Reach::Hub);
                let state = gate::state(app);
                let decision = gate::judge(&state, self.gate.gate(), &known);
                self.tell(app, action, &state, &decision)?;
                match decision.verdict {
                    Verdict::Allow | Verdict::Warn => Ok(()),
                    Verdict::Ask => Err(refused("a person would have to say yes", HINT)),
                    Verdict::Deny => Err(refused("the policy says no", HINT)),
                }
            }
        }
    }
}

/// What can be done about a no.
const HINT: &str = "take another model, or have a waiver recorded in the policy: [[waiver]] with id, by, reason, rule, model, from, until";

impl Policy {
    fn check_file(&self, app: &App) -> anyhow::Result<()> {
        let path = gate::path(app)?;
        let state = gate::state(app);
        let (word, detail) = match &state {
            PolicyState::Absent => {
                ("absent", "there is no policy: nothing is forbidden".to_owned())
            }
            PolicyState::Ready(rules) => ("sound", described(rules)),
            PolicyState::Unreadable(why) => ("unreadable", why.clone()),
        };
        if self.json {
            let rules = match &state {
                PolicyState::Ready(rules) => Some(rules),
                _ => None,
            };
            app.output.json(&json!({
                "path": path, "state": word, "detail": detail, "policy": rules,
            }))?;
        } else if word != "unreadable" {
            app.output.line(format!("{}: {word}\n{detail}", path.display()))?;
        }
        match state {
            PolicyState::Unreadable(why) => Err(refused(
                format!("the policy cannot be read, so nothing is allowed: {why}"),
                format!("put {} right", path.display()),
            )),
            _ => Ok(()),
        }
    }

    fn tell(
        &self,
        app: &App,
        action: Action,
        state: &PolicyState,
        decision: &Decision,
    ) -> anyhow::Result<()> {
        if self.json {
            return app.output.json(decision);
        }
        let colours = app.output.styles();
        let line = match decision.verdict {
            Verdict::Allow => colours.green(&decision.summary()),
            Verdict::Warn | Verdict::Ask => colours.yellow(&decision.summary()),
            Verdict::Deny => colours.red(&decision.summary()),
        };
        if action == Action::Check {
            return app.output.line(line);
        }
        if *state == PolicyState::Absent {
            app.output.note("there is no policy; this is what the licences alone say");
        }
        app.output.line(format!("{line}\n{}", explained(decision, colours)))
    }
}

fn described(rules: &Rules) -> String {
    let serial = rules.serial.map_or(String::new(), |serial| format!("serial {serial}, "));
    let whose = rules.organisation.name.as_deref().unwrap_or("no organisation named");
    format!("{serial}{}, {} waivers", policy::shown(whose), rules.waiver.len())
}

fn explained(decision: &Decision, colours: Colours) -> String {
    let mut lines = vec![];
    for reason in &decision.reasons {
        lines.push(format!("\n{}  {} ({})", reason.verdict.name(), reason.says, reason.rule));
        if let Some(quote) = &reason.quote {
            lines.push(colours.dim(&format!("  {} [{}]", quote.line(), quote.known_by)));
        }
        if let Some((waiver, was)) = &reason.waived {
            lines.push(colours.dim(&format!("  waived by {waiver}; it would say {}", was.name())));
        }
    }
    if !decision.obligations.is_empty() {
        lines.push(format!("\n{}", colours.bold("duties")));
        for duty in &decision.obligations {
            lines.push(format!("  {}", duty.says));
            if let Some(text) = &duty.text {
                lines.push(format!("    {text}"));
            }
            lines.push(colours.dim(&format!("    {}", duty.quote.line())));
        }
    }
    lines.join("\n")
}

fn init(app: &App) -> anyhow::Result<()> {
    let path = gate::path(app)?;
    if path.exists() {
        return Err(failed(
            format!("{} is there already", path.display()),
            "edit it, then: freehold policy check",
        ));
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&path, template::POLICY)?;
    app.output.note("from now on it is asked before every pull and run");
    app.output.line(path.display())
}
