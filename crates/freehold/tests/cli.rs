//! The program as its users see it: command lines in, text and exit codes out.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests may")]

#[path = "cli/support.rs"]
mod support;

#[path = "cli/answers.rs"]
mod answers;
#[path = "cli/conversation.rs"]
mod conversation;
#[path = "cli/gates.rs"]
mod gates;
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/house.rs"]
mod house;
#[path = "cli/hub.rs"]
mod hub;
#[path = "cli/money.rs"]
mod money;
#[path = "cli/numbers.rs"]
mod numbers;
#[path = "cli/offline.rs"]
mod offline;
#[path = "cli/reports.rs"]
mod reports;
#[path = "cli/stories.rs"]
mod stories;
#[path = "cli/t10.rs"]
mod t10;
#[path = "cli/transcripts.rs"]
mod transcripts;
