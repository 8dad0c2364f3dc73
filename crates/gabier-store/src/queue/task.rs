//! A task: what was asked, and what became of it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Ms, State, rules};

/// The name of a task: a random UUID (version 4) in lower-case text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(String);

impl TaskId {
    /// The id with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The number of a claim, never used twice for a task: what an older claim writes is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fence(pub u64);

/// Who holds tasks: in a shared directory the name of the process's presence.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub String);

/// A task to be added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewTask {
    /// Its name.
    pub id: TaskId,
    /// Its queue.
    pub queue: String,
    /// The tool it runs.
    pub tool: String,
    /// What sort of task it is for statistics (`ssh`, `ssh_interactive`, `ssh_sequence`, `sftp`, `tool`).
    pub kind: String,
    /// The host it speaks to.
    pub alias: Option<String>,
    /// One line that shows what it does, for lists and searches: a command, a transfer.
    pub label: Option<String>,
    /// Whose it is: a caller's subject.
    pub owner: String,
    /// What makes a second submission the same as the first.
    pub idempotency_key: Option<String>,
    /// Lower starts earlier; 0 first.
    pub priority: u32,
    /// Not before.
    pub run_at: Option<Ms>,
    /// Expires when it waits at that time, for its start or for the next one.
    pub deadline: Option<Ms>,
    /// How long it is worth asking for after its creation.
    pub ttl: Option<Ms>,
    /// Starts in all, crashes included.
    pub max_attempts: u32,
    /// Whether it may be started again after its worker was lost.
    pub retry_safe: bool,
    /// The tool's arguments, without secrets.
    pub arguments: Value,
    /// What the engine above keeps with it.
    pub context: Value,
    /// Where its webhooks go.
    pub callback: Option<String>,
    /// What follows it.
    pub then: Vec<Then>,
    /// The task that this one repeats.
    pub retried_from: Option<TaskId>,
    /// How often it was repeated by request.
    pub retry_count: u32,
    /// The task that this one is a part of.
    pub parent: Option<TaskId>,
    /// Who runs it from the start, and for how long without a beat.
    #[serde(skip)]
    pub claim: Option<(WorkerId, Ms)>,
}

impl NewTask {
    /// A task of which nothing is said but this: it waits for a place like most others, and is started once.
    pub fn new(
        id: TaskId,
        queue: impl Into<String>,
        tool: impl Into<String>,
        owner: impl Into<String>,
    ) -> Self {
        Self {
            id,
            queue: queue.into(),
            tool: tool.into(),
            kind: "tool".to_owned(),
            alias: None,
            label: None,
            owner: owner.into(),
            idempotency_key: None,
            priority: USUAL_PRIORITY,
            run_at: None,
            deadline: None,
            ttl: None,
            max_attempts: 1,
            retry_safe: false,
            arguments: Value::Object(Map::new()),
            context: Value::Object(Map::new()),
            callback: None,
            then: Vec::new(),
            retried_from: None,
            retry_count: 0,
            parent: None,
            claim: None,
        }
    }
}

/// The priority of a task for which none was asked.
const USUAL_PRIORITY: u32 = 10;

/// What follows a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Then {
    /// After which outcome.
    pub on: ThenOn,
    /// The tool.
    pub tool: String,
    /// Its arguments, checked when it starts.
    #[serde(default)]
    pub arguments: Map<String, Value>,
}

/// After which outcome something follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThenOn {
    /// The task completed.
    Completed,
    /// It ended in any other way.
    Failed,
    /// It ended.
    Any,
}

/// How far a task is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Done so far, in the unit of `total`.
    pub done: f64,
    /// All there is to do, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<f64>,
    /// What is being done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A stored task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// What was asked.
    #[serde(flatten)]
    pub asked: NewTask,
    /// What it is now.
    pub state: State,
    /// How often it was started.
    pub attempt: u32,
    /// The number of the present or last claim.
    pub fence: Fence,
    /// Who holds it.
    pub worker: Option<WorkerId>,
    /// Until when, without a beat.
    pub lease_until: Option<Ms>,
    /// When it may next be claimed, while it waits for a time.
    pub due: Option<Ms>,
    /// Why it should stop, once somebody cancelled it.
    pub cancel: Option<String>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// What it left.
    pub result: Option<Value>,
    /// Why the last attempt failed.
    pub error: Option<Value>,
    /// Questions by key that wait for an answer.
    pub questions: Map<String, Value>,
    /// Answers by key.
    pub answers: Map<String, Value>,
    /// Whether it lies among the dead letters.
    pub dead_letter: bool,
    /// When it was added.
    pub created: Ms,
    /// When its last attempt started.
    pub started: Option<Ms>,
    /// When it ended.
    pub finished: Option<Ms>,
    /// When anything of it last changed, progress included.
    pub updated: Ms,
}

impl Task {
    /// A task as it is when it is added.
    pub fn added(mut asked: NewTask, now: Ms) -> Self {
        let state = rules::first_state(&asked, now);
        let claim = asked.claim.take();
        let is_claimed = claim.is_some();
        let (worker, lease) = claim.unzip();
        Self {
            state,
            attempt: u32::from(is_claimed),
            fence: Fence(u64::from(is_claimed)),
            worker,
            lease_until: lease.map(|lease| now + lease),
            due: asked.run_at.filter(|_| state == State::Scheduled),
            cancel: None,
            progress: None,
            result: None,
            error: None,
            questions: Map::new(),
            answers: Map::new(),
            dead_letter: false,
            created: now,
            started: is_claimed.then_some(now),
            finished: None,
            updated: now,
            asked,
        }
    }

    /// A task that was added and started at one moment and ended at another, with its first attempt.
    pub fn ended(asked: NewTask, state: State, from: Ms, to: Ms) -> Self {
        let to = to.max(from);
        Self {
            state,
            attempt: 1,
            fence: Fence(1),
            started: Some(from),
            finished: Some(to),
            updated: to,
            ..Self::added(asked, from)
        }
    }

    /// How long its last attempt took.
    pub fn ran(&self) -> Option<Ms> {
        Some((self.finished? - self.started?).max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> NewTask {
        NewTask::new(TaskId::new("a"), "async-tasks", "demo", "ann")
    }

    #[test]
    fn what_is_added_waits_for_a_place_or_for_its_time_or_is_claimed() {
        let pending = Task::added(asked(), 5);
        assert_eq!((pending.state, pending.attempt, pending.due), (State::Pending, 0, None));
        let scheduled = Task::added(NewTask { run_at: Some(9), ..asked() }, 5);
        assert_eq!((scheduled.state, scheduled.due), (State::Scheduled, Some(9)));
        let claimed = Task::added(NewTask { claim: Some((WorkerId("w".to_owned()), 3)), ..asked() }, 5);
        assert_eq!((claimed.state, claimed.lease_until, claimed.started), (State::Running, Some(8), Some(5)));
        assert_eq!(claimed.asked.claim, None);
    }

    #[test]
    fn what_ended_ran_once_and_never_backwards() {
        let ended = Task::ended(asked(), State::Failed, 5, 9);
        assert_eq!((ended.state, ended.attempt, ended.ran()), (State::Failed, 1, Some(4)));
        assert_eq!(Task::ended(asked(), State::Failed, 5, 2).ran(), Some(0));
    }
}
