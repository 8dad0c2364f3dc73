//! The way out over HTTP against real listeners on loopback.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod bodies;
mod names;
mod redirects;
mod secrecy;
mod spellings;
mod stub;
