//! Tasks as faces see them: what became of calls that outlived their request.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;

use crate::call::{Answer, Progress, Question};
use crate::caller::Caller;
use crate::clock::Timestamp;
use crate::envelope::Reply;
use crate::error::Result;

/// The tasks of an engine. An unknown id and another's task give the same `NOT_FOUND`.
pub trait Board: Send + Sync + 'static {
    /// One task of the caller's.
    fn look<'a>(&'a self, caller: &'a Caller, id: &'a str) -> BoxFuture<'a, Result<TaskState>>;

    /// Gives answers by the keys of questions; what was not asked or is answered already is ignored.
    fn answer<'a>(
        &'a self,
        caller: &'a Caller,
        id: &'a str,
        answers: HashMap<String, Answer>,
    ) -> BoxFuture<'a, Result<()>>;

    /// Asks a task to end.
    fn cancel<'a>(&'a self, caller: &'a Caller, id: &'a str) -> BoxFuture<'a, Result<()>>;

    /// The ids of all callers' tasks that run on a host now, in any process: a hundred at most.
    fn running_on<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<String>>>;

    /// A task as it moves: its present state at once, then each that differs, to its end.
    fn watch<'a>(
        &'a self,
        caller: &'a Caller,
        id: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, TaskState>>>;
}

/// A task at one moment.
#[derive(Debug)]
pub struct TaskState {
    /// Its id.
    pub id: String,
    /// The tool it runs.
    pub tool: String,
    /// Its status, a word of tools.md §4.1.
    pub status: &'static str,
    /// What that means to whoever waits.
    pub phase: Phase,
    /// One line about it, such as `queued, 3 ahead`.
    pub message: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// How long after its creation it can be asked for.
    pub ttl: Option<Duration>,
    /// How far it is.
    pub progress: Option<Progress>,
    /// What it must still know, of phase [`Phase::InputRequired`].
    pub questions: Vec<Question>,
    /// Its answer, of phase [`Phase::Completed`].
    pub reply: Option<Reply>,
}

/// What a task's status means to whoever waits for it (SEP-2663).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not at its end.
    Working,
    /// Waits for answers.
    InputRequired,
    /// At its end, with an answer: a result or a failure of its tool.
    Completed,
    /// At its end without an answer: it was lost, or never started.
    Failed,
    /// At its end by request.
    Cancelled,
}

impl Phase {
    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::InputRequired => "input_required",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// True when nothing follows.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}
