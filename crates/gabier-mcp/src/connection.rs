//! What is known of a client's connection beyond the request at hand.

#![expect(deprecated, reason = "clients of the older revisions still ask for log lines")]

use std::sync::atomic::{AtomicU8, Ordering};

use gabier_tool::{Caller, Surface};
use rmcp::model::LoggingLevel;
use tokio_util::sync::CancellationToken;

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A pipe, a session or an SSE stream: the server may speak and ask in between.
    Session,
    /// A request that stands alone.
    Alone,
}

/// A client's connection.
pub(crate) struct Connection {
    /// The face in records.
    pub(crate) surface: Surface,
    /// How it is connected.
    pub(crate) kind: Kind,
    /// Who it is, where one process serves one user; over HTTP every request says it anew.
    pub(crate) caller: Option<Caller>,
    /// Its session, where the requests do not name it.
    pub(crate) session: Option<String>,
    /// The profile asked for when the connection was opened.
    pub(crate) profile: Option<String>,
    /// Fires when nothing more comes: streams end.
    pub(crate) ending: CancellationToken,
    /// Fires when nobody waits any longer: calls are cancelled.
    pub(crate) closed: CancellationToken,
    level: AtomicU8,
}

impl Connection {
    /// A connection over HTTP whose streams end when the token fires.
    pub(crate) fn http(kind: Kind, ending: CancellationToken) -> Self {
        Self {
            surface: Surface::McpHttp,
            kind,
            caller: None,
            session: None,
            profile: None,
            ending,
            closed: CancellationToken::new(),
            level: AtomicU8::new(LoggingLevel::Info as u8),
        }
    }

    /// The pipe of one user's process.
    pub(crate) fn stdio(caller: Caller, ending: CancellationToken, closed: CancellationToken) -> Self {
        Self { surface: Surface::McpStdio, caller: Some(caller), closed, ..Self::http(Kind::Session, ending) }
    }

    /// The least urgent log line the client wants to see, as it last said.
    pub(crate) fn level(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    /// Sets what [`Self::level`] gives.
    pub(crate) fn set_level(&self, level: LoggingLevel) {
        self.level.store(level as u8, Ordering::Relaxed);
    }
}
