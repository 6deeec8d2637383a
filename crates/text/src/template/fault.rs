//! What can go wrong in a template: the exceptions Python's Jinja would raise, by their Python
//! names, and the bounds this engine adds.
//!
//! Templates are written against transformers, so a failing one should fail here with the words
//! its author already knows from there.

use std::fmt;

/// Why a chat template could not be read or rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The source is no valid template.
    #[error("chat template, line {line}: {message}")]
    Syntax {
        /// Line of the source, counted from 1.
        line: usize,
        /// What was found and what was expected.
        message: String,
    },
    /// The template refused the conversation by `raise_exception`; the words are its author's.
    #[error("the chat template refuses this conversation: {message}")]
    Refused {
        /// The message given to `raise_exception`.
        message: String,
    },
    /// An operation failed as it would under Python.
    #[error("chat template, line {line}: {exception}: {message}")]
    Failed {
        /// The exception's Python name.
        exception: Exception,
        /// Its message, as Python words it.
        message: String,
        /// Line of the source, counted from 1; 0 when unknown.
        line: usize,
    },
    /// Rendering went past one of its bounds.
    #[error("chat template needs more than {cap} {bound}, refused")]
    Bound {
        /// Which bound.
        bound: Bound,
        /// Its value.
        cap: u64,
    },
    /// The request contradicts itself or the template.
    #[error("chat template: {0}")]
    Request(String),
}

impl TemplateError {
    /// The error as Python would print it, `Type: message`; none for errors Python does not know.
    pub fn python(&self) -> Option<String> {
        match self {
            Self::Refused { message } => Some(format!("TemplateError: {message}")),
            Self::Failed { exception, message, .. } => Some(format!("{exception}: {message}")),
            _ => None,
        }
    }
}

/// The Python exceptions a template can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// A value that is not there was used.
    Undefined,
    /// An operation on a type that has none.
    Type,
    /// A value outside what an operation takes.
    Value,
    /// A key that is not there.
    Key,
    /// Arithmetic on zero.
    ZeroDivision,
    /// A number or range too large.
    Overflow,
    /// The sandbox forbids it.
    Security,
    /// The template itself is at fault.
    Runtime,
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Undefined => "UndefinedError",
            Self::Type => "TypeError",
            Self::Value => "ValueError",
            Self::Key => "KeyError",
            Self::ZeroDivision => "ZeroDivisionError",
            Self::Overflow => "OverflowError",
            Self::Security => "SecurityError",
            Self::Runtime => "TemplateRuntimeError",
        })
    }
}

/// The bounds of a render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Steps of evaluation.
    Steps,
    /// Bytes of rendered text.
    Output,
    /// Bytes of values alive at once.
    Memory,
    /// Levels of nesting of calls and expressions.
    Depth,
    /// Bytes of template source.
    Source,
    /// Bytes of messages, tools and documents.
    Input,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Steps => "steps",
            Self::Output => "bytes of output",
            Self::Memory => "bytes of memory",
            Self::Depth => "levels of nesting",
            Self::Source => "bytes of source",
            Self::Input => "bytes of input",
        })
    }
}

/// Result inside the engine; boxed, for it travels through every call.
pub(super) type Res<T> = Result<T, Box<TemplateError>>;

pub(super) fn fail<T>(exception: Exception, message: impl Into<String>) -> Res<T> {
    Err(fault(exception, message))
}

#[expect(clippy::unnecessary_box_returns, reason = "it is the error of `Res`")]
pub(super) fn fault(exception: Exception, message: impl Into<String>) -> Box<TemplateError> {
    Box::new(TemplateError::Failed { exception, message: message.into(), line: 0 })
}

pub(super) fn type_error<T>(message: impl Into<String>) -> Res<T> {
    fail(Exception::Type, message)
}

pub(super) fn value_error<T>(message: impl Into<String>) -> Res<T> {
    fail(Exception::Value, message)
}
