//! What goes wrong, in a closed set of kinds with one table to every face.

use std::fmt;

use serde_json::{Map, Value};

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure: what was being done to which thing, and why it failed.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    details: Map<String, Value>,
    beside: Map<String, Value>,
    next: Option<String>,
    retriable: Option<bool>,
    is_untouched: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of a kind; the message says what was being done to what, without a final period.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            details: Map::new(),
            beside: Map::new(),
            next: None,
            retriable: None,
            is_untouched: false,
            source: None,
        }))
    }

    /// A bad value of a parameter, named so that faces can point at it.
    pub fn invalid(parameter: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let flag = format!("--{}", parameter.replace('_', "-"));
        let error = serde_json::json!({
            "pointer": format!("/{parameter}"), "parameter": parameter, "flag": flag, "message": message,
        });
        Self::new(ErrorKind::InvalidArgument, format!("{parameter}: {message}"))
            .with("errors", Value::Array(vec![error]))
    }

    /// A thing that must exist and does not.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    /// A bug of ours; the message goes to the log, never to the caller.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Adds a structured detail.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(key.to_owned(), value.into());
        self
    }

    /// Names the concrete next step: a tool call or a command.
    #[must_use]
    pub fn with_next(mut self, next: impl Into<String>) -> Self {
        self.0.next = Some(next.into());
        self
    }

    /// Repeats keys beside the envelope's own (`system_health`).
    #[must_use]
    pub fn with_beside(mut self, keys: Map<String, Value>) -> Self {
        self.0.beside = keys;
        self
    }

    /// Says whether trying again helps, where the kind's answer is wrong.
    #[must_use]
    pub fn with_retriable(mut self, retriable: bool) -> Self {
        self.0.retriable = Some(retriable);
        self
    }

    /// Says that the call has begun nothing outside: it may be started again, whatever its tool is, once what it needs
    /// is there.
    #[must_use]
    pub fn untouched(mut self) -> Self {
        self.0.is_untouched = true;
        self
    }

    /// Keeps the cause, for the log alone.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The kind.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being done to what.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The structured details.
    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }

    /// The keys repeated beside the envelope's own.
    pub fn beside(&self) -> &Map<String, Value> {
        &self.0.beside
    }

    /// The concrete next step.
    pub fn next(&self) -> Option<&str> {
        self.0.next.as_deref()
    }

    /// Rewrites every text that a caller sees.
    #[must_use]
    pub fn map_text(mut self, mut rewrite: impl FnMut(&mut String)) -> Self {
        fn walk(value: &mut Value, rewrite: &mut dyn FnMut(&mut String)) {
            match value {
                Value::String(text) => rewrite(text),
                Value::Array(items) => items.iter_mut().for_each(|item| walk(item, rewrite)),
                Value::Object(object) => object.values_mut().for_each(|inner| walk(inner, rewrite)),
                _ => {}
            }
        }
        rewrite(&mut self.0.message);
        self.0.next.iter_mut().for_each(&mut rewrite);
        self.0.details.values_mut().for_each(|value| walk(value, &mut rewrite));
        self.0.beside.values_mut().for_each(|value| walk(value, &mut rewrite));
        self
    }

    /// True when its tool says that it has begun nothing outside.
    pub fn is_untouched(&self) -> bool {
        self.0.is_untouched
    }

    /// True when the same call may succeed later.
    pub fn is_retriable(&self) -> bool {
        self.0.retriable.unwrap_or(self.0.kind.row().retriable)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind.code(), self.0.message)?;
        match &self.0.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

/// How one kind looks on the faces (tools.md §11).
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The word on the wire.
    pub code: &'static str,
    /// The HTTP status.
    pub http: u16,
    /// The exit code of the command line.
    pub exit: u8,
    /// Whether the same call may succeed later.
    pub retriable: bool,
    /// One sentence of cure.
    pub cure: &'static str,
}

