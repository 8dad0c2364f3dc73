//! Answers: envelopes and bytes as HTTP.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use gabier_tool::{Clock, Envelope, Error, ErrorKind};
use http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::Value;

/// The media types we write.
pub(crate) mod media {
    /// JSON.
    pub(crate) const JSON: &str = "application/json";
    /// Pages.
    pub(crate) const HTML: &str = "text/html; charset=utf-8";
    /// Markdown.
    pub(crate) const MARKDOWN: &str = "text/markdown; charset=utf-8";
    /// One JSON value a line.
    pub(crate) const NDJSON: &str = "application/x-ndjson";
    /// An envelope with its view and exit code.
    pub(crate) const VIEW: &str = "application/vnd.gabier.view+json";
    /// Server-sent events.
    pub(crate) const EVENTS: &str = "text/event-stream";
    /// Plain text.
    pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
}

/// An answer of that type.
pub(crate) fn answer(status: StatusCode, media: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// A JSON answer.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    answer(status, media::JSON, bytes_of(value))
}

/// JSON text.
pub(crate) fn bytes_of(value: &impl serde::Serialize) -> Bytes {
    let mut text = Vec::with_capacity(512);
    // Values with string keys always have a JSON text.
    let _ = serde_json::to_writer(&mut text, value);
    text.into()
}

/// The HTTP status of an envelope.
pub(crate) fn status_of(envelope: &Envelope) -> StatusCode {
    StatusCode::from_u16(envelope.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Adds what the status asks for: `Location` to 202, `Retry-After` to 429, `WWW-Authenticate` to 401.
pub(crate) fn with_headers(mut response: Response, envelope: &Envelope) -> Response {
    let error = match envelope {
        Envelope::Failure { error, .. } => error,
        Envelope::Success { outcome, .. } => {
            let path = outcome.handed_over.as_ref().map(|id| format!("/api/v1/tasks/{id}"));
            if let Some(Ok(path)) = path.map(HeaderValue::try_from) {
                response.headers_mut().insert(LOCATION, path);
            }
            return response;
        }
    };
    match error.kind() {
        ErrorKind::RateLimited | ErrorKind::QueueFull => {
            let wait = error.details().get("retry_after_ms").and_then(Value::as_u64).unwrap_or(1000);
            response.headers_mut().insert(RETRY_AFTER, wait.div_ceil(1000).max(1).into());
        }
        ErrorKind::Unauthenticated => {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

/// The answer to a failure: its envelope, with the status and headers that agree with it.
pub(crate) fn failure(error: Error, clock: &dyn Clock) -> Response {
    let envelope = Envelope::Failure { error, at: clock.now() };
    with_headers(json(status_of(&envelope), &envelope.to_value()), &envelope)
}

/// The answer to a method that the path does not know.
pub(crate) fn not_allowed(allow: HeaderValue, clock: &dyn Clock) -> Response {
    let names = allow.to_str().unwrap_or_default().replace(',', ", ");
    let error = Error::new(ErrorKind::MethodNotAllowed, format!("this path takes {names} only"));
    let mut response = failure(error, clock);
    response.headers_mut().insert(ALLOW, allow);
    response
}
