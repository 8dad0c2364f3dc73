//! How this process learns that records changed, here or in another process.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::watch;

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
    generation: watch::Sender<u64>,
    has_ended: AtomicBool,
}

impl Pulse {
    /// Opens the connection and starts the thread, which sleeps until somebody subscribes.
    pub(super) fn start(file: &Path) -> Result<Self> {
        let shared = Arc::new(Shared {
            connection: Mutex::new(connect(file, Access::Read)?),
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
    fn generation(&self) -> Result<u64> {
        rows::generation(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
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
