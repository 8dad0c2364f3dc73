//! A stream that can be cut from outside and remembers the server's first line.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use gabier_host::ByteStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The longest first line, and how many lines may stand before it (RFC 4253 §4.2).
const LONGEST: usize = 8 * 1024;

/// Cuts a stream: russh waits for ever on a peer that fell silent during the key exchange, and its task with it.
#[derive(Clone, Default)]
pub(super) struct Cutter(Arc<State>);

#[derive(Default)]
struct State {
    is_cut: AtomicBool,
    reader: AtomicWaker,
    writer: AtomicWaker,
    begin: Mutex<Begin>,
}

#[derive(Default)]
struct Begin {
    bytes: Vec<u8>,
    version: Option<String>,
    meter: Option<Meter>,
}

/// How much comes, over the last moments.
#[derive(Clone, Copy)]
struct Meter {
    since: Instant,
    bytes: u64,
    rate: u64,
}

/// Over how long the rate is taken.
const MOMENT: Duration = Duration::from_millis(100);
/// More bytes a second than this is a flood.
const FLOOD: u64 = 4 << 20;

impl Cutter {
    /// Ends the stream for both sides.
    pub(super) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        self.0.reader.wake();
        self.0.writer.wake();
    }

    /// The stream, which this then cuts.
    pub(super) fn wrap(&self, inner: Box<dyn ByteStream>) -> CutStream {
        CutStream { inner, state: Arc::clone(&self.0), ahead: Vec::new(), given: 0 }
    }

    /// What the server says it is: `OpenSSH_9.2p1 …`.
    pub(super) fn software(&self) -> Option<String> {
        self.begin().version.clone()
    }

    /// What came instead, when that is no SSH.
    pub(super) fn other(&self) -> String {
        String::from_utf8_lossy(&self.begin().bytes).chars().take(80).collect()
    }

    /// True while so much comes that a command would wait behind it.
    pub(super) fn is_flooded(&self) -> bool {
        self.begin().meter.is_some_and(|meter| meter.rate > FLOOD && meter.since.elapsed() < MOMENT * 5)
    }

    fn begin(&self) -> std::sync::MutexGuard<'_, Begin> {
        self.0.begin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Begin {
    fn count(&mut self, bytes: u64) {
        let now = Instant::now();
        let meter = self.meter.get_or_insert(Meter { since: now, bytes: 0, rate: 0 });
        meter.bytes += bytes;
        let passed = now - meter.since;
        if passed >= MOMENT {
            let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX).max(1);
            *meter = Meter { since: now, bytes: 0, rate: meter.bytes * 1000 / millis };
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        if self.version.is_some() || self.bytes.len() > LONGEST {
            return;
        }
        self.bytes.extend_from_slice(bytes);
        let lines = self.bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let versions = lines.filter_map(|line| {
            let line = std::str::from_utf8(line).ok()?.trim_end();
            line.strip_prefix("SSH-2.0-").or_else(|| line.strip_prefix("SSH-1.99-")).map(str::to_owned)
        });
        self.version = { versions }.next();
    }
}

/// How much is read ahead where little is wanted: russh asks for the four bytes of a packet's length by themselves, and
/// most packets are small.
const AHEAD: usize = 4 * 1024;

/// A stream with a [`Cutter`].
pub(super) struct CutStream {
    inner: Box<dyn ByteStream>,
    state: Arc<State>,
    /// What was read ahead, and how much of it was given.
    ahead: Vec<u8>,
    given: usize,
}

impl CutStream {
    fn check(&self) -> io::Result<()> {
        if self.state.is_cut.load(Ordering::Acquire) {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "closed by us"));
        }
        Ok(())
    }

    /// Reads what has come, counted.
    fn receive(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
        if read.is_ready() && buf.filled().len() > before {
            let mut begin = self.state.begin.lock().unwrap_or_else(PoisonError::into_inner);
            begin.read(&buf.filled()[before..]);
            begin.count((buf.filled().len() - before) as u64);
        }
        read
    }
}

impl AsyncRead for CutStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.state.reader.register(cx.waker());
        self.check()?;
        let this = &mut *self;
        if this.given == this.ahead.len() {
            if buf.remaining() >= AHEAD {
                return this.receive(cx, buf);
            }
            let mut ahead = std::mem::take(&mut this.ahead);
            ahead.resize(AHEAD, 0);
            let mut room = ReadBuf::new(&mut ahead);
            let read = this.receive(cx, &mut room);
            let length = room.filled().len();
            ahead.truncate(length);
            (this.ahead, this.given) = (ahead, 0);
            ready!(read)?;
        }
        let count = buf.remaining().min(this.ahead.len() - this.given);
        buf.put_slice(&this.ahead[this.given..this.given + count]);
        this.given += count;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for CutStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.state.writer.register(cx.waker());
        self.check()?;
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state.writer.register(cx.waker());
        self.check()?;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_cut_stream_ends_a_read_that_waits() {
        let (near, _far) = tokio::io::duplex(64);
        let cutter = Cutter::default();
        let mut stream = cutter.wrap(Box::new(near));
        let waiting = tokio::spawn(async move { stream.read_u8().await.map_err(|error| error.kind()) });
        tokio::task::yield_now().await;
        cutter.cut();
        assert_eq!(waiting.await.unwrap(), Err(io::ErrorKind::ConnectionAborted));
    }

    #[tokio::test]
    async fn what_is_read_ahead_arrives_in_order_whatever_is_asked_for() {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let sent: Vec<u8> = (0..40_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        far.write_all(&sent).await.unwrap();
        drop(far);
        let mut stream = Cutter::default().wrap(Box::new(near));
        let mut read = Vec::new();
        for length in [4, 1, 10_000, 4, 4_096, 100].into_iter().cycle() {
            let mut part = vec![0; length];
            let count = stream.read(&mut part).await.unwrap();
            if count == 0 {
                break;
            }
            read.extend_from_slice(&part[..count]);
        }
        assert_eq!(read, sent);
    }

    #[tokio::test]
    async fn the_servers_version_is_read_behind_other_lines() {
        let (near, mut far) = tokio::io::duplex(64);
        let cutter = Cutter::default();
        let mut stream = cutter.wrap(Box::new(near));
        for part in ["hello\r\nSSH-2.0-Open", "SSH_9.2p1 Debian\r\n\0\0"] {
            assert_eq!(cutter.software(), None);
            far.write_all(part.as_bytes()).await.unwrap();
            let mut buffer = vec![0; part.len()];
            stream.read_exact(&mut buffer).await.unwrap();
        }
        assert_eq!(cutter.software().as_deref(), Some("OpenSSH_9.2p1 Debian"));
    }
}
