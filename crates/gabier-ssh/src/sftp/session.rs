//! A session: requests out, replies back, in any number at once over one stream.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::attributes::{Attributes, Entry};
use super::error::{Error, Reason, Result};
use super::extensions::Limits;
use super::link::Link;
use super::packet::{Ask, Chunk, Reply, Request};
use super::pump::{Frames, read_replies, write_requests};
use super::slots::Slots;
use super::wire::{take_string, take_u32};

const VERSION: u32 = 3;

/// How a session behaves.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How long nothing may move while replies are awaited.
    pub stall: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { stall: Duration::from_secs(30) }
    }
}

/// A session with an SFTP server. Clones share it; the stream ends with the last one.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    requests: mpsc::UnboundedSender<Bytes>,
    terms: Arc<Terms>,
}

/// What was agreed on when the session began.
struct Terms {
    extensions: BTreeMap<Vec<u8>, Vec<u8>>,
    limits: Limits,
}

/// What the session and its two tasks share.
pub(super) struct Shared {
    slots: Mutex<Slots>,
    last_move: Mutex<Instant>,
    pub(super) stall: Duration,
    pub(super) over: CancellationToken,
    pub(super) link: Arc<Link>,
}

impl Session {
    /// Begins a session over the stream of an `sftp` subsystem and asks what the server can do.
    pub async fn open<S>(stream: S, settings: Settings) -> Result<Self>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (reader, writer) = tokio::io::split(stream);
        let shared = Arc::new(Shared::new(settings.stall));
        let (requests, outgoing) = mpsc::unbounded_channel();
        let hello = Request::new(Ask::Init, VERSION).finish();
        requests.send(hello).map_err(|_| closed())?;
        tokio::spawn(write_requests(writer, outgoing, shared.clone()));

        let mut frames = Frames::new(reader);
        let greeting = tokio::time::timeout(settings.stall, frames.next(|| ())).await;
        let greeting = greeting.map_err(|_| Error::new(Reason::Stalled, "the server does not answer"));
        let extensions = match greeting.and_then(|frame| read_greeting(frame?)) {
            Ok(extensions) => extensions,
            Err(error) => {
                shared.end(&error);
                return Err(error);
            }
        };
        tokio::spawn(read_replies(frames, shared.clone(), requests.downgrade()));
        let terms = Arc::new(Terms { extensions, limits: Limits::default() });
        let session = Self { shared, requests, terms };
        let limits = session.ask_limits().await?;
        session.shared.link.set_chunk_max(limits.chunk());
        let extensions = session.terms.extensions.clone();
        Ok(Self { terms: Arc::new(Terms { extensions, limits }), ..session })
    }

    /// True when the server offers the extension in the version that we know.
    pub fn has_extension(&self, name: &str, version: &str) -> bool {
        self.terms.extensions.get(name.as_bytes()).is_some_and(|found| found == version.as_bytes())
    }

    /// What the server allows.
    pub fn limits(&self) -> Limits {
        self.terms.limits
    }

    /// The shortest time that a reply took.
    pub fn round_trip(&self) -> Duration {
        self.shared.link.round_trip()
    }

    /// Why the session is over, if it is.
    pub fn ending(&self) -> Option<Error> {
        self.shared.slots().ending()
    }

    pub(super) fn link(&self) -> &Arc<Link> {
        &self.shared.link
    }

    /// Sends a request at once; the reply is awaited by who wants it.
    pub(super) fn send(&self, ask: Ask, build: impl FnOnce(Request) -> Request) -> Pending {
        self.submit(|id| build(Request::new(ask, id)).finish())
    }

    /// Sends a chunk of a file's content at once.
    pub(super) fn send_chunk(&self, handle: &[u8], offset: u64, chunk: Chunk) -> Pending {
        self.submit(|id| chunk.into_write(id, handle, offset))
    }

    fn submit(&self, packet: impl FnOnce(u32) -> Bytes) -> Pending {
        let (sender, receiver) = oneshot::channel();
        if let Some(id) = self.shared.take(sender) {
            // The writer is gone only when the session is over, and then the slot is too.
            let _ = self.requests.send(packet(id));
        }
        Pending { receiver, shared: self.shared.clone(), sent: Instant::now() }
    }
}

