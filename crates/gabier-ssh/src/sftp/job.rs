//! One transfer on its way: what all its parts share, and how it ends when the caller gives up.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::attributes::{Attributes, FileKind};
use super::error::{Error, Reason, Result};
use super::options::{Options, Verify};
use super::path::{is_left, temporary_name};
use super::progress::Meter;
use super::resume::{Page, WORTH_RESUMING};
use super::session::Session;

/// How long the end waits for the server to have removed what is unfinished.
const TIDY_TIME: Duration = Duration::from_secs(5);

/// What all parts of a transfer share.
pub(super) struct Job {
    pub(super) session: Session,
    pub(super) options: Options,
    pub(super) meter: Meter,
    /// Something unfinished stays that the journal knows.
    is_kept: AtomicBool,
    /// An earlier attempt broke off: what it brought is left alone.
    goes_on: AtomicBool,
    /// What failed would fail alike for all that has not begun.
    is_over: AtomicBool,
    /// Many files go together.
    is_batch: AtomicBool,
    /// What the names of unfinished copies carry where many files go together.
    mark: OnceLock<u32>,
}

impl Job {
    /// Does the work until it ends or the caller gives up. What was unfinished is gone when this returns, but for what
    /// the journal knows: parts remove their temporaries when they are dropped, and the answers of the server are
    /// awaited.
    pub(super) async fn run<T>(
        session: &Session,
        options: &Options,
        work: impl AsyncFnOnce(&Arc<Self>) -> Result<T>,
    ) -> Result<T> {
        let job = Arc::new(Self {
            session: session.clone(),
            options: options.clone(),
            meter: Meter::new(options.progress.clone()),
            is_kept: AtomicBool::new(false),
            goes_on: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            is_batch: AtomicBool::new(false),
            mark: OnceLock::new(),
        });
        let outcome = tokio::select! {
            biased;
            () = options.cancel.cancelled() => Err(Error::cancelled()),
            outcome = work(&job) => outcome,
        };
        job.meter.tell_end();
        if outcome.is_err() {
            let _ = tokio::time::timeout(TIDY_TIME, session.settle()).await;
        }
        outcome.map_err(|error| if job.is_kept.load(Relaxed) { error.resumable() } else { error })
    }

    /// Notes that the same transfer can go on where this one ends.
    pub(super) fn keep(&self) {
        self.is_kept.store(true, Relaxed);
    }

    /// Goes on with what an earlier attempt has begun.
    pub(super) fn go_on(&self) {
        self.goes_on.store(true, Relaxed);
    }

    /// Sends many files together: the small ones have no pages of their own.
    pub(super) fn go_together(&self) {
        self.is_batch.store(true, Relaxed);
    }

    /// The journal's page for a file of that size on its way (`up`, `down`) to a place. A large one can go on by it;
    /// of a small one that goes alone it tells the next transfer what a killed process has left.
    pub(super) async fn page(&self, way: &str, place: &[u8], size: u64) -> Option<Box<dyn Page>> {
        let resume = self.options.resume.as_ref()?;
        if size < WORTH_RESUMING && self.is_batch.load(Relaxed) {
            return None;
        }
        resume.page(way, place).await
    }

    /// Lets the names of unfinished copies carry a mark from now on.
    pub(super) fn mark(&self, mark: u32) {
        self.mark.get_or_init(|| mark);
    }

    /// The name that a file has until it is whole.
    pub(super) fn temporary_name(&self, name: &[u8]) -> Result<Vec<u8>> {
        temporary_name(name, self.mark.get().copied())
    }

    /// True for the unfinished copy of a file that an earlier attempt has left, and that nobody goes on with.
    pub(super) fn is_left(&self, name: &[u8], attributes: &Attributes) -> bool {
        let is_left = |mark: &u32| is_left(name, *mark) && attributes.kind() == FileKind::Regular;
        attributes.size.is_some_and(|size| size < WORTH_RESUMING)
            && self.goes_on()
            && self.mark.get().is_some_and(is_left)
    }

    /// Begins nothing more; what is on its way ends as it may.
    pub(super) fn give_up(&self) {
        self.is_over.store(true, Relaxed);
    }

    /// True when nothing more is begun.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// True when an earlier attempt brought what is there unchanged.
    pub(super) fn goes_on(&self) -> bool {
        self.goes_on.load(Relaxed)
    }

    /// True when files of equal size and time of change are left alone.
    pub(super) fn skips_unchanged(&self) -> bool {
        self.options.skip_unchanged || self.goes_on()
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
