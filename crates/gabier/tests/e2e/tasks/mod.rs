//! Work that outlives its request: what is promised of it, while processes are killed, stopped and started.

mod chance;
mod doors;
mod fleet;
mod idle;
mod kills;
mod ledger;
mod patience;
mod processes;
mod refusals;
