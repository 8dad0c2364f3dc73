//! The engine over a store in memory: calls that become tasks, and what becomes of those.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod fixture;

mod after;
mod budget;
mod ends;
mod processes;
mod retries;
mod webhooks;
