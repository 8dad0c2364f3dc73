//! A task as it moves, from whichever process.

use std::sync::Arc;
use std::time::Duration;

use gabier_store::queue::{Ms, Queue, State, Task, TaskChange, TaskId};
use gabier_tool::{Clock, Error, Result};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::backing::store_error;

/// How often the store is asked when nothing is heard.
const POLL: Duration = Duration::from_secs(1);

/// The states of one task, each once.
pub(crate) struct Follow {
    queue: Arc<dyn Queue>,
    clock: Arc<dyn Clock>,
    changes: Receiver<TaskChange>,
    id: TaskId,
    seen: Option<(State, Ms)>,
}

impl Follow {
    /// Follows a task from now on: nothing that happens after this call is missed.
    pub(crate) fn new(queue: Arc<dyn Queue>, clock: Arc<dyn Clock>, id: TaskId) -> Self {
        let changes = queue.changes();
        Self { queue, clock, changes, id, seen: None }
    }

    /// The task as it is when first asked, then whenever it differs. May be dropped and asked again.
    pub(crate) async fn next(&mut self) -> Result<Task> {
        loop {
            if self.seen.is_some() {
                self.wait().await;
            }
            let task =
                self.queue.get(&self.id).await.map_err(|error| store_error("reading a task", error))?;
            let task = task.ok_or_else(|| unknown(self.id.as_str()))?;
            let mark = (task.state, task.updated);
            if self.seen != Some(mark) {
                self.seen = Some(mark);
                return Ok(task);
            }
        }
    }

    /// Waits until the task may have changed.
    async fn wait(&mut self) {
        let poll = self.clock.sleep(POLL);
        tokio::pin!(poll);
        loop {
            tokio::select! {
                () = &mut poll => return,
                change = self.changes.recv() => match change {
                    Ok(TaskChange::Task(id)) if id == self.id => return,
                    Ok(TaskChange::Task(_) | TaskChange::Work(_)) => {}
                    Ok(TaskChange::Anything) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => {
                        (&mut poll).await;
                        return;
                    }
                },
            }
        }
    }
}

/// A task that is not there, or not this caller's: the same words for both.
pub(crate) fn unknown(id: &str) -> Error {
    Error::not_found(format!("there is no task {id:?}")).with_next("task_queue lists your tasks")
}
