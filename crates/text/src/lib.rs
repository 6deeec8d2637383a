//! Text to ids and back: tokenizers, chat templates, grammars, reasoning and tool-call formats,
//! message types.

mod error;
pub mod grammar;
pub mod message;
pub mod reasoning;
pub mod stream;
pub mod template;
pub mod tokenizer;
pub mod toolcall;

pub use error::{Error, Result};
