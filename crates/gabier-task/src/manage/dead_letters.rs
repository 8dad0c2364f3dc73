//! Dead letters: tasks that used up their attempts.

use gabier_store::queue::{Cursor, Filter, Task};
use gabier_tool::{Caller, Error, ErrorKind, Result, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::follow::unknown;
use crate::kept::{self, timestamp};
use crate::manage::Retried;
use crate::tasks::{Tasks, scope};

/// The most dead letters of one call.
const MOST: usize = 1000;

/// A page of dead letters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetters {
    /// The entries, newest first.
    pub entries: Vec<DeadLetter>,
    /// How many are on this page.
    pub count: usize,
    /// Where the next page begins, when there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One task that used up its attempts, with what was asked of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The task.
    pub id: String,
    /// The same id, under the name of older clients.
    pub original_job_id: String,
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// When it was made.
    pub created_at: String,
    /// When it failed for good.
    pub failed_at: String,
    /// How often it was started.
    pub attempts: u32,
    /// Why it failed.
    pub failure_reason: FailureReason,
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailureReason {
    /// What was being done to what.
    pub message: String,
    /// The sort of failure, for people.
    pub name: String,
    /// The code of the failure.
    #[serde(rename = "type")]
    pub kind: String,
    /// More about it.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub details: Map<String, Value>,
}

impl FailureReason {
    /// Why an ended task has no result.
    pub(crate) fn of(task: &Task) -> Self {
        let error = kept::error(task);
        let code = error.kind().code();
        let mut details = error.details().clone();
        details.shift_remove("task_id");
        Self { message: error.message().to_owned(), name: "Error".to_owned(), kind: code.to_owned(), details }
    }
}

impl DeadLetter {
    fn of(task: &Task) -> Self {
        let asked = &task.asked;
        Self {
            id: asked.id.to_string(),
            original_job_id: asked.id.to_string(),
            tool: asked.tool.clone(),
            arguments: asked.arguments.clone(),
            created_at: iso(timestamp(task.created)),
            failed_at: iso(timestamp(task.finished.unwrap_or(task.updated))),
            attempts: task.attempt,
            failure_reason: FailureReason::of(task),
        }
    }
}

impl Tasks {
    /// A page of the caller's dead letters.
    pub async fn dead_letters(
        &self,
        caller: &Caller,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<DeadLetters> {
        let queue = self.0.queue()?;
        let list = queue.list(all_of(caller), cursor.map(Cursor), limit.clamp(1, MOST));
        let page = self.0.ask("listing dead letters", list).await?;
        let entries: Vec<DeadLetter> = page.items.iter().map(DeadLetter::of).collect();
        Ok(DeadLetters { count: entries.len(), entries, next_cursor: page.next.map(|next| next.0) })
    }

    /// One of the caller's dead letters.
    pub async fn dead_letter(&self, caller: &Caller, id: &str) -> Result<DeadLetter> {
        self.dead_task(caller, id).await.map(|task| DeadLetter::of(&task))
    }

    /// Starts dead letters anew: the one of that id, or all of the caller's. An entry leaves once its new task
    /// completes.
    pub async fn retry_dead(&self, caller: &Caller, id: Option<&str>) -> Result<Retried> {
        if let Some(id) = id {
            let task = self.dead_task(caller, id).await?;
            let retried = vec![self.0.retry(caller, &task).await?.to_string()];
            return Ok(Retried { retried, refused: Vec::new() });
        }
        let queue = self.0.queue()?;
        let page = self.0.ask("listing dead letters", queue.list(all_of(caller), None, MOST)).await?;
        Ok(self.0.retry_all(caller, page.items.iter()).await)
    }

    /// Takes dead letters out: the one of that id, or all of the caller's that are older than so many seconds, which
    /// needs `force`. Their history stays. Gives how many were there.
    pub async fn purge_dead(
        &self,
        caller: &Caller,
        id: Option<&str>,
        older_than_s: Option<u64>,
        force: bool,
    ) -> Result<u64> {
        let queue = self.0.queue()?;
        let mut filter = all_of(caller);
        match id {
            Some(id) => filter.ids = Some(vec![self.dead_task(caller, id).await?.asked.id]),
            None if !force => {
                return Err(Error::new(ErrorKind::ConfirmationRequired, "purging all dead letters")
                    .with_next("repeat the call with force=true"));
            }
            None => {
                let age = older_than_s.and_then(|seconds| i64::try_from(seconds).ok());
                filter.before = age.map(|seconds| self.0.now_ms() - seconds.saturating_mul(1000));
            }
        }
        self.0.ask("purging dead letters", queue.bury(filter)).await
    }

    async fn dead_task(&self, caller: &Caller, id: &str) -> Result<Task> {
        let task = self.find(caller, id).await?;
        if task.dead_letter { Ok(task) } else { Err(unknown(id)) }
    }
}

fn all_of(caller: &Caller) -> Filter {
    Filter { dead_letter: Some(true), ..Filter::owned_by(scope(caller)) }
}
