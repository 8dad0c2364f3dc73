//! A call as an event stream: progress as it happens, then the result.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use gabier_tool::{Abilities, Call, Entry, Feedback, Level, OutputStream, Progress};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::answer::{answer, bytes_of, media};
use crate::call::Attended;
use crate::rest::full;
use crate::web::App;

/// Events that may wait for a slow reader; more of them are left out, the result never.
const WAITING: usize = 256;

/// How much of an output one event carries, in bytes.
const OUTPUT: usize = 16 * 1024;

/// How often a silent stream shows that it lives.
pub(crate) const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Where the feedback of a streamed call goes.
struct Events(mpsc::Sender<Bytes>);

impl Events {
    fn send(&self, name: &str, data: &Value) {
        // A reader that lags misses progress, not the result.
        let _ = self.0.try_send(event(name, data));
    }
}

impl Feedback for Events {
    fn progress(&self, progress: Progress) {
        let Progress { done, total, message } = progress;
        self.send("progress", &json!({"done": done, "total": total, "message": message}));
    }

    fn log(&self, level: Level, message: &str) {
        self.send("log", &json!({"level": level, "message": message}));
    }

    fn content(&self, content: &Value) {
        self.send("content", content);
    }

    fn output(&self, stream: OutputStream, bytes: &[u8]) {
        let stream = if stream == OutputStream::Stdout { "stdout" } else { "stderr" };
        for part in bytes.chunks(OUTPUT) {
            self.send("output", &json!({"stream": stream, "text": String::from_utf8_lossy(part)}));
        }
    }

    fn wants_output(&self) -> bool {
        true
    }

    fn task(&self, id: &str) {
        self.send("task", &json!({"id": id}));
    }

    fn abilities(&self) -> Abilities {
        Abilities { log: true, report_progress: true, stream_content: true }
    }
}

struct Streamed {
    events: mpsc::Receiver<Bytes>,
    reply: Option<Attended>,
}

/// Answers with the stream.
pub(crate) fn respond(app: &App, entry: &Entry, mut call: Call) -> Response {
    let (sender, events) = mpsc::channel(WAITING);
    call.feedback = Arc::new(Events(sender));
    let reply = Some(Attended::new(Arc::clone(&app.dispatch), entry, call));
    let frames = stream::unfold(Streamed { events, reply }, next);
    answer(StatusCode::OK, media::EVENTS, Body::from_stream(frames))
}

async fn next(mut streamed: Streamed) -> Option<(Result<Bytes, Infallible>, Streamed)> {
    if let Some(reply) = &mut streamed.reply {
        let frame = tokio::select! {
            biased;
            Some(event) = streamed.events.recv() => event,
            reply = reply => {
                streamed.reply = None;
                let mut frames = Vec::new();
                while let Ok(event) = streamed.events.try_recv() {
                    frames.extend_from_slice(&event);
                }
                frames.extend_from_slice(&event("result", &full(&reply)));
                frames.into()
            }
            () = tokio::time::sleep(SIGN_OF_LIFE) => Bytes::from_static(b": still here\n\n"),
        };
        return Some((Ok(frame), streamed));
    }
    None
}

/// One event of a stream.
pub(crate) fn event(name: &str, data: &Value) -> Bytes {
    // JSON text holds no line feed, so it is one `data` line.
    let mut frame = format!("event: {name}\ndata: ").into_bytes();
    frame.extend_from_slice(&bytes_of(data));
    frame.extend_from_slice(b"\n\n");
    frame.into()
}
