//! One attempt at a task: from its claim to the word on what becomes of it. It goes through the dispatch like a call.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use gabier_store::queue::{End, Ended, State, Task};
use gabier_tool::{
    Attempt, Call, Dispatch, Entry, Envelope, Error, ErrorKind, Patience, Reply, Result, Retry, Surface,
};
use serde_json::{Map, Value};

use crate::backing::Backing;
use crate::context::Context;
use crate::feedback::{Live, TaskFeedback};
use crate::kept::{KeptError, KeptResult};
use crate::lease::{Hold, Stop};
use crate::retry::{self, Verdict};
use crate::tasks::{Engine, has_worker};

/// How long a cancelled attempt may take to end; a tool that does not end by itself is dropped at once by dispatch.
const GRACE: Duration = Duration::from_secs(11);

/// How long a task is kept from others that this process cannot run now.
const PAUSE: Duration = Duration::from_secs(1);

/// A claimed task about to run.
pub(crate) struct Start {
    pub(crate) task: Task,
    /// When its claim was asked for, on the monotonic clock.
    pub(crate) asked: Duration,
    /// The arguments that are not kept.
    pub(crate) secrets: Option<Arc<Value>>,
    /// Whoever waits here.
    pub(crate) live: Live,
}

impl Engine {
    /// Runs one attempt. `None` when it is no longer this process's to end; else the lease is held until
    /// [`Engine::let_go`].
    pub(crate) async fn attempt(self: &Arc<Self>, backing: &Backing, start: Start) -> Option<Ended> {
        let Start { task, asked, secrets, live } = start;
        let (id, fence) = (task.asked.id.clone(), task.fence);
        let hold = self.leases.hold(&id, fence, asked);
        self.keep_beating(backing);
        let how = match self.dispatch() {
            Ok(dispatch) => {
                let redactor = Arc::clone(&dispatch.guards().redactor);
                let feedback =
                    Arc::new(TaskFeedback::new(live, redactor, Context::read(&task).answers(&task)));
                let how = tokio::select! {
                    biased;
                    () = hold.lost.cancelled() => None,
                    how = self.run(backing, &dispatch, &task, &hold, &feedback, secrets) => how,
                    () = feedback.keep(&*backing.queue, &*self.clock, &id, fence) => None,
                };
                if how.is_some() {
                    feedback.flush(&*backing.queue, &id, fence, true).await;
                }
                how
            }
            // The server is ending.
            Err(_) => Some(self.not_now(&hold).await),
        };
        let Some(how) = how else {
            tracing::warn!(task = id.as_str(), tool = task.asked.tool, "lost an attempt to another process");
            self.leases.release(&id, fence);
            return None;
        };
        Some(Ended { id, fence, how })
    }

    /// Beats for what is held, in a task of its own while anything is.
    fn keep_beating(self: &Arc<Self>, backing: &Backing) {
        if self.leases.take_beat() {
            let (engine, backing) = (Arc::clone(self), backing.clone());
            self.beating.spawn(async move {
                engine.leases.beat_on(&*backing.queue, &backing.worker).await;
            });
        }
    }

    /// Ends the hold of an attempt whose end was delivered, or refused.
    pub(crate) fn let_go(&self, ended: &Ended) {
        self.leases.release(&ended.id, ended.fence);
    }

