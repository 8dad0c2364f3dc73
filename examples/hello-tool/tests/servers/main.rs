//! Servers made with the kit alone, driven from outside.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod hello;
mod letters;
mod program;
