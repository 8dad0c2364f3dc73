//! Where state rests: records and tasks, and the processes that share them.
//!
//! There are two seams. [`Records`]: small JSON documents by kind and key, changed by compare-and-set.
//! [`queue::Queue`]: tasks that outlive the request that made them. [`Openers`] opens a
//! store by its URL: [`Memory`], or [`Embedded`], SQLite in a data directory that all processes of one user on one
//! machine share, each with a [`Presence`]. What every store must keep stands in [`contract`].

mod clock;
pub mod contract;
pub mod copy;
mod embedded;
mod error;
mod memory;
mod neighbours;
mod open;
mod presence;
mod private;
pub mod queue;
mod records;

pub use clock::Clock;
pub use embedded::Embedded;
pub use error::{Error, ErrorKind, Result};
pub use memory::Memory;
pub use neighbours::Neighbours;
pub use open::{Openers, Opening, Store};
pub use presence::{Presence, Seen};
pub use records::{Change, Expect, Record, Records, Version};
