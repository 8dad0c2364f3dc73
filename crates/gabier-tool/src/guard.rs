//! The seams of dispatch: what each engine decides about a call, with a default that works without the engine.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, Either, ready, select};
use serde_json::{Map, Value};

use crate::board::Board;
use crate::call::{Feedback, Running, Surface};
use crate::caller::Caller;
use crate::catalog::Entry;
use crate::clock::Clock;
use crate::effect::{Effect, Permission};
use crate::error::{Error, ErrorKind, Result};
use crate::redact::Redactor;
use crate::tool::{Done, Started};

/// The engines a dispatch asks, one a step.
#[derive(Clone)]
pub struct Guards {
    /// Who calls and what that caller may do.
    pub authority: Arc<dyn Authority>,
    /// What a target's policy says.
    pub policy: Arc<dyn Policy>,
    /// Whether there is room now.
    pub rate: Arc<dyn Rate>,
    /// How the work is run.
    pub submission: Arc<dyn Submission>,
    /// What is written down.
    pub audit: Arc<dyn Audit>,
    /// What must not leave.
    pub redactor: Arc<Redactor>,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
}

/// What a client shows to be known.
pub enum Credential<'a> {
    /// Nothing.
    None,
    /// A bearer token.
    Bearer(&'a str),
    /// Being the operating system's user who started the process.
    OsUser,
}

/// Where a client stands.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// The face.
    pub surface: Surface,
    /// Its address, after trusted proxies.
    pub address: Option<std::net::IpAddr>,
}

/// Who calls, and what that caller may do (the access engine).
pub trait Authority: Send + Sync + 'static {
    /// The caller behind a credential. `UNAUTHENTICATED` for every wrong one, alike; `RATE_LIMITED` with
    /// `retry_after_ms` for an address that guesses. No credential gives an anonymous caller: with the rights of the
    /// token-less mode while the server knows no token, else a stranger ([`Caller::is_stranger`]).
    fn identify<'a>(&'a self, credential: Credential<'a>, origin: Origin) -> BoxFuture<'a, Result<Caller>>;

    /// The caller with the rights of this moment; `UNAUTHENTICATED` once its token is revoked or expired.
    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>>;

    /// The caller of that subject with the rights of this moment, for work that starts after its call; `UNAUTHENTICATED`
    /// when it is nobody any more.
    fn restore<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<Caller>> {
        let error = Error::new(ErrorKind::Unauthenticated, format!("{subject} is nobody here"));
        Box::pin(ready(Err(error)))
    }

    /// Whether a caller could ever call the tool: what lists show.
    fn permits(&self, caller: &Caller, entry: &Entry) -> bool;

    /// Whether a caller may make this very call: rights (one of `needs`), the tool allow-list and the resources
    /// that the arguments name. `FORBIDDEN` with everything that is missing; `UNAUTHENTICATED` for a stranger.
    fn authorise(
        &self,
        caller: &Caller,
        entry: &Entry,
        needs: &[Permission],
        arguments: &Value,
    ) -> Result<()>;
}

/// What a target's policy says of a call.
pub trait Policy: Send + Sync + 'static {
    /// Lets the call pass or refuses it; the decision goes into plans and the audit.
    fn decide(&self, caller: &Caller, entry: &Entry, effect: Effect, arguments: &Value) -> Result<Decision>;
}

/// A policy's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The word: `allow`.
    pub decision: &'static str,
    /// The rule that said so.
    pub rule: Option<String>,
}

/// Everything is allowed: the policy until hosts have policies of their own.
pub struct AllowAll;

impl Policy for AllowAll {
    fn decide(&self, _: &Caller, _: &Entry, _: Effect, _: &Value) -> Result<Decision> {
        Ok(Decision { decision: "allow", rule: None })
    }
}

/// A place among the calls in flight; leaving it is dropping it.
pub type Permit = Box<dyn Send>;

/// Whether there is room for a call now.
pub trait Rate: Send + Sync + 'static {
    /// Waits first-in first-out for a place, at most `patience`; `RATE_LIMITED` with `retry_after_ms` after that.
    fn admit<'a>(
        &'a self,
        caller: &'a Caller,
        entry: &'a Entry,
        patience: Duration,
    ) -> BoxFuture<'a, Result<Permit>>;
}

/// There is always room.
pub struct Unlimited;

impl Rate for Unlimited {
    fn admit<'a>(&'a self, _: &'a Caller, _: &'a Entry, _: Duration) -> BoxFuture<'a, Result<Permit>> {
        Box::pin(ready(Ok(Box::new(()) as Permit)))
    }
}

