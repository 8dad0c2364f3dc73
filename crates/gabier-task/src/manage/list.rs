//! Lists of tasks: the present ones, and what was.

use gabier_store::queue::{Cursor, Filter, Page, State, Task};
use gabier_tool::{Caller, Error, Result, Timestamp, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kept::{self, timestamp};
use crate::show::ShownTask;
use crate::tasks::{Tasks, scope};

/// The longest page.
const MOST: usize = 1000;

/// Which tasks are meant; all that fit everything that is said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    /// In this state: a word of [`State::name`].
    pub status: Option<String>,
    /// Of this tool.
    pub tool: Option<String>,
    /// To this host.
    pub alias: Option<String>,
    /// With this text in the tool's name, the command, the arguments or the stored output.
    pub search: Option<String>,
    /// Made at or after.
    pub since: Option<Timestamp>,
    /// Made at least so many seconds ago.
    pub older_than_s: Option<u64>,
}

/// A page of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskPage {
    /// The tasks, newest first.
    pub tasks: Vec<ShownTask>,
    /// How many are on this page.
    pub count: usize,
    /// Where the next page begins, when there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A page of what was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct History {
    /// The entries, newest first.
    pub entries: Vec<HistoryEntry>,
    /// Where the next page begins, when there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// What was done once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryEntry {
    /// The task.
    pub id: String,
    /// When it was made.
    pub timestamp: String,
    /// What sort of task it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The tool.
    pub tool: String,
    /// The host it spoke to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// What it did, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// How it stands.
    pub status: String,
    /// The exit code of its command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// How long it took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
}

impl Selection {
    /// As the store selects, at a moment of its clock.
    pub(crate) fn filter(&self, caller: &Caller, now: i64) -> Result<Filter> {
        let states = match self.status.as_deref() {
            None => Vec::new(),
            Some(word) => vec![State::parse(word).ok_or_else(|| {
                let words: Vec<&str> = State::ALL.into_iter().map(State::name).collect();
                Error::invalid("status", format!("must be one of {}", words.join(", ")))
            })?],
        };
        let before = self.older_than_s.and_then(|seconds| i64::try_from(seconds).ok());
        Ok(Filter {
            owner: scope(caller).map(str::to_owned),
            states,
            tool: self.tool.clone(),
            alias: self.alias.clone(),
            since: self.since.map(|since| since.timestamp_millis()),
            before: before.map(|seconds| now.saturating_sub(seconds.saturating_mul(1000))),
            search: self.search.clone(),
            ..Filter::default()
        })
    }
}

impl Tasks {
    /// A page of the caller's tasks.
    pub async fn list(
        &self,
        caller: &Caller,
        selection: &Selection,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<TaskPage> {
        let page = self.page(caller, selection, limit, cursor).await?;
        let tasks: Vec<ShownTask> = page.items.iter().map(|task| self.0.show(task)).collect();
        Ok(TaskPage { count: tasks.len(), tasks, next_cursor: page.next.map(|next| next.0) })
    }

    /// A page of what the caller did.
    pub async fn history(
        &self,
        caller: &Caller,
        selection: &Selection,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<History> {
        let page = self.page(caller, selection, limit, cursor).await?;
        Ok(History {
            entries: page.items.iter().map(HistoryEntry::of).collect(),
            next_cursor: page.next.map(|next| next.0),
        })
    }

    async fn page(
        &self,
        caller: &Caller,
        selection: &Selection,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Page<Task>> {
        let filter = selection.filter(caller, self.0.now_ms())?;
        let queue = self.0.queue()?;
        self.0.ask("listing tasks", queue.list(filter, cursor.map(Cursor), limit.clamp(1, MOST))).await
    }
}

impl HistoryEntry {
    fn of(task: &Task) -> Self {
        let result = kept::result(task);
        let exit_code =
            result.as_ref().and_then(|result| result.data.get("exit_code")).and_then(Value::as_i64);
        Self {
            id: task.asked.id.to_string(),
            timestamp: iso(timestamp(task.created)),
            kind: task.asked.kind.clone(),
            tool: task.asked.tool.clone(),
            alias: task.asked.alias.clone(),
            command: task.asked.label.clone(),
            status: task.state.name().to_owned(),
            exit_code,
            duration_ms: task.ran(),
        }
    }
}
