//! A task as people and models see it (tools.md §4.1).

use gabier_store::queue::{State, Task};
use gabier_tool::iso;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::kept::{self, timestamp};

/// How often a task may be repeated by request.
pub const MAX_RETRIES: u32 = 3;

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShownTask {
    /// Its id.
    pub id: String,
    /// The tool it runs.
    pub tool: String,
    /// What sort of task it is: `tool`, `ssh`, `ssh_interactive`, `ssh_sequence`, `sftp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The host it speaks to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The command it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cmd: Option<Value>,
    /// The commands it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commands: Option<Value>,
    /// Which way files go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub direction: Option<Value>,
    /// The local path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub local: Option<Value>,
    /// The remote path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<Value>,
    /// The files it moves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Value>,
    /// How it stands: pending, scheduled, running, completed, failed, partial, `timed_out`, crashed, unknown,
    /// cancelled, expired, `input_required`, `pending_approval`.
    pub status: String,
    /// When it was made.
    pub created_at: String,
    /// When its last attempt started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// When its next attempt is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
    /// How long its last attempt took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    /// Which attempt it is at.
    pub attempt: u32,
    /// How many attempts it may have.
    pub max_attempts: u32,
    /// How often it was repeated by request.
    pub retry_count: u32,
    /// How often it may be repeated by request.
    pub max_retries: u32,
    /// The task that it repeats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried_from: Option<String>,
    /// The task that it follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// Whether `task_retry` may start it anew.
    pub can_retry: bool,
    /// Whether it lies among the dead letters.
    pub dead_letter: bool,
    /// After how many seconds it reminds that it still runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rappel: Option<f64>,
    /// The reminder, once that long has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder: Option<String>,
    /// How far it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<ShownProgress>,
    /// What it must still know: questions by key.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub questions: Map<String, Value>,
    /// What it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it failed, or its last attempt did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// Whether its cancelled work was really stopped: `verified`, `unverified`, `unreachable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Where its webhooks go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    /// Whether its output is cut.
    pub truncated: bool,
}

/// How far a task is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShownProgress {
    /// Done so far.
    pub done: f64,
    /// All there is to do, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl ShownTask {
    /// A stored task at a moment of the store's clock.
    pub(crate) fn of(task: &Task, now: i64) -> Self {
        let asked = &task.asked;
        let argument = |name: &str| asked.arguments.get(name).filter(|value| !value.is_null()).cloned();
        let error = shown_error(task);
        let result = kept::result(task).map(|result| result.data);
        let rappel = Context::read(task).terms.rappel;
        Self {
            id: asked.id.to_string(),
            tool: asked.tool.clone(),
            kind: asked.kind.clone(),
            alias: asked.alias.clone(),
            cmd: argument("cmd"),
            commands: argument("commands"),
            direction: argument("direction"),
            local: argument("local"),
            remote: argument("remote"),
            files: argument("files"),
            status: task.state.name().to_owned(),
            created_at: iso(timestamp(task.created)),
            started_at: task.started.map(|at| iso(timestamp(at))),
            finished_at: task.finished.map(|at| iso(timestamp(at))),
            next_at: task.due.filter(|_| task.state == State::Scheduled).map(|at| iso(timestamp(at))),
            duration_ms: task.ran(),
            attempt: task.attempt,
            max_attempts: asked.max_attempts,
            retry_count: asked.retry_count,
            max_retries: MAX_RETRIES,
            retried_from: asked.retried_from.as_ref().map(ToString::to_string),
            parent: asked.parent.as_ref().map(ToString::to_string),
            can_retry: can_retry(task),
            dead_letter: task.dead_letter,
            rappel,
            reminder: rappel.and_then(|rappel| reminder(task, rappel, now)),
            progress: task.progress.clone().map(|progress| ShownProgress {
                done: progress.done,
                total: progress.total,
                message: progress.message,
            }),
            questions: task.questions.clone(),
            stopped: error.as_ref().and_then(|error| {
                (task.state == State::Cancelled)
                    .then(|| error["details"]["stopped"].as_str().map(str::to_owned))?
            }),
            truncated: result
                .as_ref()
                .and_then(|result| result.get("truncated"))
                .is_some_and(|mark| mark == true),
            result,
            error,
            callback_url: asked.callback.clone(),
        }
    }
}

