//! The transport against real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod exec;
mod faults;
mod fleet;
mod harness;
mod host_key;
mod jump;
mod login;
mod pool;
mod shell;
mod sshd;
mod stop;
mod terminal;
