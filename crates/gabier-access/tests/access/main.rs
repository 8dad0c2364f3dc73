//! The border of the access engine: callers, rights and tokens as dispatch and other processes meet them.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod callers;
mod places;
mod rights;
mod support;
mod tasks;
mod tokens;
mod vault;
