//! One call on its way: what was asked, by whom, and how the caller hears of its progress.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use crate::caller::Caller;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, ErrorKind, Result};
use crate::guard::{BegunPart, Part, Submission};
use crate::terms::Terms;

/// The face a call came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surface {
    /// MCP on standard input and output.
    McpStdio,
    /// MCP over HTTP, streamable or SSE.
    McpHttp,
    /// REST.
    Rest,
    /// The command line.
    Cli,
    /// The interactive shell.
    Shell,
    /// The web pages.
    Web,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::McpStdio, Self::McpHttp, Self::Rest, Self::Cli, Self::Shell, Self::Web];

    /// The word in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::McpStdio => "mcp_stdio",
            Self::McpHttp => "mcp_http",
            Self::Rest => "rest",
            Self::Cli => "cli",
            Self::Shell => "shell",
            Self::Web => "web",
        }
    }

    /// True where a model reads the answer and length costs tokens.
    pub const fn is_mcp(self) -> bool {
        matches!(self, Self::McpStdio | Self::McpHttp)
    }

    /// True where the caller is the operating system's user who started the process.
    pub const fn is_own_process(self) -> bool {
        matches!(self, Self::McpStdio | Self::Cli | Self::Shell)
    }
}

/// Marks a face's answer as a stream that lasts until somebody ends it. Whoever owns the socket counts such streams,
/// and ends them with the server.
#[derive(Clone, Copy, Debug)]
pub struct Listening;

/// A request to run a tool.
pub struct Call {
    /// The tool's name or alias.
    pub tool: String,
    /// Its arguments, as they came.
    pub arguments: Map<String, Value>,
    /// Who asks.
    pub caller: Caller,
    /// Where.
    pub surface: Surface,
    /// The profile through which the caller sees the tools, where the face has profiles.
    pub profile: Option<Arc<str>>,
    /// True when the answer needs a view.
    pub wants_view: bool,
    /// How long its caller waits for work that may outlive it.
    pub patience: Patience,
    /// The attempt at a stored task that this call is; none when it came from a face.
    pub attempt: Option<Attempt>,
    /// The id in logs, errors and traces.
    pub request_id: String,
    /// Where progress, log lines and questions go.
    pub feedback: Arc<dyn Feedback>,
    /// Fires when the caller gives up.
    pub cancel: CancellationToken,
}

impl Call {
    /// A call without feedback that nobody cancels.
    pub fn new(
        tool: impl Into<String>,
        arguments: Map<String, Value>,
        caller: Caller,
        surface: Surface,
    ) -> Self {
        Self {
            tool: tool.into(),
            arguments,
            caller,
            surface,
            profile: None,
            wants_view: !surface.is_mcp(),
            patience: Patience::default(),
            attempt: None,
            request_id: crate::id::request_id(),
            feedback: Arc::new(Silent),
            cancel: CancellationToken::new(),
        }
    }
}

/// How long a caller waits for work that may outlive its call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// The inline budget of the server.
    #[default]
    Budget,
    /// To the end of the work.
    Endless,
}

/// One start of a stored task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The task.
    pub task: Arc<str>,
    /// Which claim of it: what an older one does outside must not count.
    pub fence: u64,
    /// Which start it is, from 1.
    pub number: u32,
}

/// How urgent a log line is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// Worth knowing.
    Info,
    /// To be looked at.
    Warn,
    /// Wrong.
    Error,
}

/// How far a call is.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Done so far, in the unit of `total`.
    pub done: f64,
    /// All there is to do, when known.
    pub total: Option<f64>,
    /// What is being done.
    pub message: Option<String>,
}

/// Something a tool must know from a person before it goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Names the question within the call; the same on every run.
    pub key: String,
    /// The question.
    pub text: String,
    /// A flat object schema of the answer (MCP elicitation).
    pub schema: Value,
}

/// A person's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", content = "content", rename_all = "snake_case")]
pub enum Answer {
    /// Given; the content follows the question's schema.
    Accepted(Value),
    /// Refused.
    Declined,
}

/// How a running call speaks to whoever waits for it. Everything is optional but asking, which says when it cannot.
pub trait Feedback: Send + Sync + 'static {
    /// Shows progress.
    fn progress(&self, _progress: Progress) {}

    /// Shows a log line.
    fn log(&self, _level: Level, _message: &str) {}

    /// Streams a piece of content (`notifications/tool/streamContent`).
    fn content(&self, _content: &Value) {}

    /// Hears what a command writes, as it comes. Tasks keep it for `task_output`, and pass it on by whole lines,
    /// without secrets.
    fn output(&self, _stream: OutputStream, _bytes: &[u8]) {}

    /// Whether somebody watches what a command writes.
    fn wants_output(&self) -> bool {
        false
    }

    /// Hears that the work is a task of that id from now on, whatever becomes of the call.
    fn task(&self, _id: &str) {}

    /// What this caller can take: `log`, `report_progress`, `stream_content`.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    /// The id of the session that the caller speaks in, where the face has sessions.
    fn session(&self) -> Option<&str> {
        None
    }

    /// Answers that came with the call, by the key of their question: a task takes them along.
    fn given(&self) -> HashMap<String, Answer> {
        HashMap::new()
    }

    /// Asks a person. A face that must end the call to ask keeps the question and fails with
    /// `CONFIRMATION_REQUIRED`; the same tool then runs anew with the answer at hand.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Answer>> {
        let error = Error::new(
            ErrorKind::ConfirmationRequired,
            format!("{} (this client cannot be asked)", question.text),
        )
        .with("question", question.key.as_str());
        Box::pin(std::future::ready(Err(error)))
    }
}

