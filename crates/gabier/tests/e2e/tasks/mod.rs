//! Work that outlives its request: what is promised of it, while processes are killed, stopped and started.

mod chance;
mod damage;
mod demo;
mod doors;
mod fleet;
mod idle;
mod kills;
mod ledger;
mod lines;
mod patience;
mod processes;
mod rates;
mod refusals;

pub(crate) use chance::Chance;
pub(crate) use fleet::{Counter, Fleet, busy};
pub(crate) use lines::Lines;
