//! The gates: what an organisation's policy says before a model is pulled or run, and what happens then.
//!
//! The policy is `freehold-policy.toml` under `FREEHOLD_HOME`, or the file `FREEHOLD_POLICY` names; one that
//! cannot be read allows nothing. The decision is written to the audit log before anything is done.
//! Where a person has to say yes, one is asked at a terminal; elsewhere that is a no.

use std::{
    fs,
    io::{self, BufRead, IsTerminal},
    path::PathBuf,
};

use policy::{Ask, Decision, Gate, Licences, PolicyState, Verdict, audit::Entry, decide};

use crate::{
    audit, clock,
    error::refused,
    known::{Known, Reach},
    load::Footprint,
    named::Located,
    program::App,
};

/// The policy's file name.
pub(crate) const FILE: &str = "freehold-policy.toml";

/// Where the policy is, or would be.
pub(crate) fn path(app: &App) -> anyhow::Result<PathBuf> {
    match &app.settings.policy {
        Some(path) => Ok(path.clone()),
        None => Ok(app.settings.home()?.join(FILE)),
    }
}

/// The policy as it stands. A file that was named and is not there is one that cannot be read.
pub(crate) fn state(app: &App) -> PolicyState {
    let Ok(path) = path(app) else { return PolicyState::Absent };
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && app.settings.policy.is_none() => {
            return PolicyState::Absent;
        }
        Ok(file) if file.len() > policy::Policy::MAX_BYTES as u64 => {
            return PolicyState::Unreadable(format!("{} has {} bytes", path.display(), file.len()));
        }
        _ => {}
    }
    match fs::read_to_string(&path) {
        Ok(text) => PolicyState::of(&text),
        Err(error) => PolicyState::Unreadable(format!("{}: {error}", path.display())),
    }
}

/// What the policy says of a model at a gate; nothing is written or asked.
pub(crate) fn judge(state: &PolicyState, gate: Gate, known: &Known) -> Decision {
    let effective = known.effective();
    let openness = known.openness(&effective);
    let ask = Ask {
        revision: known.facts.revision.as_deref(),
        openness: Some(&openness),
        formats: known.formats.clone(),
        remote_code: known.remote_code,
        template: known.template.clone(),
        multimodal: known.facts.multimodal,
        budget: known.budget,
        ..Ask::new(gate, &known.facts.id, &known.source, &effective, clock::today())
    };
    decide(state, &ask, Licences::shipped())
}

/// Passes a model through a gate, or refuses it: judged, written down, told, asked.
pub(crate) fn pass(app: &App, gate: Gate, known: &Known) -> anyhow::Result<Decision> {
    let state = state(app);
    let decision = judge(&state, gate, known);
    let mut entry = Entry::of_decision(&decision, &clock::timestamp(), &app.settings.user);
    let explain = format!("freehold policy explain {} --gate {}", known.facts.id, gate.name());
    let outcome = match decision.verdict {
        Verdict::Allow => Ok(()),
        Verdict::Warn => {
            if state != PolicyState::Absent {
                for reason in decision.because() {
                    app.output.note(format!("policy: {} ({})", reason.says, reason.rule));
                }
            }
            Ok(())
        }
        Verdict::Ask => {
            let answer = asked(app, &decision);
            entry.details.insert("answer".to_owned(), answer.name().into());
            match answer {
                Answer::Yes => Ok(()),
                Answer::No => Err(refused(decision.summary(), explain)),
                Answer::Nobody => Err(refused(
                    format!(
                        "a person has to say yes, and this is no terminal; {}",
                        decision.summary()
                    ),
                    explain,
                )),
            }
        }
        Verdict::Deny => Err(refused(decision.summary(), explain)),
    };
    // Without a policy running is everybody's own matter; what is brought in is always written down.
    if state != PolicyState::Absent || gate == Gate::Pull {
        written(app, &state, &entry)?;
    }
    outcome.map(|()| decision)
}

/// The gate before a model is loaded for oneself; where there is no policy there is none.
pub(crate) fn at_run(app: &App, located: &Located, footprint: &Footprint) -> anyhow::Result<()> {
    at(app, Gate::Run, located, footprint)
}

/// The gate before a model is offered to others.
pub(crate) fn at_serve(app: &App, located: &Located, footprint: &Footprint) -> anyhow::Result<()> {
    at(app, Gate::Serve, located, footprint)
}

fn at(app: &App, gate: Gate, located: &Located, footprint: &Footprint) -> anyhow::Result<()> {
    if state(app) == PolicyState::Absent {
        return Ok(());
    }
    let mut known = Known::of(app, located, Reach::Here);
    known.budget.memory_bytes = Some(footprint.total().get());
    pass(app, gate, &known).map(|_| ())
}

/// Writes the decision down; what to do when that fails is for the policy to say.
fn written(app: &App, state: &PolicyState, entry: &Entry) -> anyhow::Result<()> {
    let Err(error) = audit::append(app, entry) else { return Ok(()) };
    match state.on_audit_failure() {
        Verdict::Allow => Ok(()),
        Verdict::Warn => {
            app.output.note(format!("the decision could not be logged: {error:#}"));
            Ok(())
        }
        Verdict::Ask | Verdict::Deny => Err(refused(
            format!("the decision could not be logged, so it does not count: {error:#}"),
            "put the audit log right (freehold audit verify), or let the policy's audit.on_failure say otherwise",
        )),
    }
}

/// What a person said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Nobody,
}

impl Answer {
    fn name(self) -> &'static str {
        match self {
            Answer::Yes => "yes",
            Answer::No => "no",
            Answer::Nobody => "nobody",
        }
    }
}

fn asked(app: &App, decision: &Decision) -> Answer {
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Answer::Nobody;
    }
    for reason in decision.because() {
        app.output.complain(&format!("{} ({})", reason.says, reason.rule));
    }
    app.output.complain(&format!(
        "{} {} all the same? [y/N]",
        decision.gate.name(),
        decision.model
    ));
    let mut line = String::new();
    let heard = io::stdin().lock().read_line(&mut line).is_ok();
    let yes = matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if heard && yes { Answer::Yes } else { Answer::No }
}
