//! A channel of a connection. Whatever the server sends on it is taken at once: russh stops the whole connection when
//! one channel is not emptied.

use bytes::Bytes;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use tokio::sync::oneshot;

pub(crate) use gabier_host::Stream;

/// An open channel that nobody reads yet.
pub(crate) struct Channel {
    pub(super) read: ChannelReadHalf,
    pub(super) write: ChannelWriteHalf<Msg>,
}

/// What the server says on a channel.
#[derive(Debug)]
pub(crate) enum Event {
    /// The request was granted.
    Granted,
    /// The request was refused.
    Refused,
    /// Output.
    Data(Stream, Bytes),
    /// No more output comes.
    Eof,
    /// The command ended.
    Exited(u32),
    /// A signal ended the command.
    Signalled(String),
}

/// How a channel ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The server closed it.
    Closed,
    /// The connection went away under it.
    Lost,
}

/// Resolves when a channel has ended; dropping it lets go of the channel without closing it.
pub(crate) struct Drained(oneshot::Receiver<Ended>);

impl Drained {
    /// Waits for the end of the channel.
    pub(crate) async fn ended(&mut self) -> Ended {
        (&mut self.0).await.unwrap_or(Ended::Lost)
    }
}

/// The sending side of a channel. None of its calls may be awaited by who drains a channel.
pub(crate) struct Writer {
    write: ChannelWriteHalf<Msg>,
    is_closed: bool,
}

impl Channel {
    /// Takes everything that comes, from now on, in a task of its own; `take` must return at once.
    pub(crate) fn drain(self, mut take: impl FnMut(Event) + Send + 'static) -> (Writer, Drained) {
        let Self { mut read, write } = self;
        let (mut ended, drained) = oneshot::channel();
        tokio::spawn(async move {
            let mut end = Ended::Lost;
            loop {
                let message = tokio::select! {
                    message = read.wait() => message,
                    () = ended.closed() => return,
                };
                let event = match message {
                    Some(ChannelMsg::Data { data }) => Event::Data(Stream::Stdout, data),
                    Some(ChannelMsg::ExtendedData { data, ext: 1 }) => Event::Data(Stream::Stderr, data),
                    Some(ChannelMsg::ExitStatus { exit_status }) => Event::Exited(exit_status),
                    Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                        Event::Signalled(name_of(signal_name))
                    }
                    Some(ChannelMsg::Success) => Event::Granted,
                    Some(ChannelMsg::Failure) => Event::Refused,
                    Some(ChannelMsg::Eof) => Event::Eof,
                    Some(ChannelMsg::Close) => {
                        end = Ended::Closed;
                        continue;
                    }
                    Some(_) => continue,
                    None => break,
                };
                take(event);
            }
            let _ = ended.send(end);
        });
        (Writer { write, is_closed: false }, Drained(drained))
    }

    /// The channel as bytes both ways (tunnels, subsystems).
    pub(crate) fn into_stream(self, guard: impl Send + Unpin + 'static) -> super::stream::ChannelStream {
        super::stream::ChannelStream::new(self.read, self.write, Box::new(guard))
    }
}

impl Writer {
    /// Asks to run a command.
    pub(crate) async fn exec(&self, line: &str) -> Result<(), russh::Error> {
        self.write.exec(true, line).await
    }

    /// Asks for a terminal.
    pub(crate) async fn terminal(&self, columns: u32, rows: u32) -> Result<(), russh::Error> {
        self.write.request_pty(true, "xterm", columns, rows, 0, 0, &[]).await
    }

    /// Sends input, as fast as the server takes it. Never resolves once the channel has ended: select it against that.
    pub(crate) async fn data(&self, bytes: Bytes) -> Result<(), russh::Error> {
        self.write.data_bytes(bytes).await
    }

    /// Ends the input.
    pub(crate) async fn eof(&self) -> Result<(), russh::Error> {
        self.write.eof().await
    }

    /// Asks the server to end the command. There is no answer.
    pub(crate) async fn signal_term(&self) {
        let _ = self.write.signal(Sig::TERM).await;
    }

    /// Closes a channel that the server has not closed. Nothing is heard of it afterwards.
    pub(crate) async fn close(&mut self) {
        if !std::mem::replace(&mut self.is_closed, true) {
            let _ = self.write.close().await;
        }
    }
}

fn name_of(signal: Sig) -> String {
    match signal {
        Sig::Custom(name) => name,
        other => format!("{other:?}"),
    }
}
