//! The core seen from outside: a list of tools, a hand-turned clock and guards that answer as they are told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod dispatch;
mod fixture;
mod schema;