    async fn run(
        self: &Arc<Self>,
        backing: &Backing,
        dispatch: &Arc<Dispatch>,
        task: &Task,
        hold: &Hold,
        feedback: &Arc<TaskFeedback>,
        secrets: Option<Arc<Value>>,
    ) -> Option<End> {
        let Some(entry) = dispatch.catalog().get(&task.asked.tool).cloned() else {
            return Some(self.unknown_tool(backing, task, hold).await);
        };
        let context = Context::read(task);
        if context.is_secret && secrets.is_none() {
            let error =
                Error::new(ErrorKind::Unavailable, "its secrets were known to the first process alone")
                    .with_retriable(false);
            return Some(failed(State::Failed, &error, false));
        }
        let caller = match dispatch.guards().authority.restore(&task.asked.owner).await {
            Ok(caller) => caller,
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                return Some(self.not_now(hold).await);
            }
            Err(error) => return Some(failed(State::Failed, &error, false)),
        };
        let call = Call {
            tool: entry.facts.name.to_owned(),
            arguments: arguments(&entry, task, &context, secrets.as_deref()),
            caller,
            surface: context.surface.unwrap_or(Surface::Rest),
            profile: context.profile.as_deref().map(Arc::from),
            wants_view: context.wants_view,
            patience: Patience::Endless,
            attempt: Some(Attempt {
                task: task.asked.id.as_str().into(),
                fence: task.fence.0,
                number: task.attempt.max(1),
            }),
            request_id: gabier_tool::request_id(),
            feedback: Arc::clone(feedback) as _,
            cancel: hold.cancel.clone(),
        };
        // A process that was frozen since its claim must not start what another may have done meanwhile.
        if !self.leases.is_alive(hold) {
            return None;
        }
        let reply = self.call(dispatch, call, hold).await;
        if is_untouched(hold, &reply) {
            return Some(self.not_now(hold).await);
        }
        let questions = feedback.questions();
        if !questions.is_empty() && reply.envelope.error_kind() == Some(ErrorKind::ConfirmationRequired) {
            return Some(End::Ask(questions));
        }
        Some(self.end(backing, task, &entry, hold, reply).await)
    }

    /// Makes the call; one that does not end once it is cancelled is dropped.
    async fn call(&self, dispatch: &Arc<Dispatch>, call: Call, hold: &Hold) -> Reply {
        let tool = call.tool.clone();
        let call = AssertUnwindSafe(dispatch.call(call)).catch_unwind();
        let overdue = async {
            hold.cancel.cancelled().await;
            self.clock.sleep(GRACE).await;
        };
        let error = tokio::select! {
            reply = call => match reply {
                Ok(reply) => return reply,
                Err(_) => Error::internal(format!("{tool} stopped with a panic")),
            },
            () = overdue => Error::new(ErrorKind::Cancelled, format!("{tool} did not end when it was cancelled"))
                .with("stopped", "unverified"),
        };
        let at = self.clock.now();
        Reply { envelope: Envelope::Failure { error, at }, view: gabier_tool::View::default() }
    }

    /// What becomes of the task after that answer.
    async fn end(&self, backing: &Backing, task: &Task, entry: &Entry, hold: &Hold, reply: Reply) -> End {
        let error = match reply.envelope {
            Envelope::Success { outcome, data, sanitised } => {
                let state = if outcome.partial { State::Partial } else { State::Completed };
                let kept = KeptResult::of(outcome, data, sanitised, reply.view);
                let result = serde_json::to_value(kept.without(&entry.schemas().reveals)).ok();
                return End::Finish { state, result, error: None, dead_letter: false };
            }
            Envelope::Failure { error, .. } => error,
        };
        let retry = if task.asked.retry_safe { entry.facts.retry } else { Retry::Never };
        match hold.stopped() {
            Some(Stop::Cancelled(why)) => return cancelled(task, &why, &error),
            Some(Stop::Ending) if task.asked.retry_safe => return End::Release,
            Some(Stop::Silence) if task.asked.retry_safe && task.attempt < task.asked.max_attempts => {
                return self.again(backing, Duration::ZERO, &error).await;
            }
            Some(Stop::Ending | Stop::Silence) => {
                let why = Error::new(ErrorKind::ResultUnknown, "the process that ran it ended");
                // What might be repeated had its last attempt.
                let is_last = task.asked.retry_safe;
                let state = if is_last { State::Failed } else { State::Crashed };
                return failed(state, &why, is_last);
            }
            None => {}
        }
        match retry::after(error.kind(), retry, task.attempt, task.asked.max_attempts, retry::chance()) {
            Verdict::Again(wait) => self.again(backing, wait, &error).await,
            Verdict::End { state, dead_letter } => failed(state, &error, dead_letter),
        }
    }

    /// Another attempt after a wait, by the store's clock.
    async fn again(&self, backing: &Backing, wait: Duration, error: &Error) -> End {
        let now = match self.ask("asking the store's time", backing.queue.now()).await {
            Ok(now) => now,
            Err(_) => self.now_ms(),
        };
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        End::Retry { at: now.saturating_add(wait), error: KeptError::of(error).to_value() }
    }

    /// Gives a task back after a pause: something that it needs is not there now.
    async fn not_now(&self, hold: &Hold) -> End {
        tokio::select! {
            () = self.clock.sleep(PAUSE) => {}
            () = hold.cancel.cancelled() => {}
        }
        End::Release
    }

    /// A tool that this version does not know may be known to another worker; where there is none the task is dead.
    async fn unknown_tool(&self, backing: &Backing, task: &Task, hold: &Hold) -> End {
        if has_worker(backing) && self.leases.give_back(&task.asked.id) {
            return self.not_now(hold).await;
        }
        let error = Error::not_found(format!("no worker knows the tool {:?}", task.asked.tool));
        failed(State::Failed, &error, true)
    }
}

/// Whether the attempt failed before its tool was started, or before it began anything as it says itself, for want of
/// the store or of time: then it may be started again, whatever its tool is.
fn is_untouched(hold: &Hold, reply: &Reply) -> bool {
    let Envelope::Failure { error, .. } = &reply.envelope else { return false };
    if hold.has_begun() && !error.is_untouched() {
        return false;
    }
    match hold.stopped() {
        Some(Stop::Cancelled(_)) => false,
        Some(Stop::Silence | Stop::Ending) => true,
        None => error.kind() == ErrorKind::Unavailable,
    }
}

/// The arguments of the call, with the terms that dispatch took out of them and that bind the attempt.
fn arguments(entry: &Entry, task: &Task, context: &Context, secrets: Option<&Value>) -> Map<String, Value> {
    let arguments = secrets.unwrap_or(&task.asked.arguments);
    let mut arguments = arguments.as_object().cloned().unwrap_or_default();
    let timeout = entry.schemas().input.pointer("/properties/timeout/x-common");
    if let (Some(limit), Some(_)) = (context.terms.timeout, timeout) {
        arguments.insert("timeout".to_owned(), limit.into());
    }
    arguments
}

fn failed(state: State, error: &Error, dead_letter: bool) -> End {
    End::Finish { state, result: None, error: Some(KeptError::of(error).to_value()), dead_letter }
}

/// A cancelled task says whether its work was really stopped: what ran here alone was, by being dropped.
fn cancelled(task: &Task, why: &str, error: &Error) -> End {
    let stopped = error.details().get("stopped").cloned().unwrap_or_else(|| "verified".into());
    let message = format!("{} was cancelled {why}", task.asked.tool);
    let mut kept = KeptError::of(&Error::new(ErrorKind::Cancelled, message));
    kept.details.clone_from(error.details());
    kept.details.insert("stopped".to_owned(), stopped);
    End::Finish { state: State::Cancelled, result: None, error: Some(kept.to_value()), dead_letter: false }
}

/// What an ended call would have given its caller, without a look into the store.
pub(crate) fn answer(task: &Task, how: &End) -> Option<Result<gabier_tool::Done>> {
    let End::Finish { state, result, error, .. } = how else { return None };
    let mut ended = task.clone();
    (ended.state, ended.result, ended.error) = (*state, result.clone(), error.clone());
    Some(crate::kept::answer(&ended))
}