macro_rules! kinds {
    ($($name:ident $code:literal $http:literal $exit:literal $retriable:literal $cure:literal,)*) => {
        /// Every kind of failure.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorKind {
            $(#[doc = $cure] $name,)*
        }

        impl ErrorKind {
            /// All kinds, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The kind's row in the one table.
            pub const fn row(self) -> Row {
                match self {
                    $(Self::$name =>
                        Row { code: $code, http: $http, exit: $exit, retriable: $retriable, cure: $cure },)*
                }
            }
        }
    };
}

kinds! {
    BadRequest "BAD_REQUEST" 400 2 false "Send one JSON object whose headers agree with it.",
    InvalidArgument "INVALID_ARGUMENT" 422 2 false "Correct the named parameters.",
    UnsupportedMediaType "UNSUPPORTED_MEDIA_TYPE" 415 2 false "Send Content-Type: application/json.",
    MethodNotAllowed "METHOD_NOT_ALLOWED" 405 2 false "Use a method that the Allow header names.",
    PayloadTooLarge "PAYLOAD_TOO_LARGE" 413 2 false "Send less at once.",
    Unauthenticated "UNAUTHENTICATED" 401 7 false "Send a valid token as Authorization: Bearer.",
    Forbidden "FORBIDDEN" 403 7 false "Ask an administrator for the right that details name.",
    PolicyBlocked "POLICY_BLOCKED" 403 7 false "The host's policy refuses this command.",
    ApprovalRequired "APPROVAL_REQUIRED" 409 8 true "Have the pending approval answered, then call again.",
    NotFound "NOT_FOUND" 404 4 false "Check the name; the nearest ones are in `details`.",
    Conflict "CONFLICT" 409 8 false "Look at the present state first.",
    ConfirmationRequired "CONFIRMATION_REQUIRED" 409 8 false "Confirm with force or --yes.",
    RetryLimitExceeded "RETRY_LIMIT_EXCEEDED" 409 8 false "Start the work anew.",
    HashMismatch "HASH_MISMATCH" 409 8 true "Read the file again and repeat the edit.",
    OldstringNotFound "OLDSTRING_NOT_FOUND" 422 2 false "Take the text to replace from the file as it is now.",
    MultipleMatches "MULTIPLE_MATCHES" 422 2 false "Give more context, or replace all.",
    RateLimited "RATE_LIMITED" 429 8 true "Wait as long as `details.retry_after_ms` says.",
    QueueFull "QUEUE_FULL" 429 8 true "Wait until queued tasks have ended.",
    Cancelled "CANCELLED" 409 130 false "Call again if the work is still wanted.",
    ConnectionFailed "CONNECTION_FAILED" 502 5 true "Check that the host is up and reachable.",
    AuthFailed "AUTH_FAILED" 502 5 false "Check the user and the credential of the host.",
    HostKeyUnknown "HOST_KEY_UNKNOWN" 502 5 false "Compare the fingerprint, then accept it.",
    HostKeyMismatch "HOST_KEY_MISMATCH" 502 5 false "Find out why the host's key changed before accepting it.",
    TransferFailed "TRANSFER_FAILED" 502 1 false "Look at details, cure the cause and transfer again.",
    ResultUnknown "RESULT_UNKNOWN" 502 1 false "Look on the host what the command did before repeating it.",
    CommandTimeout "COMMAND_TIMEOUT" 504 6 true "Give the command more time, or run it in the background.",
    Timeout "TIMEOUT" 504 6 true "Ask for less, or give more time.",
    NotAvailable "NOT_AVAILABLE" 501 1 false "This machine lacks what the tool needs.",
    Unavailable "UNAVAILABLE" 503 5 true "Look at `system_health` and try again.",
    AuditUnavailable "AUDIT_UNAVAILABLE" 503 5 true "Make the audit log writable again.",
    Internal "INTERNAL" 500 70 false "Report it with `details.request_id`.",
}

impl ErrorKind {
    /// The word on the wire.
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// The kind of that word.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}
