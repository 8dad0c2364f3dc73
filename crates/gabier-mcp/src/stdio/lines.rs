//! Messages as lines: bounded, answered when they cannot be read, and never the end of the pipe.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{
    ClientJsonRpcMessage, ClientRequest, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
};
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::batches::Batches;
use super::straight::Straight;
use crate::wire::{self, Incoming, failure, reroute};

/// A pair of byte streams that carries messages.
pub(super) struct Lines<R, W> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// True while the rest of a line that is too long is skipped.
    is_skipping: bool,
    limit: usize,
    waiting: VecDeque<ClientJsonRpcMessage>,
    /// Answers to what could not be read, still to be written.
    refusals: VecDeque<Value>,
    output: Arc<tokio::sync::Mutex<W>>,
    batches: Arc<Mutex<Batches>>,
    straight: Arc<Straight>,
    /// The `initialize` that is being answered: what was sent right behind it waits, so that its answer is first.
    opening: Option<Opening>,
    /// Fires when the input has ended, or from outside to end it.
    ending: CancellationToken,
}

/// An `initialize` and the moment its answer was written.
struct Opening {
    id: RequestId,
    answered: Arc<Notify>,
}

/// What came of one look at the input.
enum Look {
    Line,
    TooLong,
    End,
}

impl<R: AsyncRead + Unpin + Send, W: AsyncWrite + Unpin + Send + 'static> Lines<R, W> {
    pub(super) fn new(
        input: R,
        output: W,
        limit: usize,
        straight: Arc<Straight>,
        ending: CancellationToken,
    ) -> Self {
        Self {
            input: BufReader::new(input),
            line: Vec::new(),
            is_skipping: false,
            limit,
            waiting: VecDeque::new(),
            refusals: VecDeque::new(),
            output: Arc::new(tokio::sync::Mutex::new(output)),
            batches: Arc::default(),
            straight,
            opening: None,
            ending,
        }
    }

    /// Reads on to the end of a line. May be dropped at any time: what was read so far stays.
    async fn look(&mut self) -> Look {
        loop {
            let available = match self.input.fill_buf().await {
                Ok(available) if !available.is_empty() => available,
                Ok(_) => return Look::End,
                Err(error) => {
                    tracing::error!(%error, "reading the input failed");
                    return Look::End;
                }
            };
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            let is_too_long = !self.is_skipping && self.line.len() + taken > self.limit + 1;
            if !self.is_skipping && !is_too_long {
                self.line.extend_from_slice(&available[..taken]);
            }
            self.input.consume(taken);
            if is_too_long {
                self.line.clear();
                self.is_skipping = end.is_none();
                return Look::TooLong;
            }
            if end.is_some() && !std::mem::take(&mut self.is_skipping) {
                return Look::Line;
            }
        }
    }

    /// Takes the line that was read.
    fn take(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line_text = line.trim_ascii();
        if !line_text.is_empty() {
            self.understand(line_text);
        }
        self.line = line;
        self.line.clear();
    }

    fn understand(&mut self, line: &[u8]) {
        if line.starts_with(b"{")
            && let Ok(message) = serde_json::from_slice::<ClientJsonRpcMessage>(line)
            && !matches!(message, JsonRpcMessage::Notification(_))
        {
            return self.accept(message);
        }
        match Incoming::read(line) {
            Ok(Incoming::One(message)) => self.accept_value(message.value),
            Ok(Incoming::Batch(_)) if !self.batches().are_known() => {
                self.refusals.push_back(wire::no_batches());
            }
            Ok(Incoming::Batch(messages)) => {
                let (values, refused): (Vec<_>, Vec<_>) = messages.into_iter().partition(Result::is_ok);
                let values: Vec<Value> = values.into_iter().flatten().map(|message| message.value).collect();
                let refused = refused.into_iter().filter_map(Result::err).collect();
                let whole = self.batches().begin(&values, refused);
                self.refusals.extend(whole);
                for value in values {
                    self.accept_value(value);
                }
            }
            Err(error) => self.refusals.push_back(error),
        }
    }

    fn accept_value(&mut self, value: Value) {
        let id = value.get("id").cloned().unwrap_or_default();
        let Ok(message) = serde_json::from_value(value) else {
            let why =
                ErrorData::invalid_request("Invalid Request: the message does not fit the protocol", None);
            let whole = self.batches().answer(failure(&id, &why));
            return self.refusals.extend(whole);
        };
        self.accept(message);
    }

    fn accept(&mut self, mut message: ClientJsonRpcMessage) {
        self.batches().note(&message);
        reroute(&mut message);
        self.waiting.push_back(message);
    }

    /// Runs a call that takes the short way, beside what comes next.
    fn run(&self, message: ClientJsonRpcMessage) {
        let Some(call) = self.straight.begin(message) else { return };
        let (straight, output) = (Arc::clone(&self.straight), Arc::clone(&self.output));
        self.straight.calls().spawn(async move {
            let Some(answer) = Box::pin(straight.answer(call)).await else { return };
            let written = match serde_json::to_string(&answer) {
                Ok(text) => write(&output, text).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = written {
                tracing::error!(%error, "an answer could not be written");
            }
        });
    }

    fn batches(&self) -> std::sync::MutexGuard<'_, Batches> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: AsyncRead + Unpin + Send, W: AsyncWrite + Unpin + Send + 'static> Transport<RoleServer>
    for Lines<R, W>
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let opening = self.opening.as_ref().filter(|opening| answers(&message, &opening.id));
        let opened = opening.map(|opening| Arc::clone(&opening.answered));
        let text = self.batches().outgoing(&message);
        let output = Arc::clone(&self.output);
        async move {
            let written = match text {
                Some(text) => write(&output, text).await,
                None => Ok(()),
            };
            if let Some(opened) = opened {
                opened.notify_one();
            }
            written
        }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        loop {
            while let Some(refusal) = self.refusals.front() {
                let text = refusal.to_string();
                write(&self.output, text).await.ok()?;
                self.refusals.pop_front();
            }
            let ending = self.ending.clone();
            if let Some(opening) = &self.opening {
                let answered = Arc::clone(&opening.answered);
                tokio::select! {
                    () = answered.notified() => {}
                    () = ending.cancelled() => {}
                }
                self.opening = None;
            }
            if let Some(message) = self.waiting.pop_front() {
                if self.batches().is_idle() && self.straight.takes(&message) {
                    self.run(message);
                    continue;
                }
                self.straight.note(&message);
                self.opening = opening_of(&message);
                return Some(message);
            }
            let look = tokio::select! {
                biased;
                () = ending.cancelled() => Look::End,
                look = self.look() => look,
            };
            match look {
                Look::Line => self.take(),
                Look::TooLong => {
                    let why = format!("Invalid Request: a message has at most {} bytes", self.limit);
                    let error = ErrorData::invalid_request(why, None);
                    self.refusals.push_back(failure(&Value::Null, &error));
                }
                Look::End => {
                    ending.cancel();
                    return None;
                }
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.lock().await.flush().await
    }
}

fn opening_of(message: &ClientJsonRpcMessage) -> Option<Opening> {
    match message {
        JsonRpcMessage::Request(request)
            if matches!(request.request, ClientRequest::InitializeRequest(_)) =>
        {
            Some(Opening { id: request.id.clone(), answered: Arc::default() })
        }
        _ => None,
    }
}

fn answers(message: &ServerJsonRpcMessage, id: &RequestId) -> bool {
    match message {
        JsonRpcMessage::Response(response) => response.id == *id,
        JsonRpcMessage::Error(error) => error.id.as_ref() == Some(id),
        _ => false,
    }
}

/// Writes one line, whole.
async fn write<W: AsyncWrite + Unpin>(output: &tokio::sync::Mutex<W>, mut text: String) -> io::Result<()> {
    text.push('\n');
    let mut output = output.lock().await;
    output.write_all(text.as_bytes()).await?;
    output.flush().await
}
