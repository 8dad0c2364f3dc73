//! The one answer of every face (tools.md §1).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::clock::{Timestamp, iso};
use crate::error::{Error, ErrorKind};
use crate::neutralise::Sanitised;
use crate::view::View;

/// How a success ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Done.
    #[default]
    Ok,
    /// Something new exists.
    Created,
    /// Something is gone.
    Deleted,
    /// It was there already.
    AlreadyExists,
    /// Absence is the answer.
    NotFound,
    /// Done, and there is something to know.
    Warning,
}

impl Status {
    /// All of them, as on the wire.
    pub const NAMES: [&'static str; 6] =
        ["ok", "created", "deleted", "already_exists", "not_found", "warning"];

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// What a tool says about its own output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// One sentence beside the data, for `warning`.
    pub message: Option<String>,
    /// True when only a part of the hosts or files succeeded (exit 3).
    pub partial: bool,
    /// The exit code of a remote command, which becomes ours.
    pub exit_code: Option<u8>,
    /// The concrete next step: a tool call or a command.
    pub next: Option<String>,
    /// The task that goes on, when the answer is only its handle.
    pub handed_over: Option<String>,
    /// True when the keys of `data` are repeated beside it (`system_health`, `system_about`, `system_diagnostics`).
    pub beside: bool,
}

impl Outcome {
    /// A plain success of that status.
    pub fn of(status: Status) -> Self {
        Self { status, ..Self::default() }
    }

    /// A success with something to know.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { status: Status::Warning, message: Some(message.into()), ..Self::default() }
    }
}

/// The answer of a call: an envelope and how it looks.
#[derive(Debug)]
pub struct Reply {
    /// The envelope.
    pub envelope: Envelope,
    /// How it looks; empty for faces that did not ask for a view.
    pub view: View,
}

/// Success or failure.
#[derive(Debug)]
pub enum Envelope {
    /// The tool did its work.
    Success {
        /// What the tool says about it.
        outcome: Outcome,
        /// The tool's own object.
        data: Value,
        /// What was made visible in the data.
        sanitised: Sanitised,
    },
    /// The tool did not.
    Failure {
        /// What went wrong.
        error: Error,
        /// When.
        at: Timestamp,
    },
}

impl Envelope {
    /// The envelope as JSON: `{status, data}` or `{status:"error", error:true, code, …}`.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Success { outcome, data, sanitised } => success(outcome, data, *sanitised),
            Self::Failure { error, at } => failure(error, *at),
        }
    }

    /// True for failures: MCP's `isError`.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Failure { .. })
    }

    /// The HTTP status that agrees with it.
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Success { outcome, .. } if outcome.handed_over.is_some() => 202,
            Self::Success { outcome, .. } if outcome.status == Status::Created => 201,
            Self::Success { .. } => 200,
            Self::Failure { error, .. } => error.kind().row().http,
        }
    }

    /// The exit code that agrees with it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Success { outcome, .. } => outcome.exit_code.unwrap_or(if outcome.partial { 3 } else { 0 }),
            Self::Failure { error, .. } => error.kind().row().exit,
        }
    }

    /// The failure's kind.
    pub fn error_kind(&self) -> Option<ErrorKind> {
        match self {
            Self::Success { .. } => None,
            Self::Failure { error, .. } => Some(error.kind()),
        }
    }
}

fn success(outcome: &Outcome, data: &Value, sanitised: Sanitised) -> Value {
    let mut envelope = Map::with_capacity(4);
    envelope.insert("status".to_owned(), outcome.status.name().into());
    if let Some(message) = &outcome.message {
        envelope.insert("message".to_owned(), message.as_str().into());
    }
    if let (true, Value::Object(keys)) = (outcome.beside, data) {
        for (key, value) in keys {
            envelope.entry(key.as_str()).or_insert_with(|| value.clone());
        }
    }
    envelope.insert("data".to_owned(), data.clone());
    if let Some(next) = &outcome.next {
        envelope.insert("next".to_owned(), next.as_str().into());
    }
    if !sanitised.is_clean() {
        envelope.insert("sanitised".to_owned(), json!(sanitised));
    }
    Value::Object(envelope)
}

fn failure(error: &Error, at: Timestamp) -> Value {
    let mut envelope = Map::with_capacity(8);
    envelope.insert("status".to_owned(), "error".into());
    envelope.insert("error".to_owned(), true.into());
    envelope.insert("code".to_owned(), error.kind().code().into());
    envelope.insert("message".to_owned(), error.message().into());
    envelope.insert("details".to_owned(), Value::Object(error.details().clone()));
    if let Some(next) = error.next() {
        envelope.insert("next".to_owned(), next.into());
    }
    envelope.insert("retriable".to_owned(), error.is_retriable().into());
    envelope.insert("timestamp".to_owned(), iso(at).into());
    for (key, value) in error.beside() {
        envelope.entry(key.as_str()).or_insert_with(|| value.clone());
    }
    Value::Object(envelope)
}
