//! Progress, log lines, streamed content and questions of a running call, on their way to the client.

#![expect(deprecated, reason = "clients of the older revisions still ask for log lines")]

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use gabier_tool::{Abilities, Answer, Error, ErrorKind, Feedback, Level, Progress, Question, Result};
use rmcp::model::{
    CustomNotification, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam,
    ProgressToken, ServerNotification,
};
use rmcp::{Peer, RoleServer};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use crate::ask;

/// Notes that may wait for a slow client; what comes then is dropped, so that a call never waits for its listener.
const WAITING: usize = 64;

/// What a client can take of a call.
#[derive(Clone, Default)]
pub(crate) struct Ear {
    /// Names the call in progress notifications.
    pub(crate) token: Option<ProgressToken>,
    /// The least urgent log line it wants.
    pub(crate) level: Option<u8>,
    /// True when pieces of content may be streamed.
    pub(crate) content: bool,
    /// How it can be asked.
    pub(crate) asking: Way,
    /// The session that it speaks in.
    pub(crate) session: Option<String>,
}

impl Ear {
    /// True when something may have to be said before the answer.
    fn hears(&self) -> bool {
        self.token.is_some() || self.level.is_some() || self.content || self.asking == Way::Meanwhile
    }
}

/// How a client can be asked.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Way {
    /// Not at all.
    #[default]
    Never,
    /// By a request, while the call waits.
    Meanwhile,
    /// By the call's answer; it then comes again.
    Again,
}

/// What a call says.
enum Note {
    Tell(Box<ServerNotification>),
    Log(LoggingMessageNotificationParam),
    Progress(ProgressNotificationParam),
    Ask(Question, oneshot::Sender<Result<Answer>>),
}

/// The side of the tool.
pub(crate) struct Voice {
    tool: String,
    ear: Ear,
    notes: Option<mpsc::Sender<Note>>,
    given: ask::Answers,
    open: Arc<Mutex<Vec<Question>>>,
}

/// The side of the request.
pub(crate) struct Line {
    notes: Option<mpsc::Receiver<Note>>,
    open: Arc<Mutex<Vec<Question>>>,
}

/// Both sides of a call's feedback; `given` holds the answers of earlier rounds.
pub(crate) fn feedback(tool: &str, ear: Ear, given: ask::Answers) -> (Voice, Line) {
    let (sender, notes) = ear.hears().then(|| mpsc::channel(WAITING)).unzip();
    let open = Arc::<Mutex<Vec<Question>>>::default();
    let voice = Voice { tool: tool.to_owned(), ear, notes: sender, given, open: Arc::clone(&open) };
    (voice, Line { notes, open })
}

impl Voice {
    fn say(&self, note: Note) {
        if self.notes.as_ref().is_none_or(|notes| notes.try_send(note).is_err()) {
            tracing::debug!(tool = self.tool, "a note was dropped: the client does not keep up");
        }
    }
}

impl Feedback for Voice {
    fn progress(&self, progress: Progress) {
        let Some(token) = &self.ear.token else { return };
        let mut note = ProgressNotificationParam::new(token.clone(), progress.done);
        note.total = progress.total;
        note.message = progress.message;
        self.say(Note::Progress(note));
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Debug => LoggingLevel::Debug,
            Level::Info => LoggingLevel::Info,
            Level::Warn => LoggingLevel::Warning,
            Level::Error => LoggingLevel::Error,
        };
        if self.ear.level.is_some_and(|least| level as u8 >= least) {
            let line = LoggingMessageNotificationParam::new(level, message.into());
            self.say(Note::Log(line.with_logger(&self.tool)));
        }
    }

    fn content(&self, content: &Value) {
        if self.ear.content {
            let params = json!({"content": content, "toolName": self.tool});
            let note = CustomNotification::new("notifications/tool/streamContent", Some(params));
            self.say(Note::Tell(Box::new(ServerNotification::CustomNotification(note))));
        }
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            log: self.ear.level.is_some(),
            report_progress: self.ear.token.is_some(),
            stream_content: self.ear.content,
        }
    }

    fn session(&self) -> Option<&str> {
        self.ear.session.as_deref()
    }

    fn given(&self) -> ask::Answers {
        self.given.clone()
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            if let Some(answer) = self.given.get(&question.key) {
                return Ok(answer.clone());
            }
            match self.ear.asking {
                Way::Meanwhile => self.ask_meanwhile(question).await,
                Way::Again => {
                    self.open.lock().unwrap_or_else(PoisonError::into_inner).push(question.clone());
                    Err(unanswered(question, "the answer is still to come"))
                }
                Way::Never => Err(unanswered(question, "this client cannot be asked")),
            }
        })
    }
}

impl Voice {
    async fn ask_meanwhile(&self, question: &Question) -> Result<Answer> {
        let (reply, answer) = oneshot::channel();
        let gone = || unanswered(question, "nobody was there to be asked");
        let notes = self.notes.as_ref().ok_or_else(gone)?;
        notes.send(Note::Ask(question.clone(), reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Line {
    /// Runs a call while its notes are sent in their order; all of them are out before its answer. Everything
    /// happens in the request's own task: the transport routes by it.
    pub(crate) async fn carry<T>(
        self,
        peer: Option<&Peer<RoleServer>>,
        call: impl Future<Output = T>,
    ) -> Carried<T> {
        let answer = match (self.notes, peer) {
            (Some(notes), Some(peer)) => carry_with(notes, peer, call).await,
            _ => call.await,
        };
        let open = std::mem::take(&mut *self.open.lock().unwrap_or_else(PoisonError::into_inner));
        Carried { answer, open }
    }
}

async fn carry_with<T>(
    mut notes: mpsc::Receiver<Note>,
    peer: &Peer<RoleServer>,
    call: impl Future<Output = T>,
) -> T {
    let mut questions = FuturesUnordered::new();
    futures::pin_mut!(call);
    let answer = loop {
        tokio::select! {
            biased;
            Some(note) = notes.recv() => match note {
                Note::Ask(question, reply) => questions.push(ask::elicit(peer, question, reply)),
                note => tell(peer, note).await,
            },
            Some(()) = questions.next() => {}
            answer = &mut call => break answer,
        }
    };
    while let Ok(note) = notes.try_recv() {
        tell(peer, note).await;
    }
    answer
}

/// A call that came to its end.
pub(crate) struct Carried<T> {
    /// What it gave.
    pub(crate) answer: T,
    /// What it must still know.
    pub(crate) open: Vec<Question>,
}

async fn tell(peer: &Peer<RoleServer>, note: Note) {
    let sent = match note {
        Note::Tell(notification) => peer.send_notification(*notification).await,
        Note::Log(line) => peer.notify_logging_message(line).await,
        Note::Progress(progress) => peer.notify_progress(progress).await,
        Note::Ask(..) => Ok(()),
    };
    if let Err(error) = sent {
        tracing::debug!(%error, "a note did not reach the client");
    }
}

fn unanswered(question: &Question, why: &str) -> Error {
    Error::new(ErrorKind::ConfirmationRequired, format!("{} ({why})", question.text))
        .with("question", question.key.as_str())
}
