//! The thread that sees to it that notes are written soon, and that listeners hear of other processes' commits.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::broadcast;

use super::super::sqlite::{Access, connect};
use super::super::writer::Handle;
use super::notes::{self, Gathered, Taken};
use super::tally::Tally;
use crate::queue::TaskChange;
use crate::{Clock, Error, Result};

/// How long notes wait for company.
const NOTES: Duration = Duration::from_millis(150);
/// How often other processes' commits are looked for while somebody listens: all there is without wake-ups, and the
/// net under them where there are.
const POLL: Duration = Duration::from_millis(50);
const POLL_WITH_WAKES: Duration = Duration::from_secs(1);
/// Listeners are told at most so often that anything may have changed.
const PACE: Duration = Duration::from_millis(3);

/// The thread; ends, with everything written, when it is dropped.
pub(super) struct Keeper {
    bell: Bell,
    thread: Option<JoinHandle<()>>,
}

/// What makes the thread look.
#[derive(Clone)]
pub(in crate::embedded) struct Bell {
    rung: Arc<Rung>,
    thread: Option<Thread>,
}

/// Why the thread was woken.
#[derive(Default)]
struct Rung {
    has_ended: AtomicBool,
    /// Another process said that it wrote.
    by_another: AtomicBool,
    /// How often this process committed.
    own_commits: AtomicU64,
}

/// What the thread works with.
pub(super) struct Duties {
    pub(super) writer: Handle,
    pub(super) notes: Gathered,
    pub(super) changes: broadcast::Sender<TaskChange>,
    pub(super) clock: Clock,
    pub(super) has_wakes: bool,
}

impl Keeper {
    pub(super) fn start(file: &Path, duties: Duties) -> Result<Self> {
        let rung = Arc::new(Rung::default());
        let watch = Watch { connection: connect(file, Access::Read)?, version: 0, own: 0 };
        let seen = Arc::clone(&rung);
        let thread = thread::Builder::new()
            .name("store-keeper".to_owned())
            .spawn(move || duties.until_ended(&seen, watch))
            .map_err(|source| Error::io("start the thread that keeps notes", source))?;
        Ok(Self { bell: Bell { rung, thread: Some(thread.thread().clone()) }, thread: Some(thread) })
    }

    pub(super) fn bell(&self) -> Bell {
        self.bell.clone()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.bell.rung.has_ended.store(true, Ordering::Release);
        self.bell.look();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Bell {
    /// There is something to look at.
    pub(super) fn look(&self) {
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }

    /// Another process wrote.
    pub(super) fn another(&self) {
        self.rung.by_another.store(true, Ordering::Release);
        self.look();
    }

    /// This process committed.
    pub(in crate::embedded) fn own(&self) {
        self.rung.own_commits.fetch_add(1, Ordering::AcqRel);
    }
}

/// Tells other connections' commits from none.
struct Watch {
    connection: Connection,
    version: i64,
    own: u64,
}

impl Watch {
    /// Whether another process may have committed since the last look.
    fn has_moved(&mut self, rung: &Rung, has_wakes: bool) -> bool {
        let is_said = rung.by_another.swap(false, Ordering::AcqRel);
        // Read before the version: an own commit in between is looked at twice, one of others never missed.
        let own = rung.own_commits.load(Ordering::Acquire);
        let version = self.connection.pragma_query_value(None, "data_version", |row| row.get(0));
        let Ok(version) = version else { return true };
        let has_changed = std::mem::replace(&mut self.version, version) != version;
        let is_own = std::mem::replace(&mut self.own, own) != own;
        is_said || has_changed && !(is_own && has_wakes)
    }
}

impl Duties {
    fn until_ended(&self, rung: &Rung, mut watch: Watch) {
        let mut since = None;
        let mut told = None;
        while !rung.has_ended.load(Ordering::Acquire) {
            let now = Instant::now();
            if self.notes.is_empty() {
                since = None;
            } else if now.duration_since(*since.get_or_insert(now)) >= NOTES {
                self.flush();
                since = None;
            }
            let is_heard = self.changes.receiver_count() > 0;
            let pause = told.map(|told| PACE.saturating_sub(now.duration_since(told))).unwrap_or_default();
            if is_heard && pause.is_zero() && watch.has_moved(rung, self.has_wakes) {
                let _ = self.changes.send(TaskChange::Anything);
                told = Some(now);
            }
            let poll = if self.has_wakes { POLL_WITH_WAKES } else { POLL };
            let poll = is_heard.then_some(if pause.is_zero() { poll } else { pause });
            let notes = since.map(|since| NOTES.saturating_sub(now.duration_since(since)));
            match poll.into_iter().chain(notes).min() {
                Some(time) => thread::park_timeout(time.max(Duration::from_millis(1))),
                None => thread::park(),
            }
        }
        self.flush();
    }

    /// Writes the waiting notes; those that find no room wait on.
    fn flush(&self) {
        let clock = self.clock.clone();
        let changes = self.changes.clone();
        let run = move |connection: &Connection, taken: &Taken| {
            let mut tally = Tally::new(clock.now());
            notes::write(connection, taken, &mut tally)?;
            tally.settle(connection)
        };
        let tell = move |told: &Vec<TaskChange>| {
            for change in told {
                let _ = changes.send(change.clone());
            }
        };
        let submitted = self.notes.submit(&self.writer, None, run, tell);
        let outcome = submitted.and_then(|(answer, taken)| {
            let outcome = answer.blocking_recv().unwrap_or(Ok(Vec::new()));
            if outcome.as_ref().is_err_and(|error| error.kind().is_retriable()) {
                self.notes.put_back(&taken);
            }
            outcome
        });
        if let Err(error) = outcome {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot keep what tasks told");
        }
    }
}
