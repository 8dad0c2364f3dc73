//! How far a transfer is, told five times a second at most.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_millis(200);

/// How far a transfer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that arrived.
    pub bytes: u64,
    /// Bytes in all, as far as known.
    pub total_bytes: u64,
    /// Files that are finished.
    pub files: u64,
    /// Files in all, as far as known.
    pub total_files: u64,
}

/// Who hears of it; must return at once.
pub type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// Counts what arrives and tells it.
pub(super) struct Meter {
    bytes: AtomicU64,
    total_bytes: AtomicU64,
    files: AtomicU64,
    total_files: AtomicU64,
    start: Instant,
    told: Mutex<Option<Duration>>,
    listener: Option<Listener>,
}

impl Meter {
    pub(super) fn new(listener: Option<Listener>) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            total_bytes: AtomicU64::new(0),
            files: AtomicU64::new(0),
            total_files: AtomicU64::new(0),
            start: Instant::now(),
            told: Mutex::new(None),
            listener,
        }
    }

    pub(super) fn expect(&self, files: u64, bytes: u64) {
        self.total_files.fetch_add(files, Relaxed);
        self.total_bytes.fetch_add(bytes, Relaxed);
    }

    pub(super) fn arrived(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
        self.tell(self.start.elapsed());
    }

    pub(super) fn finished_file(&self) {
        self.files.fetch_add(1, Relaxed);
        self.tell(self.start.elapsed());
    }

    pub(super) fn progress(&self) -> Progress {
        Progress {
            bytes: self.bytes.load(Relaxed),
            total_bytes: self.total_bytes.load(Relaxed),
            files: self.files.load(Relaxed),
            total_files: self.total_files.load(Relaxed),
        }
    }

    /// Tells the end, however recent the last word was.
    pub(super) fn tell_end(&self) {
        if let Some(listener) = &self.listener {
            listener(self.progress());
        }
    }

    fn tell(&self, now: Duration) {
        let Some(listener) = &self.listener else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_some_and(|told| now.saturating_sub(told) < INTERVAL) {
            return;
        }
        *told = Some(now);
        drop(told);
        listener(self.progress());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_words_a_second_are_enough() {
        let words = Arc::new(AtomicU64::new(0));
        let listener: Listener = {
            let words = words.clone();
            Arc::new(move |_| {
                words.fetch_add(1, Relaxed);
            })
        };
        let meter = Meter::new(Some(listener));
        for millisecond in 0..1_000 {
            meter.tell(Duration::from_millis(millisecond));
        }
        assert_eq!(words.load(Relaxed), 5);
        meter.tell_end();
        assert_eq!(words.load(Relaxed), 6);
    }
}
