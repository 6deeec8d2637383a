//! Own your AI instead of renting it.

fn main() {}
