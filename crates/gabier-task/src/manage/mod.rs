//! The engine's side of the task tools: what callers see of tasks and do with them.

mod cancel;
mod dead_letters;
mod deliveries;
mod list;
mod output;
mod queues;
mod retry;
mod stats;
mod wait;

use gabier_store::queue::{Task, TaskId};
use gabier_tool::{Caller, Error, ErrorKind, Result};

pub use cancel::Cancelled;
pub use dead_letters::{DeadLetter, DeadLetters, FailureReason};
pub use deliveries::{Deliveries, ShownDelivery};
pub use list::{History, HistoryEntry, Selection, TaskPage};
pub use output::{OutputLines, OutputQuery};
pub use queues::QueueState;
pub use retry::Retried;
pub use stats::{QueueStats, Retryable};

use crate::follow::unknown;
use crate::show::ShownTask;
use crate::tasks::{Engine, Tasks, scope};

/// The shortest part of an id that names a task.
const SHORTEST_PREFIX: usize = 8;

/// The length of a whole id.
const ID: usize = 36;

impl Tasks {
    /// The caller's task of that id or unique prefix. An unknown task and another's give the same `NOT_FOUND`.
    pub async fn find(&self, caller: &Caller, id: &str) -> Result<Task> {
        self.0.find(caller, id).await
    }

    /// One task as it is shown.
    pub async fn status(&self, caller: &Caller, id: &str) -> Result<ShownTask> {
        let task = self.find(caller, id).await?;
        Ok(self.0.show(&task))
    }
}

impl Engine {
    pub(crate) async fn find(&self, caller: &Caller, id: &str) -> Result<Task> {
        let queue = self.queue()?;
        let id = id.trim().to_ascii_lowercase();
        let whole = if id.len() >= ID {
            TaskId::new(id.as_str())
        } else if id.len() < SHORTEST_PREFIX {
            return Err(Error::invalid("id", "must be a task's id, or its first 8 characters or more"));
        } else {
            let ids = self.ask("finding a task", queue.complete(scope(caller), &id)).await?;
            match <[TaskId; 1]>::try_from(ids) {
                Ok([whole]) => whole,
                Err(ids) if ids.is_empty() => return Err(unknown(&id)),
                Err(ids) => {
                    let ids: Vec<&str> = ids.iter().map(TaskId::as_str).collect();
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        format!("{id} is the beginning of several ids"),
                    )
                    .with("ids", ids));
                }
            }
        };
        let task = self.ask("reading a task", queue.get(&whole)).await?;
        let owner = scope(caller);
        task.filter(|task| owner.is_none_or(|owner| task.asked.owner == owner)).ok_or_else(|| unknown(&id))
    }

    pub(crate) fn show(&self, task: &Task) -> ShownTask {
        ShownTask::of(task, self.now_ms())
    }
}
