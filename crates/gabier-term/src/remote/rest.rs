//! gabier's own REST: the list of tools, and calls with live progress.

use std::sync::Arc;

use gabier_tool::{Error, ErrorKind, Feedback, Level, OutputStream, Progress, Result, ToolInfo};
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use reqwest::{Response, StatusCode};
use serde_json::{Map, Value, json};
use url::Url;

use crate::backend::Answer;
use crate::remote::cache::{Cache, Kept};
use crate::remote::events::{Event, Events};
use crate::remote::wire::{self, Wire};

/// What a call's answer may be: events first, then the view alone.
const ANSWERS: &str = "text/event-stream, application/vnd.gabier.view+json;q=0.9, application/json;q=0.5";

/// The REST of one server.
pub(crate) struct Rest {
    wire: Arc<Wire>,
    tools: Url,
}

impl Rest {
    pub(crate) fn new(wire: Arc<Wire>, base: &Url) -> Self {
        Self { wire, tools: wire::below(base, "api/v1/tools") }
    }

    /// The tools of the caller; `None` where the server has no such list.
    pub(crate) async fn tools(&self, cache: &Cache) -> Result<Option<Vec<ToolInfo>>> {
        let kept = cache.read();
        let mut request = self.wire.get(self.tools.clone()).header(ACCEPT, "application/json");
        if let Some(kept) = &kept {
            request = request.header(IF_NONE_MATCH, &kept.etag);
        }
        let response = self.wire.send(request).await?;
        let status = response.status();
        if let (StatusCode::NOT_MODIFIED, Some(kept)) = (status, kept) {
            return Ok(serde_json::from_str(&kept.text).ok().and_then(list));
        }
        let etag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let body = wire::body(response).await?;
        let Ok(value) = serde_json::from_slice::<Value>(&body) else { return Ok(None) };
        if is_envelope(&value)
            && value.get("error").is_some_and(|mark| mark == true)
            && status != StatusCode::NOT_FOUND
        {
            return Err(refusal(&value));
        }
        let tools = if status.is_success() { list(value) } else { None };
        if let (Some(_), Some(etag)) = (&tools, etag) {
            cache.write(&Kept { etag, text: String::from_utf8_lossy(&body).into_owned() });
        }
        Ok(tools)
    }

    /// Calls a tool; progress and log lines go to the feedback as they come.
    pub(crate) async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        feedback: &dyn Feedback,
    ) -> Result<Answer> {
        let mut url = self.tools.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.push(name);
        }
        let request = self
            .wire
            .post(url)
            .header(ACCEPT, ANSWERS)
            .header(CONTENT_TYPE, "application/json")
            .body(Value::Object(arguments).to_string());
        let response = self.wire.send(request).await?;
        let media =
            response.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        if media.starts_with("text/event-stream") {
            return streamed(response, feedback).await;
        }
        let status = response.status();
        let body = wire::body(response).await?;
        let value = serde_json::from_slice(&body).unwrap_or_default();
        answer(value).ok_or_else(|| {
            Error::new(ErrorKind::ConnectionFailed, format!("the server answered {status} without a result"))
        })
    }
}

async fn streamed(mut response: Response, feedback: &dyn Feedback) -> Result<Answer> {
    let mut events = Events::default();
    while let Some(chunk) = response.chunk().await.map_err(wire::failure)? {
        wire::grow(&mut vec![0; events.waiting()], &chunk)?;
        for event in events.push(&chunk) {
            if let Some(answer) = take(&event, feedback) {
                return Ok(answer);
            }
        }
    }
    Err(Error::new(ErrorKind::ConnectionFailed, "the server closed the connection before the result"))
}

/// Hands an event to the feedback; the last one is the answer.
fn take(event: &Event, feedback: &dyn Feedback) -> Option<Answer> {
    let value: Value = serde_json::from_str(&event.data).ok()?;
    match event.name.as_str() {
        "result" => return answer(value),
        "progress" => feedback.progress(Progress {
            done: value.get("done").and_then(Value::as_f64).unwrap_or_default(),
            total: value.get("total").and_then(Value::as_f64),
            message: value.get("message").and_then(Value::as_str).map(crate::remote::clean::owned),
        }),
        "log" => {
            let level = value.get("level").cloned().and_then(|level| serde_json::from_value(level).ok());
            let message = value.get("message").and_then(Value::as_str).unwrap_or_default();
            feedback.log(level.unwrap_or(Level::Info), &crate::remote::clean::owned(message));
        }
        "task" => {
            let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
            feedback.task(&crate::remote::clean::owned(id));
        }
        "output" => {
            let text = value.get("text").and_then(Value::as_str).unwrap_or_default();
            let is_errors = value.get("stream").is_some_and(|stream| stream == "stderr");
            let stream = if is_errors { OutputStream::Stderr } else { OutputStream::Stdout };
            feedback.output(stream, text.as_bytes());
        }
        "content" => feedback.content(&crate::remote::clean::json(value)),
        _ => {}
    }
    None
}

/// An answer with its view, or a bare envelope.
fn answer(value: Value) -> Option<Answer> {
    if value.get("envelope").is_some() {
        return serde_json::from_value(value).ok();
    }
    is_envelope(&value).then(|| of_envelope(value))
}

/// An answer without a view: its exit code is that of its code.
pub(crate) fn of_envelope(envelope: Value) -> Answer {
    let is_error = envelope.get("error").is_some_and(|mark| mark == true);
    let code = envelope.get("code").and_then(Value::as_str).and_then(ErrorKind::of_code);
    let exit_code = match (is_error, code) {
        (false, _) => 0,
        (true, Some(kind)) => kind.row().exit,
        (true, None) => 1,
    };
    Answer { envelope, view: gabier_tool::View::default(), exit_code }
}

/// True for our own envelope, success or failure.
pub(crate) fn is_envelope(value: &Value) -> bool {
    let status = value.get("status").and_then(Value::as_str);
    match status {
        Some("error") => value.get("code").is_some(),
        Some(status) => {
            gabier_tool::Status::NAMES.contains(&status) && value.get("data").is_some_and(Value::is_object)
        }
        None => false,
    }
}

/// A failure envelope as an error of this side.
fn refusal(envelope: &Value) -> Error {
    let text = |key: &str| envelope.get(key).and_then(Value::as_str);
    let kind = text("code").and_then(ErrorKind::of_code).unwrap_or(ErrorKind::ConnectionFailed);
    let error = Error::new(kind, text("message").unwrap_or("the server refused to list its tools"));
    let details = envelope.get("details").and_then(Value::as_object).cloned().unwrap_or_default();
    let error = details.into_iter().fold(error, |error, (key, value)| error.with(&key, value));
    match text("next") {
        Some(next) => error.with_next(next),
        None => error,
    }
}

fn list(mut value: Value) -> Option<Vec<ToolInfo>> {
    for pointer in ["/data/tools", "/tools"] {
        if let Some(tools) = value.pointer_mut(pointer) {
            return serde_json::from_value(tools.take()).ok();
        }
    }
    serde_json::from_value(json!(value)).ok()
}
