//! The terminal faces from outside: words in, text and exit code out.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a broken expectation is a failed test; helpers take `json!` literals as they stand"
)]

mod command_line;
mod completion;
mod display;
mod fixture;
mod foreign;
mod local;
mod manual;
mod remote;
mod shell;
