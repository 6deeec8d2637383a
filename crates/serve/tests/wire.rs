//! The server over real sockets, with a scripted model in place of the engine: what it writes is
//! known, so what becomes of it can be held to the word. Cases of the threat list bear their numbers.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    clippy::format_push_string,
    clippy::large_stack_arrays,
    reason = "tests may"
)]

#[path = "wire/answers.rs"]
mod answers;
#[path = "wire/client.rs"]
mod client;
#[path = "wire/families.rs"]
mod families;
#[path = "wire/faults.rs"]
mod faults;
#[path = "wire/limits.rs"]
mod limits;
#[path = "wire/people.rs"]
mod people;
#[path = "wire/script.rs"]
mod script;
#[path = "wire/tools.rs"]
mod tools;
