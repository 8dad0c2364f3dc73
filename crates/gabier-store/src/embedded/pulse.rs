//! How this process learns that records changed, here or in another process.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

use super::mark::Mark;
use super::rows;
use super::sqlite::{Access, connect};
use crate::{Error, Result};

/// How often other processes' commits are looked for while somebody waits for changes: the fallback for a wake-up
/// that did not come.
const POLL: Duration = Duration::from_millis(50);

/// The generation, asked for or waited for.
pub(super) struct Pulse {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// A connection of its own: it never waits behind a long read.
    connection: Mutex<Connection>,
    mark: Mark,
    /// The newest generation that was read in the database.
    seen: AtomicU64,
    generation: watch::Sender<u64>,
    has_ended: AtomicBool,
}

impl Pulse {
    /// Opens the connection and starts the thread, which sleeps until somebody subscribes.
    pub(super) fn start(file: &Path) -> Result<Self> {
        let connection = connect(file, Access::Read)?;
        let shared = Arc::new(Shared {
            mark: Mark::open(file)?,
            seen: AtomicU64::new(rows::generation(&connection)?),
            connection: Mutex::new(connection),
            generation: watch::Sender::new(0),
            has_ended: AtomicBool::new(false),
        });
        shared.publish();
        let beating = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("store-pulse".to_owned())
            .spawn(move || beating.beat())
            .map_err(|source| Error::io("start the thread that watches for changes", source))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The generation as of the last commit of any process.
    pub(super) fn generation(&self) -> Result<u64> {
        self.shared.generation()
    }

    /// The generation as it moves, starting from now.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.publish();
        let receiver = self.shared.generation.subscribe();
        self.waker().wake();
        receiver
    }

    /// What makes it look at once.
    pub(super) fn waker(&self) -> Waker {
        Waker(self.thread.as_ref().map(|thread| thread.thread().clone()))
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::Release);
        self.waker().wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes the pulse look for changes at once. Waking one that has ended does nothing.
#[derive(Clone)]
pub(super) struct Waker(Option<Thread>);

impl Waker {
    pub(super) fn wake(&self) {
        if let Some(thread) = &self.0 {
            thread.unpark();
        }
    }
}

impl Shared {
    /// The mark where it agrees with what was read last, else what the database says (see [`Mark`]).
    fn generation(&self) -> Result<u64> {
        if let Some(mark) = self.mark.read()
            && mark == self.seen.load(Ordering::Acquire)
        {
            return Ok(mark);
        }
        let now = rows::generation(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))?;
        self.seen.fetch_max(now, Ordering::Release);
        Ok(now)
    }

    fn publish(&self) {
        match self.generation() {
            Ok(now) => {
                self.generation.send_if_modified(|seen| std::mem::replace(seen, now) != now);
            }
            // Who waits is told by the next beat that succeeds.
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "cannot look for changes"),
        }
    }

    fn beat(&self) {
        while !self.has_ended.load(Ordering::Acquire) {
            if self.generation.receiver_count() == 0 {
                thread::park();
            } else {
                self.publish();
                thread::park_timeout(POLL);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::schema;
    use std::path::PathBuf;

    struct Bench {
        pulse: Pulse,
        mark: Mark,
        connection: Connection,
        file: PathBuf,
        _directory: tempfile::TempDir,
    }

    fn bench() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gabier.db");
        crate::private::create_file(&file).unwrap();
        let mut connection = connect(&file, Access::Write).unwrap();
        schema::migrate(&mut connection, &file).unwrap();
        let mark = Mark::open(&file).unwrap();
        Bench { pulse: Pulse::start(&file).unwrap(), mark, connection, file, _directory: directory }
    }

    impl Bench {
        /// What the database says behind the mark's back.
        fn set(&self, generation: u64) {
            let sql = "UPDATE meta SET number = ?1 WHERE name = 'generation'";
            self.connection.execute(sql, [generation.cast_signed()]).unwrap();
        }

        fn check(&self, expected: u64) {
            for _ in 0..2 {
                assert_eq!(self.pulse.generation().unwrap(), expected);
            }
        }
    }

    #[test]
    fn a_writer_that_died_before_its_commit_hides_no_later_one() {
        let bench = bench();
        bench.mark.write(5).unwrap();
        bench.set(5);
        bench.check(5);
        bench.mark.write(6).unwrap();
        bench.check(5);
        bench.set(6);
        bench.check(6);
    }

    #[test]
    fn a_writer_that_died_after_its_commit_has_left_its_mark() {
        let bench = bench();
        bench.mark.write(5).unwrap();
        bench.set(5);
        bench.check(5);
        bench.mark.write(6).unwrap();
        bench.set(6);
        // Nothing more comes from it: no word that it has committed, and no second mark.
        bench.check(6);
    }

    #[test]
    fn a_mark_that_a_power_failure_left_behind_is_not_believed() {
        let mut bench = bench();
        bench.set(7);
        for stale in [0, 6, 9] {
            bench.mark.write(stale).unwrap();
            bench.pulse = Pulse::start(&bench.file).unwrap();
            bench.check(7);
        }
    }

    #[test]
    fn while_mark_and_memory_agree_the_database_is_left_alone() {
        let bench = bench();
        bench.mark.write(5).unwrap();
        bench.set(5);
        bench.check(5);
        let _busy = bench.pulse.shared.connection.lock().unwrap();
        assert_eq!(bench.pulse.shared.mark.read(), Some(5));
        assert_eq!(bench.pulse.generation().unwrap(), 5);
    }
}
