//! The output of a running command, as its drain fills it and its driver reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use gabier_host::{Captured, Output, Sink, Stream};
use tokio::time::Instant;

use super::mark::{Marks, Piece};

/// How much output is searched for the mark that tells the process id. What a login script writes comes before it.
const SEARCHED: usize = 16 * 1024;

/// Shared by the task that drains a channel and the one that decides.
#[derive(Clone)]
pub(super) struct Hold(Arc<Mutex<Held>>);

struct Held {
    stdout: Captured,
    stderr: Captured,
    sink: Option<Arc<dyn Sink>>,
    marks: Option<Marks>,
    searched: usize,
    pid: Option<u32>,
    last_data: Instant,
}

impl Hold {
    /// Keeps so many bytes of each stream; the first mark tells the process id.
    pub(super) fn new(keep: usize, sink: Option<Arc<dyn Sink>>, word: &str) -> Self {
        let held = Held {
            stdout: Captured::within(keep),
            stderr: Captured::within(keep),
            sink,
            marks: Some(Marks::new(word)),
            searched: 0,
            pid: None,
            last_data: Instant::now(),
        };
        Self(Arc::new(Mutex::new(held)))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes output as it came over the wire.
    pub(super) fn push(&self, stream: Stream, bytes: &Bytes) {
        let mut held = self.held();
        held.last_data = Instant::now();
        if stream == Stream::Stderr || held.marks.is_none() {
            return held.take(stream, bytes);
        }
        held.search(bytes);
    }

    /// The process group of the command, once it is known.
    pub(super) fn pid(&self) -> Option<u32> {
        self.held().pid
    }

    /// When output came last.
    pub(super) fn last_data(&self) -> Instant {
        self.held().last_data
    }

    /// Ends both streams.
    pub(super) fn finish(&self) -> (Output, Output) {
        let mut held = self.held();
        if let Some(mut marks) = held.marks.take() {
            let rest = marks.finish();
            held.take(Stream::Stdout, &rest.into());
        }
        let nothing = || Captured::within(0);
        let stdout = std::mem::replace(&mut held.stdout, nothing()).finish();
        (stdout, std::mem::replace(&mut held.stderr, nothing()).finish())
    }
}

impl Held {
    fn take(&mut self, stream: Stream, bytes: &Bytes) {
        if bytes.is_empty() {
            return;
        }
        match stream {
            Stream::Stdout => self.stdout.push(bytes),
            Stream::Stderr => self.stderr.push(bytes),
        }
        if let Some(sink) = &self.sink {
            sink.write(stream, bytes);
        }
    }

    fn search(&mut self, bytes: &[u8]) {
        let Some(mut marks) = self.marks.take() else { return };
        self.searched += bytes.len();
        let mut is_found = false;
        for piece in marks.push(bytes) {
            match piece {
                Piece::Output(bytes) => self.take(Stream::Stdout, &bytes.into()),
                Piece::Mark(pid) => {
                    self.pid = (pid > 1 && pid != u32::MAX).then_some(pid);
                    is_found = true;
                }
            }
        }
        if is_found || self.searched > SEARCHED {
            let rest = marks.finish();
            self.take(Stream::Stdout, &rest.into());
        } else {
            self.marks = Some(marks);
        }
    }
}
