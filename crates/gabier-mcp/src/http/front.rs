//! One request on its way to rmcp and back.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::join_all;
use gabier_tool::Caller;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use rmcp::transport::streamable_http_server::session::SessionManager;
use serde_json::Value;

use super::answer::{self, is, json, no_session, polish, refusal, unauthenticated};
use super::{Front, listening, straight, watched};
use crate::sessions::{End, InUse};
use crate::wire::{
    self, BATCH_REVISION, Incoming, LISTING, METHOD, Message, MessageKind, PlainAnswer, SESSION, VERSION,
};

const BOTH: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The first revision without sessions.
const MODERN: &str = "2026-07-28";

/// Messages from the client.
pub(super) async fn post(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let caller = match caller(&parts) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    if !is(&parts.headers, "application/json") {
        return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body must be application/json");
    }
    let body = match read(body, front.shared.options.message_limit).await {
        Ok(body) => body,
        Err(refused) => return *refused,
    };
    let takes = Takes::of(&parts.headers);
    if takes.is_satisfiable {
        parts.headers.insert(ACCEPT, BOTH);
    }
    parts.headers.remove(CONTENT_LENGTH);
    if !takes.events {
        parts.extensions.insert(PlainAnswer);
    }
    if takes.is_satisfiable
        && let Some(call) = straight::Call::read(&front, &parts, &body)
    {
        return call.answer(&front, parts).await;
    }
    match Incoming::read(&body) {
        Ok(Incoming::One(message)) => {
            let listens = message.method() == "subscriptions/listen";
            if !takes.events && listens {
                return refusal(StatusCode::NOT_ACCEPTABLE, "a stream needs `Accept: text/event-stream`");
            }
            let answer = front.carry(&caller, parts, message, body).await;
            match (takes.events, listens) {
                (true, true) => listening(&front, caller, answer),
                (true, false) => watched(&front, caller, answer),
                (false, _) => plain(answer).await,
            }
        }
        Ok(Incoming::Batch(messages)) => front.carry_all(&caller, parts, messages).await,
        Err(error) => json(StatusCode::BAD_REQUEST, &error),
    }
}

/// The stream of a session.
pub(super) async fn get(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match caller(&parts) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let mut in_use = None;
    if let (Some(id), false) = (text(&parts.headers, SESSION), is_modern(&parts.headers)) {
        in_use = front.sessions.enter(id, &caller, front.now());
        if in_use.is_none() {
            return no_session();
        }
    }
    let response = front.in_sessions.handle(Request::from_parts(parts, body)).await;
    let answer = polish(response.into_response(), Value::Null).await;
    listening(&front, caller, hold(answer, in_use))
}

/// The end of a session.
pub(super) async fn delete(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match caller(&parts) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    if let (Some(id), false) = (text(&parts.headers, SESSION), is_modern(&parts.headers)) {
        if front.sessions.enter(id, &caller, front.now()).is_none() {
            return no_session();
        }
        front.sessions.remove(id);
    }
    let response = front.in_sessions.handle(Request::from_parts(parts, body)).await;
    if response.status() == StatusCode::ACCEPTED {
        return StatusCode::NO_CONTENT.into_response();
    }
    polish(response.into_response(), Value::Null).await
}

impl Front {
    /// Carries one message: alone by the rules of the newest revision or as a bare call, else in its session.
    async fn carry(&self, caller: &Caller, mut parts: Parts, message: Message, body: Bytes) -> Response {
        let id = message.id();
        let opening = message.opening();
        let is_modern = opening.is_none() && (message.is_modern() || is_modern(&parts.headers));
        let session = text(&parts.headers, SESSION).map(str::to_owned);
        let body = reroute(&mut parts, message, body);
        match (session, opening) {
            (_, Some(revision)) => {
                let response = self.open(caller, parts, body, &revision).await;
                polish(response, id).await
            }
            (Some(session), None) if !is_modern => {
                let Some(in_use) = self.sessions.enter(&session, caller, self.now()) else {
                    return no_session();
                };
                let response = self.in_sessions.handle(whole(parts, body)).await.into_response();
                if response.status() == StatusCode::NOT_FOUND {
                    self.sessions.remove(&session);
                }
                hold(polish(response, id).await, Some(in_use))
            }
            _ => {
                parts.headers.remove(SESSION);
                polish(self.alone.handle(whole(parts, body)).await.into_response(), id).await
            }
        }
    }

    /// Opens a session, after making room for it.
    async fn open(&self, caller: &Caller, mut parts: Parts, body: Bytes, revision: &str) -> Response {
        let _turn = self.opening.lock().await;
        for (id, end) in self.sessions.make_room(caller) {
            self.close(&id, end).await;
        }
        parts.headers.remove(SESSION);
        let response = self.in_sessions.handle(whole(parts, body)).await.into_response();
        if let Some(id) = text(response.headers(), SESSION) {
            self.sessions.add(id, caller, Some(revision), End::Streamable, self.now());
        }
        response
    }

