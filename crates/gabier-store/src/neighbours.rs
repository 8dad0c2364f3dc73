//! The processes that share a store, whatever store it is.

use crate::{Presence, Result, Seen};

/// This process among those that share a store.
pub trait Neighbours: Send + Sync + 'static {
    /// Its name among them, never used twice.
    fn id(&self) -> &str;

    /// The others that are there. Quick enough to be asked before a call: no disk write, one round trip at most.
    fn others(&self) -> Result<Vec<Seen>>;

    /// Takes its presence back, as the process ends now; whoever still holds it may say nothing any more. Blocks for
    /// some milliseconds. Nothing is to be done where the end of a process ends its presence.
    fn leave(&self) {}
}

impl Neighbours for Presence {
    fn id(&self) -> &str {
        Self::id(self)
    }

    fn others(&self) -> Result<Vec<Seen>> {
        Self::others(self)
    }
}
