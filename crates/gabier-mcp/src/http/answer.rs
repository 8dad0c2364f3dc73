//! HTTP answers: every one that is not a stream is JSON, failures included.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use rmcp::ErrorData;
use serde_json::Value;

use crate::wire::{code_of, failure};

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// JSON with a status.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    (status, [(CONTENT_TYPE, JSON)], value.to_string()).into_response()
}

/// A refusal before a message was read.
pub(crate) fn refusal(status: StatusCode, why: impl Into<String>) -> Response {
    json(status, &failure(&Value::Null, &ErrorData::new(code_of(status), why.into(), None)))
}

/// The answer to whoever has no identity.
pub(crate) fn unauthenticated() -> Response {
    let mut response =
        refusal(StatusCode::UNAUTHORIZED, "a token is needed: send it as `Authorization: Bearer TOKEN`");
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The answer to whoever names a session that is not its own.
pub(crate) fn no_session() -> Response {
    refusal(StatusCode::NOT_FOUND, "there is no such session; send initialize to open one")
}

/// What rmcp answered, its plain refusals as JSON-RPC errors for the message of that id.
pub(crate) async fn polish(response: Response, id: Value) -> Response {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) || is(response.headers(), "application/json") {
        return response;
    }
    let (parts, body) = response.into_parts();
    let text = text_of(body).await;
    // rmcp's word for a message that is no message of the protocol.
    let status = if status == StatusCode::UNSUPPORTED_MEDIA_TYPE { StatusCode::BAD_REQUEST } else { status };
    let why = match parts.status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "Invalid Request: the message does not fit the protocol".to_owned()
        }
        _ => text,
    };
    let mut response = json(status, &failure(&id, &ErrorData::new(code_of(status), why, None)));
    if let Some(allow) = parts.headers.get(http::header::ALLOW) {
        response.headers_mut().insert(http::header::ALLOW, allow.clone());
    }
    response
}

/// The message that answers a request, out of plain JSON or of a stream of events.
pub(crate) async fn message(response: Response) -> Option<Value> {
    let is_stream = is(response.headers(), "text/event-stream");
    let mut body = response.into_body();
    if !is_stream {
        return serde_json::from_str(&text_of(body).await).ok();
    }
    let mut text = Vec::new();
    while let Some(frame) = body.frame().await {
        text.extend_from_slice(&frame.ok()?.into_data().unwrap_or_default());
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            if let Some(message) = answer_in(&event) {
                return Some(message);
            }
        }
    }
    answer_in(&text)
}

/// The JSON-RPC answer in an event, if it holds one.
fn answer_in(event: &[u8]) -> Option<Value> {
    let event = std::str::from_utf8(event).ok()?;
    let data: Vec<&str> =
        event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect();
    let message: Value = serde_json::from_str(&data.join("\n")).ok()?;
    (message.get("result").is_some() || message.get("error").is_some()).then_some(message)
}

/// True when the content is of that type.
pub(crate) fn is(headers: &HeaderMap, kind: &str) -> bool {
    let own = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    own.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(kind))
}

async fn text_of(body: Body) -> String {
    let bytes: Bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_with_a_notification_is_no_answer() {
        assert_eq!(answer_in(b"data: {\"method\":\"notifications/message\"}\n\n"), None);
        let answer = answer_in(b"id: 1\ndata: {\"id\":1,\"result\":{}}\n\n");
        assert_eq!(answer, Some(serde_json::json!({"id": 1, "result": {}})));
    }
}