    /// Ends a session that lost its place.
    pub(crate) async fn close(&self, id: &str, end: End) {
        tracing::debug!(session = id, "a session makes room for another");
        match end {
            End::Sse(_, ct) => ct.cancel(),
            End::Streamable => {
                if let Err(error) = self.manager.close_session(&id.into()).await {
                    tracing::debug!(%error, "a session was closed already");
                }
            }
        }
    }

    /// Carries the messages of a batch, each as if it had come alone, and answers with all their answers.
    async fn carry_all(
        &self,
        caller: &Caller,
        mut parts: Parts,
        messages: Vec<Result<Message, Value>>,
    ) -> Response {
        let session = text(&parts.headers, SESSION);
        let of_session = session.and_then(|id| self.sessions.enter(id, caller, self.now()));
        let revision = of_session.as_ref().and_then(|session| session.revision.as_deref());
        let revision = text(&parts.headers, VERSION).or(revision).unwrap_or(BATCH_REVISION);
        if revision != BATCH_REVISION {
            return json(StatusCode::BAD_REQUEST, &wire::no_batches());
        }
        parts.extensions.insert(PlainAnswer);
        let answers = messages.into_iter().map(|message| self.carry_one(caller, &parts, message));
        let answers: Vec<Value> = join_all(answers).await.into_iter().flatten().collect();
        if answers.is_empty() {
            return StatusCode::ACCEPTED.into_response();
        }
        json(StatusCode::OK, &Value::Array(answers))
    }

    async fn carry_one(
        &self,
        caller: &Caller,
        parts: &Parts,
        message: Result<Message, Value>,
    ) -> Option<Value> {
        let message = match message {
            Ok(message) => message,
            Err(error) => return Some(error),
        };
        if message.method() == "initialize" {
            let why = rmcp::ErrorData::invalid_request("Invalid Request: initialize stands alone", None);
            return Some(wire::failure(&message.id(), &why));
        }
        let is_request = message.kind == MessageKind::Request;
        let body = Bytes::from(message.value.to_string());
        let response = self.carry(caller, parts.clone(), message, body).await;
        if is_request { answer::message(response).await } else { None }
    }
}

/// What a client takes as an answer.
struct Takes {
    /// Streams of events.
    events: bool,
    /// Anything that the server can give.
    is_satisfiable: bool,
}

impl Takes {
    fn of(headers: &HeaderMap) -> Self {
        let kinds: Vec<&str> = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|kind| kind.split(';').next())
            .map(str::trim)
            .collect();
        let has = |wanted: &str| kinds.iter().any(|kind| kind.eq_ignore_ascii_case(wanted));
        Self {
            events: has("text/event-stream"),
            is_satisfiable: kinds.is_empty() || has("*/*") || has("application/*") || has("application/json"),
        }
    }
}

/// Who asks, as the listener found out; a stranger is sent to fetch a token.
pub(crate) fn caller(parts: &Parts) -> Result<Caller, Box<Response>> {
    match parts.extensions.get::<Caller>() {
        Some(caller) if caller.is_stranger() => Err(Box::new(unauthenticated())),
        Some(caller) => Ok(caller.clone()),
        None => {
            tracing::error!("a request reached the MCP face without being identified");
            Err(Box::new(refusal(StatusCode::INTERNAL_SERVER_ERROR, "the request was not identified")))
        }
    }
}

/// Reads a body up to the limit.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Box<Response>> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Box::new(refusal(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is longer than {limit} bytes"),
        ))),
        Err(_) => Err(Box::new(refusal(StatusCode::BAD_REQUEST, "the body could not be read"))),
    }
}

/// Sends `tools/list` the way that our own listing takes; a header that disagrees is left for rmcp to refuse.
fn reroute(parts: &mut Parts, mut message: Message, body: Bytes) -> Bytes {
    let named = text(&parts.headers, METHOD);
    if message.method() != "tools/list" || named.is_some_and(|name| name != "tools/list") {
        return body;
    }
    if named.is_some() {
        parts.headers.insert(METHOD, HeaderValue::from_static(LISTING));
    }
    message.value["method"] = LISTING.into();
    Bytes::from(message.value.to_string())
}

fn whole(parts: Parts, body: Bytes) -> Request<Body> {
    Request::from_parts(parts, Body::from(body))
}

/// A single JSON answer out of whatever rmcp gave.
async fn plain(response: Response) -> Response {
    if !is(response.headers(), "text/event-stream") {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let message = answer::message(Response::from_parts(parts.clone(), body)).await.unwrap_or_default();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(message.to_string()))
}

/// Keeps a session from counting as idle while its answer is under way.
fn hold(response: Response, in_use: Option<InUse>) -> Response {
    match in_use {
        Some(in_use) => response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _ = &in_use;
                frame
            }))
        }),
        None => response,
    }
}

fn is_modern(headers: &HeaderMap) -> bool {
    text(headers, VERSION).is_some_and(|version| version >= MODERN)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
