//! What a process says about itself, on standard error and without secrets.

mod recent;

use std::io;
use std::sync::{Arc, LazyLock, OnceLock, PoisonError, RwLock};

use futures::future::{BoxFuture, ready};
use gabier_tool::guard::{Audit, Ended, Intent};
use gabier_tool::{Redactor, Result};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, reload};

use self::recent::Keeper;
pub(crate) use self::recent::{Line, Recent};
use crate::config::{Log, LogFormat, LogLevel};

/// The lines that this process wrote last: there is one log in a process.
static RECENT: LazyLock<Recent> = LazyLock::new(Recent::default);

/// What changes how much is told and of which secrets it is cleaned, once something is told.
static CHANGE: OnceLock<(reload::Handle<EnvFilter, Registry>, Current)> = OnceLock::new();

/// The redactor of the last start.
type Current = Arc<RwLock<Arc<Redactor>>>;

/// The lines that this process wrote last.
pub(crate) fn recent() -> &'static Recent {
    &RECENT
}

/// Starts logging to standard error. Every line passes the redactor, whoever wrote it.
pub(crate) fn start(log: &Log, level: LogLevel, redactor: &Arc<Redactor>) {
    let level = level.filter();
    let filter = EnvFilter::new(format!(
        "{level},hyper=warn,rmcp=off,reqwest=warn,hickory_proto=warn,hickory_resolver=warn"
    ));
    // The command line is wired before it is known that its command is a server: the last start says how much is told,
    // and knows the secrets.
    if let Some((change, current)) = CHANGE.get() {
        let _ = change.reload(filter);
        *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(redactor);
        return;
    }
    let current = Arc::new(RwLock::new(Arc::clone(redactor)));
    let writer = RedactedStderr { redactor: Arc::clone(&current) };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Pretty => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).boxed(),
    };
    let (filter, change) = reload::Layer::new(filter);
    let subscriber = tracing_subscriber::registry().with(filter).with(lines).with(Keeper::new(recent()));
    // Another's subscriber (tests) is left alone.
    if subscriber.try_init().is_ok() {
        let _ = CHANGE.set((change, current));
    }
}

struct RedactedStderr {
    redactor: Current,
}

impl<'a> MakeWriter<'a> for RedactedStderr {
    type Writer = RedactedLine;

    fn make_writer(&'a self) -> RedactedLine {
        let redactor = Arc::clone(&self.redactor.read().unwrap_or_else(PoisonError::into_inner));
        RedactedLine { redactor, line: Vec::new() }
    }
}

/// One line, held until it is whole, then redacted.
struct RedactedLine {
    redactor: Arc<Redactor>,
    line: Vec<u8>,
}

impl io::Write for RedactedLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for RedactedLine {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.line);
        // A log that cannot be written must not end the work it speaks of.
        let _ = io::Write::write_all(&mut io::stderr(), self.redactor.redact(&text).as_bytes());
    }
}

/// Writes calls to the log: changing ones before they run, all when they end.
pub(crate) struct LogAudit;

impl Audit for LogAudit {
    fn intent<'a>(&'a self, call: &'a Intent<'a>) -> BoxFuture<'a, Result<()>> {
        tracing::info!(
            target: "gabier::call",
            request_id = call.request_id, tool = call.tool, caller = &*call.caller.subject,
            face = call.surface.name(), arguments = %call.arguments.unwrap_or(&serde_json::Value::Null),
            "intent",
        );
        Box::pin(ready(Ok(())))
    }

    fn outcome(&self, call: &Intent<'_>, ended: &Ended) {
        let ms = u64::try_from(ended.took.as_millis()).unwrap_or(u64::MAX);
        let (face, caller) = (call.surface.name(), &*call.caller.subject);
        match &ended.error {
            Some(error) if ended.outcome == "INTERNAL" => tracing::error!(
                target: "gabier::call", request_id = call.request_id, tool = call.tool, caller, face, ms,
                outcome = ended.outcome, error = error.as_str(), "call",
            ),
            Some(error) => tracing::debug!(
                target: "gabier::call", request_id = call.request_id, tool = call.tool, caller, face, ms,
                outcome = ended.outcome, error = error.as_str(), "call",
            ),
            None => tracing::debug!(
                target: "gabier::call", request_id = call.request_id, tool = call.tool, caller, face, ms,
                outcome = ended.outcome, "call",
            ),
        }
    }
}
