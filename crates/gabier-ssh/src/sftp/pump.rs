//! The two tasks of a session: one writes requests, one reads replies and watches that something moves.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::error::{Error, Reason, Result};
use super::packet::{Ask, Reply, Request, read_reply};
use super::session::Shared;

/// The longest packet that is believed: `OpenSSH` stays below 256 KiB, other servers list folders in longer ones.
const PACKET_MAX: usize = 1 << 20;
/// From here on a packet is worth a write of its own; below it, copying costs less than one more SSH packet.
const BIG: usize = 16 * 1024;
/// Small packets are gathered up to this, which one SSH packet holds.
const GATHERED_MAX: usize = 32 * 1024 - 64;
/// Room for replies that is asked of the stream at once.
const READ_ROOM: usize = 64 * 1024;

/// Writes requests until the last sender is gone, then ends the stream.
pub(super) async fn write_requests<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut requests: mpsc::UnboundedReceiver<Bytes>,
    shared: Arc<Shared>,
) {
    let mut batch = Vec::with_capacity(64);
    let mut gathered = BytesMut::with_capacity(GATHERED_MAX);
    let outcome = async {
        while requests.recv_many(&mut batch, 64).await > 0 {
            for request in batch.drain(..) {
                if gathered.len() + request.len() > GATHERED_MAX || request.len() >= BIG {
                    write_out(&mut writer, &mut gathered, &shared).await?;
                }
                if request.len() >= BIG {
                    write_out(&mut writer, &mut { request }, &shared).await?;
                } else {
                    gathered.extend_from_slice(&request);
                }
            }
            if requests.is_empty() {
                write_out(&mut writer, &mut gathered, &shared).await?;
                writer.flush().await?;
            }
        }
        writer.shutdown().await
    };
    tokio::select! {
        outcome = outcome => if let Err(error) = outcome {
            shared.end(&Error::new(Reason::Lost, format!("the stream to the server broke: {error}")));
        },
        () = shared.over.cancelled() => {}
    }
}

async fn write_out<W: AsyncWrite + Unpin>(
    writer: &mut W,
    bytes: &mut impl Buf,
    shared: &Shared,
) -> std::io::Result<()> {
    while bytes.has_remaining() {
        if writer.write_buf(bytes).await? == 0 {
            return Err(std::io::ErrorKind::WriteZero.into());
        }
        shared.moved();
    }
    Ok(())
}

/// Reads replies until the stream ends, breaks, or stands still for too long.
pub(super) async fn read_replies<R: AsyncRead + Unpin>(
    mut frames: Frames<R>,
    shared: Arc<Shared>,
    requests: mpsc::WeakUnboundedSender<Bytes>,
) {
    let reading = async {
        loop {
            if let Err(error) = read_one(&mut frames, &shared, &requests).await {
                break error;
            }
        }
    };
    let error = tokio::select! {
        error = reading => error,
        error = stall(&shared) => error,
        () = shared.over.cancelled() => return,
    };
    shared.end(&error);
}

async fn read_one<R: AsyncRead + Unpin>(
    frames: &mut Frames<R>,
    shared: &Shared,
    requests: &mpsc::WeakUnboundedSender<Bytes>,
) -> Result<()> {
    let frame = frames.next(|| shared.moved()).await?;
    let (id, reply) = read_reply(frame)?;
    deliver(id, reply, shared, requests)
}

/// Hands a reply to who waits for it. A handle that nobody wants any more is closed, else it would stay open on
/// the server.
fn deliver(
    id: u32,
    reply: Reply,
    shared: &Shared,
    requests: &mpsc::WeakUnboundedSender<Bytes>,
) -> Result<()> {
    let Some(sender) = shared.answer(id) else {
        return Err(Error::new(Reason::Protocol, "the server answered what nobody asked"));
    };
    let Err(Reply::Handle(handle)) = sender.send(reply) else { return Ok(()) };
    let (nobody, _) = tokio::sync::oneshot::channel();
    if let (Some(requests), Some(id)) = (requests.upgrade(), shared.take(nobody)) {
        // A closed channel means that the session is over, and the handle with it.
        let _ = requests.send(Request::new(Ask::Close, id).string(&handle).finish());
    }
    Ok(())
}

/// Ends once replies are awaited and nothing has moved, in either direction, for the limit.
async fn stall(shared: &Shared) -> Error {
    let step = (shared.stall / 4).max(Duration::from_millis(1));
    loop {
        tokio::time::sleep(step).await;
        if shared.stands_still() {
            let limit = shared.stall.as_secs_f32();
            return Error::new(Reason::Stalled, format!("nothing moved for {limit} s"));
        }
    }
}

/// A stream cut into packets.
pub(super) struct Frames<R> {
    reader: R,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: BytesMut::with_capacity(READ_ROOM) }
    }

    /// The next packet without its length. `moved` is called whenever bytes arrive.
    pub(super) async fn next(&mut self, moved: impl Fn()) -> Result<Bytes> {
        self.fill(4, &moved).await?;
        let length = (&self.buffer[..4]).get_u32() as usize;
        if length > PACKET_MAX || length == 0 {
            return Err(self.nonsense(length));
        }
        self.fill(4 + length, &moved).await?;
        let mut frame = self.buffer.split_to(4 + length).freeze();
        frame.advance(4);
        Ok(frame)
    }

    async fn fill(&mut self, wanted: usize, moved: &impl Fn()) -> Result<()> {
        while self.buffer.len() < wanted {
            self.buffer.reserve((wanted - self.buffer.len()).max(READ_ROOM));
            let count = self.reader.read_buf(&mut self.buffer).await;
            match count {
                Ok(0) => return Err(Error::new(Reason::Lost, "the server closed the stream")),
                Ok(_) => moved(),
                Err(error) => {
                    let message = format!("the stream from the server broke: {error}");
                    return Err(Error::new(Reason::Lost, message));
                }
            }
        }
        Ok(())
    }

    /// A login script that prints something is the usual cause: its text stands where a length is expected.
    fn nonsense(&self, length: usize) -> Error {
        let start = &self.buffer[..self.buffer.len().min(60)];
        let message = if start.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n')) {
            let text = super::path::RemotePath::new(start);
            format!("the server sent text instead of packets: {text}")
        } else {
            format!("the server sent a packet of {length} bytes")
        };
        Error::new(Reason::Protocol, message)
    }
}