/// What a command writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// What a caller's side can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Abilities {
    /// Log lines.
    pub log: bool,
    /// Progress.
    pub report_progress: bool,
    /// Streamed content.
    pub stream_content: bool,
}

/// Feedback into the void.
pub struct Silent;

impl Feedback for Silent {}

/// What a running tool knows of its call.
pub struct Context<S> {
    /// What the tool may reach.
    pub services: Arc<S>,
    running: Arc<Running>,
}

/// The part of a context that does not depend on services.
pub struct Running {
    /// The tool's own name.
    pub tool: &'static str,
    /// Who asks.
    pub caller: Caller,
    /// Where.
    pub surface: Surface,
    /// The profile through which the caller sees the tools, where the face has profiles.
    pub profile: Option<Arc<str>>,
    /// The id in logs and errors.
    pub request_id: String,
    /// True when the answer needs a view.
    pub wants_view: bool,
    /// How long its caller waits for work that may outlive it.
    pub patience: Patience,
    /// On which terms it is made.
    pub terms: Terms,
    /// The attempt at a stored task that it is.
    pub attempt: Option<Attempt>,
    /// The longest the call may take.
    pub limit: Duration,
    /// When it began, on the monotonic clock.
    pub started: Duration,
    /// Where progress goes.
    pub feedback: Arc<dyn Feedback>,
    /// Fires when the caller gives up.
    pub cancel: CancellationToken,
    /// Where time comes from.
    pub clock: Arc<dyn Clock>,
    /// How its work is run.
    pub submission: Arc<dyn Submission>,
}

impl<S> Context<S> {
    /// Joins services and a running call.
    pub fn new(services: Arc<S>, running: Arc<Running>) -> Self {
        Self { services, running }
    }

    /// Who asks, with the rights of this moment.
    pub fn caller(&self) -> &Caller {
        &self.running.caller
    }

    /// The face the call came through.
    pub fn surface(&self) -> Surface {
        self.running.surface
    }

    /// The profile through which the caller sees the tools; all of them where the face has none.
    pub fn profile(&self) -> &str {
        self.running.profile.as_deref().unwrap_or("all")
    }

    /// The id in logs and errors.
    pub fn request_id(&self) -> &str {
        &self.running.request_id
    }

    /// What is left of the call's time.
    pub fn time_left(&self) -> Duration {
        let spent = self.running.clock.monotonic().saturating_sub(self.running.started);
        self.running.limit.saturating_sub(spent)
    }

    /// Fires when the caller gives up.
    pub fn cancelled(&self) -> &CancellationToken {
        &self.running.cancel
    }

    /// The attempt at a stored task that this is, for what is done outside: an older fence must not win.
    pub fn attempt(&self) -> Option<&Attempt> {
        self.running.attempt.as_ref()
    }

    /// The wall clock.
    pub fn now(&self) -> Timestamp {
        self.running.clock.now()
    }

    /// Where time comes from.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.running.clock
    }

    /// Shows progress: `done` of `total`, in any unit.
    pub fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        self.running.feedback.progress(Progress { done, total, message: message.map(str::to_owned) });
    }

    /// Shows a log line to the caller.
    pub fn log(&self, level: Level, message: &str) {
        self.running.feedback.log(level, message);
    }

    /// Streams a piece of content to the caller.
    pub fn stream(&self, content: &Value) {
        self.running.feedback.content(content);
    }

    /// Keeps what a command writes, as it comes.
    pub fn output(&self, stream: OutputStream, bytes: &[u8]) {
        self.running.feedback.output(stream, bytes);
    }

    /// What the caller's side can take.
    pub fn abilities(&self) -> Abilities {
        self.running.feedback.abilities()
    }

    /// The id of the session that the caller speaks in; none where there is none, as on the command line.
    pub fn session(&self) -> Option<&str> {
        self.running.feedback.session()
    }

    /// Where progress goes, for what reports it itself.
    pub fn feedback(&self) -> &Arc<dyn Feedback> {
        &self.running.feedback
    }

    /// Begins a part of this call as a task of its own: the same tool with some arguments changed. None where calls
    /// are no tasks; the part is then the tool's own to do.
    pub async fn part(
        &self,
        change: Map<String, Value>,
        feedback: Arc<dyn Feedback>,
    ) -> Result<Option<BegunPart>> {
        let part = Part { of: Arc::clone(&self.running), change, feedback };
        self.running.submission.part(part).await
    }

    /// The tasks that run on a host now, in any process.
    pub async fn running_on(&self, host: &str) -> Result<Vec<String>> {
        match self.running.submission.board() {
            Some(board) => board.running_on(host).await,
            None => Ok(Vec::new()),
        }
    }

    /// Asks a person.
    pub async fn ask(&self, question: &Question) -> Result<Answer> {
        self.running.feedback.ask(question).await
    }
}