/// Whether a task may be started anew as another one.
pub(crate) fn can_retry(task: &Task) -> bool {
    task.state.can_retry() && task.asked.retry_count < MAX_RETRIES && !Context::read(task).is_secret
}

fn shown_error(task: &Task) -> Option<Value> {
    if task.state.is_terminal() && !matches!(task.state, State::Completed | State::Partial) {
        let error = kept::error(task);
        return Some(json!({
            "code": error.kind().code(),
            "message": error.message(),
            "details": error.details(),
            "next": error.next(),
            "retriable": error.is_retriable(),
        }));
    }
    task.error.clone()
}

fn reminder(task: &Task, rappel: f64, now: i64) -> Option<String> {
    let running_ms = now - task.started?;
    #[expect(clippy::cast_precision_loss, reason = "a span of milliseconds")]
    let seconds = running_ms as f64 / 1000.0;
    (task.state == State::Running && seconds >= rappel)
        .then(|| format!("{} still runs after {seconds:.0} s", task.asked.tool))
}

/// One line about a task that has not ended, for whoever waits.
pub(crate) fn message(task: &Task, ahead: Option<u64>, now: i64) -> Option<String> {
    match task.state {
        State::Pending => {
            Some(ahead.map_or_else(|| "queued".to_owned(), |ahead| format!("queued, {ahead} ahead")))
        }
        State::Scheduled => {
            let seconds = (task.due? - now).max(0).unsigned_abs().div_ceil(1000);
            Some(match task.attempt {
                0 => format!("starts in {seconds} s"),
                done => format!("try {} of {} in {seconds} s", done + 1, task.asked.max_attempts),
            })
        }
        State::Running => task.progress.as_ref().map(|progress| {
            let part = progress
                .total
                .filter(|total| *total > 0.0)
                .map(|total| format!("{:.0} %", (progress.done / total * 100.0).clamp(0.0, 100.0)));
            [part, progress.message.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }),
        State::InputRequired => Some("waits for an answer".to_owned()),
        State::PendingApproval => Some("waits for an approval".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use gabier_store::queue::{Fence, NewTask, Progress, TaskId};

    use super::*;

    pub(crate) fn task(state: State) -> Task {
        let id = TaskId::new("0f5b2c1e-0000-4000-8000-000000000000");
        let asked = NewTask {
            max_attempts: 3,
            retry_safe: true,
            arguments: json!({"cmd": "uptime"}),
            context: json!({"terms": {"rappel": 5.0}}),
            ..NewTask::new(id, "async-tasks", "copy", "user:1000")
        };
        Task {
            state,
            attempt: 1,
            fence: Fence(1),
            started: Some(1_000),
            updated: 1_000,
            ..Task::added(asked, 0)
        }
    }

    #[test]
    fn a_waiting_task_says_for_what() {
        assert_eq!(message(&task(State::Pending), Some(3), 0).as_deref(), Some("queued, 3 ahead"));
        let mut scheduled = task(State::Scheduled);
        scheduled.due = Some(4_500);
        assert_eq!(message(&scheduled, None, 1_000).as_deref(), Some("try 2 of 3 in 4 s"));
        scheduled.attempt = 0;
        assert_eq!(message(&scheduled, None, 5_000).as_deref(), Some("starts in 0 s"));
    }

    #[test]
    fn a_running_task_says_how_far_it_is() {
        let mut running = task(State::Running);
        assert_eq!(message(&running, None, 0), None);
        running.progress =
            Some(Progress { done: 31.0, total: Some(50.0), message: Some("copying".to_owned()) });
        assert_eq!(message(&running, None, 0).as_deref(), Some("62 % copying"));
    }

    #[test]
    fn a_reminder_comes_once_its_time_has_passed_and_the_task_still_runs() {
        let shown = |state, now| ShownTask::of(&task(state), now).reminder;
        assert_eq!(shown(State::Running, 5_000), None);
        assert_eq!(shown(State::Running, 6_000).as_deref(), Some("copy still runs after 5 s"));
        assert_eq!(shown(State::Completed, 60_000), None);
    }

    #[test]
    fn a_crashed_task_can_be_retried_thrice() {
        let mut crashed = task(State::Crashed);
        assert!(ShownTask::of(&crashed, 0).can_retry);
        assert_eq!(ShownTask::of(&crashed, 0).cmd, Some(json!("uptime")));
        crashed.asked.retry_count = MAX_RETRIES;
        assert!(!ShownTask::of(&crashed, 0).can_retry);
    }
}
