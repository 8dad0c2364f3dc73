//! The way out: a response's body, and what must happen when it ends.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use gabier_tool::{Caller, CallerKind, Error, ErrorKind};
use hyper::body::{Frame, SizeHint};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::Refusal;
use crate::metrics::Metrics;
use crate::pace::Pace;

/// A response's body. Its end hands the connection back to waiting for a request.
pub(crate) struct Tail {
    body: Body,
    pace: Arc<Pace>,
    stream: Option<Stream>,
}

/// What belongs to an event stream.
pub(super) struct Stream {
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
    _watched: DropGuard,
    _place: Place,
}

impl Tail {
    pub(super) fn new(body: Body, pace: Arc<Pace>, stream: Option<Stream>) -> Self {
        Self { body, pace, stream }
    }
}

impl HttpBody for Tail {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Some(stream) = &mut self.stream
            && stream.stop.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(None);
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.pace.idle();
    }
}

/// The open event streams.
pub(super) struct Streams {
    per_token: usize,
    stop: CancellationToken,
    open: Mutex<HashMap<Arc<str>, usize>>,
    metrics: Arc<Metrics>,
}

impl Streams {
    pub(super) fn new(per_token: usize, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { per_token, stop: CancellationToken::new(), open: Mutex::default(), metrics })
    }

    /// Ends every stream that would not end by itself.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// A place for one more stream. `listens`: it lasts until somebody ends it, and so counts and ends with the server.
    pub(super) fn admit(
        self: &Arc<Self>,
        caller: &Caller,
        listens: bool,
    ) -> Result<(Stream, CancellationToken), Refusal> {
        let counted = (listens && caller.kind != CallerKind::Anonymous).then(|| Arc::clone(&caller.subject));
        if let Some(subject) = &counted {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let own = open.entry(Arc::clone(subject)).or_default();
            if *own >= self.per_token {
                let error = Error::new(ErrorKind::RateLimited, "this token has too many event streams open")
                    .with("limit", self.per_token)
                    .with("retry_after_ms", 1000);
                return Err(Refusal::from(error));
            }
            *own += 1;
        }
        self.metrics.stream_opened();
        let token = if listens { self.stop.child_token() } else { CancellationToken::new() };
        let stream = Stream {
            stop: Box::pin(token.clone().cancelled_owned()),
            _watched: token.clone().drop_guard(),
            _place: Place { streams: Arc::clone(self), counted },
        };
        Ok((stream, token))
    }
}

/// A place among the streams; leaving it is dropping it.
struct Place {
    streams: Arc<Streams>,
    counted: Option<Arc<str>>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.streams.metrics.stream_closed();
        let Some(subject) = &self.counted else { return };
        let mut open = self.streams.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(subject) {
            *own -= 1;
            if *own == 0 {
                open.remove(subject);
            }
        }
    }
}
