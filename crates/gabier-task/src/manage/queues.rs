//! Pausing queues.

use gabier_tool::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tasks::Tasks;

/// A queue and whether it is paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueueState {
    /// The queue.
    pub queue: String,
    /// Whether nothing of it starts.
    pub paused: bool,
}

impl Tasks {
    /// Stops or resumes the starting of a queue's tasks; running ones go on.
    pub async fn pause(&self, queue: &str, paused: bool) -> Result<QueueState> {
        let store = self.0.queue()?;
        self.0.ask("pausing a queue", store.pause(queue, paused)).await?;
        Ok(QueueState { queue: queue.to_owned(), paused })
    }
}
