//! The stores at their border: the contract, the model, several processes, and what breaks them.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod breakage;
mod contract;
mod maintain;
mod model;
mod power;
mod processes;
mod queue;
mod workers;
