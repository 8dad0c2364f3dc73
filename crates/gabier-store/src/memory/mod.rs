//! A store in the memory of one process, gone with it.

mod changes;
mod claims;
mod deliveries;
mod outputs;
mod queue;
mod records;
mod search;
mod tasks;

use std::sync::{Arc, Mutex};

use tokio::sync::{broadcast, watch};

use self::records::Contents;
use self::tasks::Tasks;
use crate::Clock;
use crate::queue::TaskChange;

/// How many changes a listener may fall behind.
const BACKLOG: usize = 1_024;

/// A store for tests and for a server that keeps nothing. Clones share what it holds.
#[derive(Debug, Clone)]
pub struct Memory {
    contents: Arc<Mutex<Contents>>,
    generation: Arc<watch::Sender<u64>>,
    tasks: Arc<Mutex<Tasks>>,
    clock: Clock,
    changes: broadcast::Sender<TaskChange>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::with_clock(Clock::default())
    }
}

impl Memory {
    /// A store whose tasks live by this clock.
    pub fn with_clock(clock: Clock) -> Self {
        Self {
            contents: Arc::default(),
            generation: Arc::new(watch::Sender::new(0)),
            tasks: Arc::default(),
            clock,
            changes: broadcast::Sender::new(BACKLOG),
        }
    }
}
