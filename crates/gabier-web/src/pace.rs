//! A socket that keeps a client to its pace: a head in time, no endless idling, no reader that never reads.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;

/// What a connection is doing, shared between its socket and its requests.
pub(crate) struct Pace {
    phase: AtomicU8,
    since: Mutex<Instant>,
}

impl Pace {
    /// A fresh connection owes its first request head.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { phase: AtomicU8::new(HEAD), since: Mutex::new(Instant::now()) })
    }

    /// A request is being answered: the socket may wait as long as that takes.
    pub(crate) fn busy(&self) {
        self.phase.store(BUSY, Ordering::Release);
    }

    /// The answer is out: the connection waits for another request.
    pub(crate) fn idle(&self) {
        self.enter(IDLE);
    }

    fn enter(&self, phase: u8) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.phase.store(phase, Ordering::Release);
    }

    fn deadline(&self, times: Times) -> Option<Instant> {
        let allowed = match self.phase.load(Ordering::Acquire) {
            IDLE => times.idle,
            HEAD => times.head,
            _ => return None,
        };
        Some(*self.since.lock().unwrap_or_else(PoisonError::into_inner) + allowed)
    }
}

/// How long a socket may wait.
#[derive(Clone, Copy)]
pub(crate) struct Times {
    /// For the rest of a request head.
    pub(crate) head: Duration,
    /// Between requests, and for a reader that takes nothing.
    pub(crate) idle: Duration,
}

/// The socket, watched.
pub(crate) struct Paced<S> {
    socket: S,
    pace: Arc<Pace>,
    times: Times,
    timer: Pin<Box<Sleep>>,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Paced<S> {
    pub(crate) fn new(socket: S, pace: Arc<Pace>, times: Times) -> Self {
        let first = tokio::time::sleep(times.head);
        Self { socket, pace, times, timer: Box::pin(first), stalled: None }
    }

    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(deadline) = self.pace.deadline(self.times) else { return Poll::Pending };
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    /// Passes a write's result on, and ends the connection when nothing could be written for too long.
    fn watch_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let idle = self.times.idle;
        let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.socket).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if self.pace.phase.load(Ordering::Acquire) == IDLE {
                    self.pace.enter(HEAD);
                }
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.watch_write(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        if flushed.is_ready() {
            // An answer's end is seen here and not by a read: the wait for the next request begins now. Should its
            // time be over already, the next read says so.
            let _ = self.poll_late(cx);
        }
        self.watch_write(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.socket).poll_shutdown(cx);
        self.watch_write(cx, shut)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.watch_write(cx, written)
    }
}