/// A call that is ready to run.
pub struct Work {
    /// The tool.
    pub entry: Arc<Entry>,
    /// The checked arguments, for an engine that keeps them.
    pub arguments: Arc<Value>,
    /// The same without secrets.
    pub kept: Arc<Value>,
    /// The call, ready.
    pub started: Box<dyn Started>,
    /// What is known of the call.
    pub running: Arc<Running>,
}

/// How work is run: within the call, or as a task that outlives it.
pub trait Submission: Send + Sync + 'static {
    /// Runs the work to its end or hands it over. Once the caller gives up ([`Running::cancel`]) it ends the work or
    /// lets it go on as a task.
    fn submit(&self, work: Work) -> BoxFuture<'static, Result<Done>>;

    /// Begins a part of a call as a task of its own, in this process. None where work is no task.
    fn part(&self, _part: Part) -> BoxFuture<'static, Result<Option<BegunPart>>> {
        Box::pin(ready(Ok(None)))
    }

    /// The tasks that were handed over; none where all work runs within its call.
    fn board(&self) -> Option<&dyn Board> {
        None
    }
}

/// A part of a call: the same tool with some arguments changed.
pub struct Part {
    /// The call.
    pub of: Arc<Running>,
    /// The arguments that differ.
    pub change: Map<String, Value>,
    /// Who hears of it.
    pub feedback: Arc<dyn Feedback>,
}

/// A part that has begun.
pub struct BegunPart {
    /// Its task.
    pub task: String,
    /// Its end. It is stopped with its call, and when this is dropped.
    pub end: BoxFuture<'static, Result<Done>>,
}

/// Every call runs within itself, and ends with `TIMEOUT` at its limit.
pub struct Inline;

impl Submission for Inline {
    fn submit(&self, work: Work) -> BoxFuture<'static, Result<Done>> {
        Box::pin(run_within(work))
    }
}

/// How long a tool that ends by itself may take for that.
const GRACE: Duration = Duration::from_secs(10);

/// Runs work until it ends, its limit has passed, or its caller gives up.
pub async fn run_within(work: Work) -> Result<Done> {
    let Work { entry, started, running, .. } = work;
    let stop = select(running.clock.sleep(running.limit), Box::pin(running.cancel.cancelled()));
    match select(started.run(), stop).await {
        Either::Left((done, _)) => done,
        Either::Right((why, run)) => {
            if entry.facts.ends_itself
                && let Either::Left((done, _)) = select(run, running.clock.sleep(GRACE)).await
            {
                return done;
            }
            Err(stopped(entry.facts.name, running.limit, matches!(why, Either::Left(_))))
        }
    }
}

fn stopped(tool: &str, limit: Duration, is_late: bool) -> Error {
    if is_late {
        let limit = limit.as_secs_f64();
        return Error::new(ErrorKind::Timeout, format!("{tool} did not end within {limit} s"))
            .with("limit_s", limit);
    }
    Error::new(ErrorKind::Cancelled, format!("{tool} was cancelled by its caller"))
}

/// What is written down of calls: the intent before, the outcome after.
pub trait Audit: Send + Sync + 'static {
    /// Writes the intent of a changing call durably; `AUDIT_UNAVAILABLE` refuses it.
    fn intent<'a>(&'a self, call: &'a Intent<'a>) -> BoxFuture<'a, Result<()>>;

    /// Writes how any call ended.
    fn outcome(&self, call: &Intent<'_>, ended: &Ended);
}

/// What a call is about to do.
pub struct Intent<'a> {
    /// The id in logs and errors.
    pub request_id: &'a str,
    /// The tool; empty when it was not found.
    pub tool: &'a str,
    /// Who asks.
    pub caller: &'a Caller,
    /// Where.
    pub surface: Surface,
    /// What it may do.
    pub effect: Option<Effect>,
    /// The checked arguments, secrets redacted.
    pub arguments: Option<&'a Value>,
}

/// How a call ended.
pub struct Ended {
    /// `ok`, or the code of the failure.
    pub outcome: &'static str,
    /// How long it took.
    pub took: Duration,
    /// The failure, for the log.
    pub error: Option<String>,
}

/// Writes nothing: for tests and tools without a record.
pub struct Unrecorded;

impl Audit for Unrecorded {
    fn intent<'a>(&'a self, _: &'a Intent<'a>) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn outcome(&self, _: &Intent<'_>, _: &Ended) {}
}

/// Several records of the same calls, one after the other: the log, the metrics, the audit trail.
pub struct Records(pub Vec<Arc<dyn Audit>>);

impl Audit for Records {
    fn intent<'a>(&'a self, call: &'a Intent<'a>) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            for record in &self.0 {
                record.intent(call).await?;
            }
            Ok(())
        })
    }

    fn outcome(&self, call: &Intent<'_>, ended: &Ended) {
        self.0.iter().for_each(|record| record.outcome(call, ended));
    }
}
