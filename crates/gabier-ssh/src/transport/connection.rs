//! A logged-in connection: opens channels, tells whether it lives.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gabier_host::Contact;
use russh::client::Handle;
use russh::{ChannelOpenFailure, Disconnect};
use tokio::time::{Instant, timeout};

use super::channel::{Channel, Event};
use super::cut::Cutter;
use super::handshake::{Report, Verifier};
use super::stream::ChannelStream;

/// The longest a server takes to open a channel.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// A logged-in connection.
pub(crate) struct Connection {
    handle: Arc<Handle<Verifier>>,
    cutter: Cutter,
    report: Report,
    contact: Contact,
    round_trip: Duration,
    opened_at: Instant,
    served: AtomicU64,
    /// The connection this one runs through; it lives as long.
    via: Option<Arc<Self>>,
}

/// What came of asking for a channel.
pub(crate) type Opened<T> = Result<T, Refusal>;

/// Why a channel was not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The server has as many as it takes.
    Busy,
    /// The server does not do that.
    Forbidden(String),
    /// The connection is gone.
    Lost(String),
}

/// What a channel speaks to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    /// What the server calls by this name.
    Subsystem(&'static str),
    /// A program of the host, by its command line.
    Program(&'static str),
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subsystem(name) => write!(formatter, "subsystem '{name}'"),
            Self::Program(_) => formatter.write_str("program for it"),
        }
    }
}

impl Connection {
    pub(super) fn new(
        handle: Handle<Verifier>,
        cutter: Cutter,
        report: Report,
        contact: Contact,
        round_trip: Duration,
        via: Option<Arc<Self>>,
    ) -> Self {
        let handle = Arc::new(handle);
        let (opened_at, served) = (Instant::now(), AtomicU64::new(0));
        Self { handle, cutter, report, contact, round_trip, opened_at, served, via }
    }

    /// Opens a channel for a command.
    pub(crate) async fn open(&self) -> Opened<Channel> {
        let handle = Arc::clone(&self.handle);
        self.opening(async move { handle.channel_open_session().await }).await
    }

    /// Opens a channel for a service and asks for it.
    pub(crate) async fn service(
        &self,
        service: Service,
        guard: impl Send + Unpin + 'static,
    ) -> Opened<ChannelStream> {
        let mut channel = self.open().await?;
        let asked = async {
            match service {
                Service::Subsystem(name) => channel.write.request_subsystem(true, name).await.ok()?,
                Service::Program(line) => channel.write.exec(true, line).await.ok()?,
            }
            loop {
                match channel.read.wait().await? {
                    russh::ChannelMsg::Success => return Some(true),
                    russh::ChannelMsg::Failure => return Some(false),
                    _ => {}
                }
            }
        };
        match timeout(OPEN_LIMIT, asked).await {
            Ok(Some(true)) => Ok(channel.into_stream(guard)),
            Ok(Some(false)) => {
                let _ = channel.write.close().await;
                Err(Refusal::Forbidden(format!("the server has no {service}")))
            }
            Ok(None) => Err(Refusal::Lost(self.lost())),
            Err(_) => Err(Refusal::Lost("no answer in time".to_owned())),
        }
    }

    /// Connects from the server to an address.
    pub(crate) async fn forward(
        &self,
        host: &str,
        port: u16,
        guard: impl Send + Unpin + 'static,
    ) -> Opened<ChannelStream> {
        let handle = Arc::clone(&self.handle);
        let host = host.to_owned();
        let channel = self
            .opening(async move { handle.channel_open_direct_tcpip(host, port.into(), "127.0.0.1", 0).await })
            .await?;
        Ok(channel.into_stream(guard))
    }

    /// Awaits an opening in a task of its own: a channel whose opener has gone away is closed, not forgotten.
    async fn opening(
        &self,
        open: impl Future<Output = Result<russh::Channel<russh::client::Msg>, russh::Error>> + Send + 'static,
    ) -> Opened<Channel> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let opened = open.await.map(|channel| {
                let (read, write) = channel.split();
                Channel { read, write }
            });
            if let Err(Ok(channel)) = sender.send(opened) {
                let _ = channel.write.close().await;
            }
        });
        self.served.fetch_add(1, Ordering::Relaxed);
        match timeout(OPEN_LIMIT, receiver).await {
            Ok(Ok(Ok(channel))) => Ok(channel),
            Ok(Ok(Err(russh::Error::ChannelOpenFailure(failure)))) => Err(match failure {
                ChannelOpenFailure::ConnectFailed | ChannelOpenFailure::ResourceShortage => Refusal::Busy,
                other => Refusal::Forbidden(format!("{other:?}")),
            }),
            Ok(_) => Err(Refusal::Lost(self.lost())),
            Err(_) => Err(Refusal::Lost("no answer in time".to_owned())),
        }
    }

    /// True while it can be used.
    pub(crate) fn is_alive(&self) -> bool {
        !self.handle.is_closed() && self.via.as_ref().is_none_or(|via| via.is_alive())
    }

    /// True while so much comes that a command would wait behind it.
    pub(crate) fn is_flooded(&self) -> bool {
        self.cutter.is_flooded()
    }

    /// Why it ended.
    pub(crate) fn lost(&self) -> String {
        self.report.lost().unwrap_or_else(|| "the connection ended".to_owned())
    }

    /// What it showed when it was made.
    pub(crate) fn contact(&self) -> &Contact {
        &self.contact
    }

    /// True for Dropbear, which drops the whole connection when two sessions run on it.
    pub(crate) fn is_dropbear(&self) -> bool {
        self.contact.software.to_lowercase().contains("dropbear")
    }

    /// The measured round trip.
    pub(crate) fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// How long it has been open.
    pub(crate) fn age(&self) -> Duration {
        self.opened_at.elapsed()
    }

    /// How many channels it was asked for.
    pub(crate) fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    /// Says goodbye and ends it.
    pub(crate) async fn close(&self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        let _ = timeout(Duration::from_millis(500), goodbye).await;
        // The goodbye is written by another task; the cut must not overtake it.
        tokio::time::sleep(Duration::from_millis(20)).await;
        self.cutter.cut();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.cutter.cut();
    }
}

/// Runs a short command on a channel and gives its whole output; for our own questions to a host.
pub(crate) async fn ask(channel: Channel, line: &str, input: &str, limit: Duration) -> Option<Vec<u8>> {
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel();
    let (mut writer, mut drained) = channel.drain(move |event| {
        let _ = sender.send(event);
    });
    let mut output = Vec::new();
    let work = async {
        writer.exec(line).await.ok()?;
        writer.data(input.to_owned().into()).await.ok()?;
        writer.eof().await.ok()?;
        while let Some(event) = events.recv().await {
            match event {
                Event::Data(super::Stream::Stdout, bytes) if output.len() < 64 * 1024 => {
                    output.extend_from_slice(&bytes);
                }
                Event::Refused => return None,
                _ => {}
            }
        }
        drained.ended().await;
        Some(())
    };
    let answer = timeout(limit, work).await;
    if answer != Ok(Some(())) {
        writer.close().await;
    }
    answer.ok().flatten().map(|()| output)
}
