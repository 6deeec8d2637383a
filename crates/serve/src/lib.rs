//! The APIs: routes, keys, metrics. The only crate that knows the wire JSON.
//!
//! Every API is translated into one question ([`ask::Ask`]) and answered from one kind of event
//! ([`answer::Told`]). The routes are one table (`route.rs`); what a request may say is data
//! (`field.rs`), and what it says that we do not honour is refused by name.

pub mod answer;
pub mod ask;
mod constrain;
mod conversation;
mod error;
mod fault;
mod field;
mod fim;
mod gate;
mod generate;
mod http;
mod id;
pub mod key;
mod log;
mod metrics;
pub mod model;
mod models;
mod openapi;
mod page;
mod prompt;
mod quota;
mod route;
mod server;
mod state;
mod usage;

pub use error::Error;
pub use fault::{Family, Fault};
pub use field::Compat;
pub use log::Lines;
pub use models::{Keeping, Open, Source};
pub use openapi::document as openapi;
pub use server::{Ended, LocalKeys, Server, Settings, Stop};
