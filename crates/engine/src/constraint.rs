//! What may be said next: the seam where grammars meet the sampler.
//!
//! A constraint is asked before every token and told every token, so an answer is inside it from the
//! first token to the last. It fails closed: an error, a panic or an empty set ends the answer with a
//! typed error, never with an unconstrained token.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{Error, sampler::TokenSet};

/// Why a constraint cannot go on.
pub type ConstraintError = Box<dyn std::error::Error + Send + Sync>;

/// What a constraint says of the next token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Any token may come (before a tool call opens, say).
    All,
    /// Only the tokens put into the set.
    These,
}

/// Restricts an answer token by token. One constraint belongs to one answer.
pub trait Constraint: Send {
    /// Puts the tokens that may come next into `allowed`, which comes empty. Tokens that end the answer
    /// belong in it where the answer may end.
    fn mask(&mut self, allowed: &mut TokenSet) -> Result<Allowed, ConstraintError>;

    /// Takes the chosen token. Not told of a token that ends the answer.
    fn accept(&mut self, token: u32) -> Result<(), ConstraintError>;

    /// Whether nothing may follow: the answer then ends without another token.
    fn is_finished(&self) -> bool;

    /// The same constraint in the same state, for another answer.
    fn fork(&self) -> Box<dyn Constraint>;
}

impl Clone for Box<dyn Constraint> {
    fn clone(&self) -> Self {
        self.fork()
    }
}

impl fmt::Debug for dyn Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Constraint")
    }
}

/// Calls into a constraint; what it throws becomes an error of this request alone.
pub(crate) fn guarded<T>(call: impl FnOnce() -> Result<T, ConstraintError>) -> Result<T, Error> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::Constraint(error.to_string())),
        Err(_) => Err(Error::Constraint("it panicked".to_owned())),
    }
}
