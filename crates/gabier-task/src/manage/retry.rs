//! Starting tasks anew, as other tasks.

use gabier_store::queue::{NewTask, State, Task, TaskId};
use gabier_tool::{Caller, Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::id::task_id;
use crate::manage::Selection;
use crate::show::{MAX_RETRIES, ShownTask};
use crate::submit::id_of;
use crate::tasks::{BACKGROUND, Engine, Tasks};

/// The most tasks that one call starts anew.
const MOST: usize = 1000;

/// Tasks that were started anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    /// The ids of the new tasks.
    pub retried: Vec<String>,
    /// Tasks that could not be, each with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub refused: Vec<String>,
}

impl Tasks {
    /// Starts an ended task anew; the caller must be allowed to run it now. `RETRY_LIMIT_EXCEEDED` after three times.
    pub async fn retry_one(&self, caller: &Caller, id: &str) -> Result<ShownTask> {
        let task = self.find(caller, id).await?;
        let new = self.0.retry(caller, &task).await?;
        self.status(caller, new.as_str()).await
    }

    /// Starts all of the caller's tasks anew that a selection means and that may be.
    pub async fn retry_many(&self, caller: &Caller, selection: &Selection) -> Result<Retried> {
        let mut filter = selection.filter(caller, self.0.now_ms())?;
        if filter.states.is_empty() {
            filter.states = State::ALL.into_iter().filter(|state| state.can_retry()).collect();
        }
        let queue = self.0.queue()?;
        let page = self.0.ask("listing tasks", queue.list(filter, None, MOST)).await?;
        let tasks = page.items.iter().filter(|task| task.state.can_retry());
        Ok(self.0.retry_all(caller, tasks).await)
    }
}

impl Engine {
    /// Starts tasks anew, as far as that may be.
    pub(crate) async fn retry_all(&self, caller: &Caller, tasks: impl Iterator<Item = &Task>) -> Retried {
        let mut answer = Retried { retried: Vec::new(), refused: Vec::new() };
        for task in tasks {
            match self.retry(caller, task).await {
                Ok(id) => answer.retried.push(id.to_string()),
                Err(error) => answer.refused.push(format!("{}: {error}", task.asked.id)),
            }
        }
        answer
    }

    /// Starts one task anew.
    pub(crate) async fn retry(&self, caller: &Caller, task: &Task) -> Result<TaskId> {
        let asked = &task.asked;
        if !task.state.can_retry() {
            let message = format!("task {} cannot be started anew: it is {}", asked.id, task.state);
            return Err(Error::new(ErrorKind::Conflict, message).with("status", task.state.name()));
        }
        if asked.retry_count >= MAX_RETRIES {
            let message = format!("task {} was started anew {MAX_RETRIES} times", asked.id);
            return Err(Error::new(ErrorKind::RetryLimitExceeded, message)
                .with_next(format!("call {} again", asked.tool)));
        }
        if Context::read(task).is_secret {
            let message = format!("task {} had secrets, which are not kept", asked.id);
            return Err(
                Error::new(ErrorKind::Conflict, message).with_next(format!("call {} again", asked.tool))
            );
        }
        let dispatch = self.dispatch()?;
        let entry = dispatch.catalog().find(&asked.tool)?;
        dispatch.guards().authority.authorise(caller, entry, entry.facts.needs, &asked.arguments)?;
        let new = NewTask {
            id: task_id()?,
            queue: BACKGROUND.to_owned(),
            owner: caller.subject.to_string(),
            idempotency_key: None,
            run_at: None,
            deadline: None,
            retried_from: Some(asked.id.clone()),
            retry_count: asked.retry_count + 1,
            ..asked.clone()
        };
        self.vet_callback(&new).await?;
        let stored = self.enqueue(&self.backing()?, new).await?;
        Ok(id_of(&stored).clone())
    }
}
