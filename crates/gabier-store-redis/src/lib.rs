//! Where state rests when it rests on Redis 7 or newer, or Valkey: several machines share one store.
//!
//! [`open`] is an opener for [`gabier_store::Openers`]. [`Records`] keeps documents in hashes of its own, [`Queue`]
//! tasks in BullMQ's format, so that its dashboards, producers and workers in other languages see and serve them.

mod address;
mod generation;
mod link;
mod listen;
mod presence;
mod prompt;
mod queue;
mod records;
mod report;

pub use address::{open, place};
pub use queue::Queue;
pub use records::Records;
pub use report::{Finding, Report};
