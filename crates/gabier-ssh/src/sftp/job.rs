//! One transfer on its way: what all its parts share, and how it ends when the caller gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::error::{Error, Reason, Result};
use super::options::{Options, Verify};
use super::progress::Meter;
use super::session::Session;

/// How long the end waits for the server to have removed what is unfinished.
const TIDY_TIME: Duration = Duration::from_secs(5);

/// What all parts of a transfer share.
pub(super) struct Job {
    pub(super) session: Session,
    pub(super) options: Options,
    pub(super) meter: Meter,
    gives_up: AtomicBool,
}

impl Job {
    /// Does the work until it ends or the caller gives up. What was unfinished is gone when this returns: parts
    /// remove their temporaries when they are dropped, and the answers of the server are awaited.
    pub(super) async fn run<T>(
        session: &Session,
        options: &Options,
        work: impl AsyncFnOnce(&Arc<Self>) -> Result<T>,
    ) -> Result<T> {
        let job = Arc::new(Self {
            session: session.clone(),
            options: options.clone(),
            meter: Meter::new(options.progress.clone()),
            gives_up: AtomicBool::new(false),
        });
        let given_up = async {
            options.cancel.cancelled().await;
            job.gives_up.store(true, Relaxed);
        };
        let outcome = tokio::select! {
            biased;
            () = given_up => Err(Error::cancelled()),
            outcome = work(&job) => outcome,
        };
        job.meter.tell_end();
        if outcome.is_err() {
            let _ = tokio::time::timeout(TIDY_TIME, session.settle()).await;
        }
        outcome
    }

    /// True when unfinished copies are of no further use.
    pub(super) fn gives_up(&self) -> bool {
        self.gives_up.load(Relaxed)
    }

    /// True when what is sent must be hashed.
    pub(super) fn hashes(&self) -> bool {
        !matches!(self.options.verify, Verify::Size)
    }
}

/// True when the rest of a transfer would fail alike.
pub(super) fn is_fatal(error: &Error) -> bool {
    let reason = error.reason();
    reason.ends_session() || matches!(reason, Reason::Cancelled | Reason::DiskFull { .. })
}

/// Does what blocks on a thread that may.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.unwrap_or_else(|_| Err(Error::new(Reason::Local, "a part of the transfer broke off")))
}
