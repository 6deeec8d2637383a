//! What went wrong, told to a person: the chain of causes, a next step, an exit code.

use std::{fmt::Write, process::ExitCode};

use crate::output::Output;

/// Exit code: it failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code: the command line makes no sense.
pub(crate) const USAGE: u8 = 2;
/// Exit code: refused, by policy, for want of room, or for what the input is.
pub(crate) const REFUSED: u8 = 3;

/// An error whose kind is decided where it arises, with a next step.
#[derive(Debug)]
pub(crate) struct Fault {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// Values that make no sense (exit code 2).
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Fault { code: USAGE, message: message.into(), hint: None }.into()
}

/// As [`usage`], with a next step.
pub(crate) fn usage_hint(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Fault { code: USAGE, message: message.into(), hint: Some(hint.into()) }.into()
}

/// Something we will not do (exit code 3), with a next step.
pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Fault { code: REFUSED, message: message.into(), hint: Some(hint.into()) }.into()
}

/// Something that did not work (exit code 1), with a next step.
pub(crate) fn failed(message: impl Into<String>, hint: impl Into<String>) -> anyhow::Error {
    Fault { code: FAILED, message: message.into(), hint: Some(hint.into()) }.into()
}

/// Tells the user, and gives the exit code. A reader that went away (`| head`) is no error.
pub(crate) fn report(error: &anyhow::Error, output: &Output) -> ExitCode {
    if let Some(usage) = error.downcast_ref::<clap::Error>() {
        drop(usage.print());
        return ExitCode::from(USAGE);
    }
    if is_closed_pipe(error) {
        return ExitCode::SUCCESS;
    }
    let mut text = format!("{} {}", output.styles_err().red("error:"), causes(error));
    if let Some(hint) = hint(error) {
        let _ = write!(text, "\n{} {hint}", output.styles_err().bold("hint:"));
    }
    output.complain(&text);
    ExitCode::from(code(error))
}

/// The exit code of an error: the first of its causes that has an opinion decides.
pub(crate) fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(opinion).unwrap_or(FAILED)
}

fn opinion(cause: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(fault) = cause.downcast_ref::<Fault>() {
        return Some(fault.code);
    }
    if let Some(error) = cause.downcast_ref::<engine::Error>() {
        return of_engine(error);
    }
    if let Some(error) = cause.downcast_ref::<weights::Error>() {
        return Some(of_weights(error));
    }
    if let Some(error) = cause.downcast_ref::<hub::Error>() {
        return Some(of_hub(error));
    }
    if cause.downcast_ref::<policy::audit::Break>().is_some() {
        return Some(REFUSED);
    }
    if cause.downcast_ref::<engine::sampler::Error>().is_some() {
        return Some(USAGE);
    }
    if cause.downcast_ref::<model::Error>().is_some()
        || cause.downcast_ref::<text::Error>().is_some()
    {
        return Some(REFUSED);
    }
    None
}

fn of_engine(error: &engine::Error) -> Option<u8> {
    use engine::Error as E;
    Some(match error {
        E::Weights(error) => of_weights(error),
        E::Sampler(engine::sampler::Error::Setting { .. })
        | E::EmptyPrompt
        | E::NoSuchToken { .. }
        | E::Setting { .. } => USAGE,
        // A prompt that doesn't fit the context is a matter of fit, like a model that doesn't fit memory.
        E::PromptTooLong { .. }
        | E::DoesNotFit { .. }
        | E::Model(_)
        | E::Tensors { .. }
        | E::Format { .. }
        | E::NoArchitecture { .. } => REFUSED,
        _ => return None,
    })
}

fn of_hub(error: &hub::Error) -> u8 {
    use hub::Error as E;
    match error {
        E::Weights(error) => of_weights(error),
        E::Name { .. }
        | E::Setting { .. }
        | E::NoSuchQuant { .. }
        | E::Ambiguous { .. }
        | E::NoSuchRevision { .. } => USAGE,
        error if error.is_refusal() => REFUSED,
        _ => FAILED,
    }
}

fn of_weights(error: &weights::Error) -> u8 {
    if error.is_refusal() { REFUSED } else { FAILED }
}

/// The messages from the outermost to the root; what a cause only repeats is left out.
fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain() {
        let message = cause.to_string();
        if text.is_empty() {
            text = message;
        } else if !text.contains(&message) {
            let _ = write!(text, ": {message}");
        }
    }
    text
}

/// The next step, where one is known.
fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(fault) = cause.downcast_ref::<Fault>() {
            return fault.hint.clone();
        }
        if let Some(error) = cause.downcast_ref::<hub::Error>() {
            return error.hint();
        }
        let weights = match cause.downcast_ref::<engine::Error>() {
            Some(engine::Error::Weights(error)) => Some(error),
            Some(engine::Error::PromptTooLong { .. }) => {
                return Some(
                    "shorten the prompt, or raise --ctx as far as the model was made for, or let freehold run drop old text with --overflow shift"
                        .to_owned(),
                );
            }
            Some(engine::Error::DoesNotFit { .. }) => {
                return Some(
                    "lower --ctx, choose --kv q8_0, or take a smaller quantization of the model"
                        .to_owned(),
                );
            }
            _ => cause.downcast_ref::<weights::Error>(),
        };
        weights.and_then(weights::Error::hint).map(str::to_owned)
    })
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    })
}