impl Shared {
    fn new(stall: Duration) -> Self {
        Self {
            slots: Mutex::default(),
            last_move: Mutex::new(Instant::now()),
            stall,
            over: CancellationToken::new(),
            link: Arc::new(Link::default()),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(&self, sender: oneshot::Sender<Reply>) -> Option<u32> {
        let mut slots = self.slots();
        if slots.under_way() == 0 {
            self.moved(); // nothing had to move until now
        }
        slots.take(sender)
    }

    pub(super) fn answer(&self, id: u32) -> Option<oneshot::Sender<Reply>> {
        self.slots().answer(id)
    }

    pub(super) fn moved(&self) {
        *self.last_move.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn stands_still(&self) -> bool {
        let last_move = *self.last_move.lock().unwrap_or_else(PoisonError::into_inner);
        last_move.elapsed() >= self.stall && self.slots().under_way() > 0
    }

    pub(super) fn end(&self, error: &Error) {
        self.slots().end(error);
        self.over.cancel();
    }
}

/// A request under way. Dropping it gives the reply up, not the request.
pub(super) struct Pending {
    receiver: oneshot::Receiver<Reply>,
    shared: Arc<Shared>,
    sent: Instant,
}

impl Pending {
    async fn reply(self) -> Result<Reply> {
        let Ok(reply) = self.receiver.await else {
            return Err(self.shared.slots().ending().unwrap_or_else(closed));
        };
        self.shared.link.replied(self.sent.elapsed());
        match reply {
            Reply::Status(status) => status.settle().map(|()| Reply::Data(Bytes::new())),
            reply => Ok(reply),
        }
    }

    /// Waits for success.
    pub(super) async fn done(self) -> Result<()> {
        self.reply().await.map(drop)
    }

    pub(super) async fn handle(self) -> Result<Bytes> {
        match self.reply().await? {
            Reply::Handle(handle) => Ok(handle),
            _ => Err(unexpected()),
        }
    }

    /// Waits for content; none at the end of the file.
    pub(super) async fn data(self) -> Result<Option<Bytes>> {
        match self.reply().await {
            Ok(Reply::Data(data)) if data.is_empty() => Ok(None),
            Ok(Reply::Data(data)) => Ok(Some(data)),
            Err(error) if error.reason() == Reason::End => Ok(None),
            Err(error) => Err(error),
            Ok(_) => Err(unexpected()),
        }
    }

    /// Waits for names; none at the end of the listing.
    pub(super) async fn names(self) -> Result<Option<Vec<Entry>>> {
        match self.reply().await {
            Ok(Reply::Names(names)) => Ok(Some(names)),
            Err(error) if error.reason() == Reason::End => Ok(None),
            Err(error) => Err(error),
            Ok(_) => Err(unexpected()),
        }
    }

    pub(super) async fn attributes(self) -> Result<Attributes> {
        match self.reply().await? {
            Reply::Attributes(attributes) => Ok(attributes),
            _ => Err(unexpected()),
        }
    }

    pub(super) async fn extended(self) -> Result<Bytes> {
        match self.reply().await? {
            Reply::Extended(payload) => Ok(payload),
            _ => Err(unexpected()),
        }
    }
}

fn read_greeting(mut frame: Bytes) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let kind = frame.split_to(1)[0];
    let version = take_u32(&mut frame)?;
    if kind != 2 || version != VERSION {
        let message = format!("the server greets with packet {kind}, version {version}, not with version 3");
        return Err(Error::new(Reason::Protocol, message));
    }
    let mut extensions = BTreeMap::new();
    while !frame.is_empty() {
        extensions.insert(take_string(&mut frame)?.to_vec(), take_string(&mut frame)?.to_vec());
    }
    Ok(extensions)
}

fn closed() -> Error {
    Error::new(Reason::Lost, "the session is over")
}

fn unexpected() -> Error {
    Error::new(Reason::Refused(5), "the server answered with a packet that does not fit the question")
}
