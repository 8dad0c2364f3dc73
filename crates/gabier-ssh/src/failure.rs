//! Why a host could not be used, in a form that many waiters can share.

use std::fmt;
use std::io;
use std::sync::Arc;

use gabier_host::Endpoint;
use gabier_tool::{Error, ErrorKind};
use serde_json::{Map, Value};

/// A failure before anything was run; cloning is cheap.
#[derive(Clone)]
pub(crate) struct Failure {
    kind: ErrorKind,
    reason: &'static str,
    message: String,
    details: Box<Map<String, Value>>,
    is_transient: bool,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Failure {
    /// A failure of a kind: the reason is a word for programs, the message a sentence for people.
    pub(crate) fn new(kind: ErrorKind, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            reason,
            message: message.into(),
            details: Box::default(),
            is_transient: false,
            source: None,
        }
    }

    /// The host cannot be reached or does not answer as it should.
    pub(crate) fn unreachable(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::ConnectionFailed, reason, message)
    }

    /// What the operating system said about a connection.
    pub(crate) fn io(doing: &str, error: io::Error) -> Self {
        let reason = reason_of(&error);
        let failure = Self::unreachable(reason, format!("{doing}: {}", plain(&error)));
        let failure = if reason == "EIO" { failure } else { failure.transient() };
        failure.because(error)
    }

    /// Worth another try at once: nothing was said yet.
    pub(crate) fn transient(mut self) -> Self {
        self.is_transient = true;
        self
    }

    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn because(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    pub(crate) fn is_transient(&self) -> bool {
        self.is_transient
    }

    /// Names the host it is about, and that it is only on the way to another where it is.
    pub(crate) fn at(mut self, endpoint: &Endpoint, is_jump: bool) -> Self {
        if !self.details.contains_key("host") {
            self.details.insert("alias".to_owned(), endpoint.alias.clone().into());
            self.details.insert("host".to_owned(), endpoint.host.clone().into());
            self.details.insert("port".to_owned(), endpoint.port.into());
            let hop = if is_jump { " (on the way)" } else { "" };
            self.message = format!("connecting to {}{hop}: {}", endpoint.alias, self.message);
            if is_jump {
                self.details.insert("hop".to_owned(), endpoint.alias.clone().into());
            }
        }
        self
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let mut error = Self::new(failure.kind, failure.message).with("reason", failure.reason);
        for (key, value) in *failure.details {
            error = error.with(&key, value);
        }
        if failure.reason == "NO_COMMON_ALGORITHM" {
            error = error.with_retriable(false);
        }
        match failure.source {
            Some(source) => error.with_source(source),
            None => error,
        }
    }
}

/// A failure out of an error that is shared no further; its details stay.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let mut failure = Self::new(error.kind(), "REFUSED", error.message());
        for (key, value) in error.details() {
            failure.details.insert(key.clone(), value.clone());
        }
        failure.because(error)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.kind.code(), self.reason, self.message)
    }
}

fn reason_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "ECONNREFUSED",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "ECONNRESET"
        }
        io::ErrorKind::ConnectionAborted => "ECONNABORTED",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH",
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH",
        _ => "EIO",
    }
}

/// The error's sentence without the number of the operating system.
fn plain(error: &io::Error) -> String {
    let text = error.to_string().to_lowercase();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_its_host_once_and_keeps_its_reason() {
        let endpoint = |alias: &str| Endpoint {
            alias: alias.into(),
            user: "bob".into(),
            host: "h".into(),
            port: 22,
            credentials: Vec::new(),
            host_key: gabier_host::HostKeyPolicy::Strict,
            pinned: Vec::new(),
            fingerprint: None,
            host_key_alias: None,
            strength: gabier_host::Strength::Modern,
        };
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let failure =
            Failure::io("dialling h:22", refused).at(&endpoint("gate"), true).at(&endpoint("web1"), false);
        assert!(failure.is_transient());
        let error = Error::from(failure);
        assert_eq!(error.message(), "connecting to gate (on the way): dialling h:22: connection refused");
        assert_eq!(
            (&error.details()["reason"], &error.details()["hop"]),
            (&"ECONNREFUSED".into(), &"gate".into())
        );
    }
}
