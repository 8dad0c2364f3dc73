//! The engine over a store in memory: calls that become tasks, and what becomes of those.

mod fixture;

mod after;
mod budget;
mod ends;
mod processes;
mod retries;
