//! A channel as bytes both ways.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;

/// Bytes of a channel. A task empties the channel into a queue: how much can wait there is bounded by what its user
/// asked the server for (SFTP) or by the connection being its user's own (tunnels).
pub(crate) struct ChannelStream {
    incoming: mpsc::UnboundedReceiver<bytes::Bytes>,
    rest: bytes::Bytes,
    writer: Pin<Box<dyn AsyncWrite + Send>>,
    _closer: Closer,
}

/// Closes the channel when the stream goes, then lets go of whatever it stood for.
struct Closer {
    write: Option<ChannelWriteHalf<Msg>>,
    guard: Option<Box<dyn Send>>,
}

impl Drop for Closer {
    fn drop(&mut self) {
        let (write, guard) = (self.write.take(), self.guard.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Some(write) = write {
                    let _ = write.close().await;
                }
                drop(guard);
            });
        }
    }
}

impl ChannelStream {
    pub(super) fn new(mut read: ChannelReadHalf, write: ChannelWriteHalf<Msg>, guard: Box<dyn Send>) -> Self {
        let (sender, incoming) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let message = tokio::select! {
                    message = read.wait() => message,
                    () = sender.closed() => return,
                };
                match message {
                    Some(ChannelMsg::Data { data }) => {
                        let _ = sender.send(data);
                    }
                    Some(ChannelMsg::Eof | ChannelMsg::Close) | None => return,
                    Some(_) => {}
                }
            }
        });
        let writer = Box::pin(write.make_writer());
        let closer = Closer { write: Some(write), guard: Some(guard) };
        Self { incoming, rest: bytes::Bytes::new(), writer: writer as _, _closer: closer }
    }
}

impl AsyncRead for ChannelStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match self.incoming.poll_recv(cx) {
                Poll::Ready(Some(bytes)) => self.rest = bytes,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
        let count = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ChannelStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.writer.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer.as_mut().poll_shutdown(cx)
    }
}
