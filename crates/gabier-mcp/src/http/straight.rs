//! The short way of the one request that a server gets all day: a `tools/call` that stands alone.
//!
//! rmcp serves a request of its own through a transport, a peer, two tasks and their channels, which a session needs
//! and a single answer does not: they cost more than everything else together. So a call that has nothing of them
//! goes straight to dispatch. It is read into rmcp's own types and answered with them, by the same code that serves
//! calls within rmcp ([`Server::dispatch`]). Whatever is unusual about a request is not judged here: it takes the
//! long way, and is refused or served there.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::response::{IntoResponse, Response};
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, ClientCapabilities, ErrorCode, ProtocolVersion, RequestId, RequestMetaObject,
    ServerJsonRpcMessage,
};
use serde::Deserialize;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::Front;
use super::answer::{JSON, refusal};
use crate::asked::Asked;
use crate::wire::{METHOD, SESSION, VERSION, called, is_id};

const NAME: &str = "mcp-name";
const TOOLS_CALL: &str = "tools/call";

/// A call that takes the short way.
pub(super) struct Call {
    id: RequestId,
    params: CallToolRequestParams,
    meta: RequestMetaObject,
    capabilities: Option<ClientCapabilities>,
    is_modern: bool,
}

/// The message, and nothing beside it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message<'a> {
    jsonrpc: &'a str,
    id: Value,
    method: &'a str,
    params: CallToolRequestParams,
}

impl Call {
    /// Reads a body; none when it must take the long way.
    pub(super) fn read(front: &Front, parts: &Parts, body: &[u8]) -> Option<Self> {
        let message: Message<'_> = serde_json::from_slice(body).ok()?;
        let is_call = message.jsonrpc == "2.0" && message.method == TOOLS_CALL && is_id(&message.id);
        if !is_call || !is_ours(front, &message.params.name) {
            return None;
        }
        let id = RequestId::deserialize(message.id).ok()?;
        let mut params = message.params;
        let meta = params.meta.take().unwrap_or_default();
        let capabilities = meta.client_capabilities();
        let is_modern = match meta.protocol_version() {
            Some(version) => {
                let agrees = version == ProtocolVersion::V_2026_07_28 && capabilities.is_some();
                if !agrees || !agree(&parts.headers, &params.name) {
                    return None;
                }
                true
            }
            None if is_legacy(&parts.headers) => false,
            None => return None,
        };
        // Extensions of the protocol, progress and log lines are rmcp's business.
        let is_extended = capabilities.as_ref().is_some_and(|own| own.extensions.is_some());
        if is_extended || meta.get_progress_token().is_some() || meta.log_level().is_some() {
            return None;
        }
        Some(Self { id, params, meta, capabilities, is_modern })
    }

    /// Answers it. Should the client leave meanwhile, the call is told so, and goes on to its recorded end.
    pub(super) async fn answer(self, front: &Arc<Front>, parts: Parts) -> Response {
        let ct = CancellationToken::new();
        let call = Box::pin(self.carry(Arc::clone(front), parts, ct.clone()));
        Attended { call: Some(call), ct }.await
    }

    async fn carry(self, front: Arc<Front>, parts: Parts, ct: CancellationToken) -> Response {
        let Self { id, params, meta, capabilities, is_modern } = self;
        let asked = Asked { parts: Some(&parts), meta: &meta, is_modern, capabilities, peer: None, ct: &ct };
        let server = &front.straight;
        let _counted = server.shared.calls.token();
        let response = match server.visit_of(&asked) {
            Ok(visit) => server.dispatch(params, visit, &asked).await,
            Err(error) => Err(error),
        };
        let status = response.as_ref().err().map_or(StatusCode::OK, |error| status_of(error, is_modern));
        respond(status, &called(id, response, is_modern))
    }
}

/// True for a tool of the catalog that takes no arguments from headers.
fn is_ours(front: &Front, name: &str) -> bool {
    let shared = &front.shared;
    shared.dispatch.catalog().get(name).is_some_and(|entry| shared.listing.with_headers(entry).is_none())
}

/// True when each header of the newest revision is there once and says what the body says.
fn agree(headers: &HeaderMap, name: &str) -> bool {
    let revision = ProtocolVersion::V_2026_07_28;
    [(VERSION, revision.as_str()), (METHOD, TOOLS_CALL), (NAME, name)]
        .iter()
        .all(|(header, value)| only(headers, header).is_some_and(|own| own == value))
}

/// True when the headers speak of no session and of no revision but one of the older.
fn is_legacy(headers: &HeaderMap) -> bool {
    let is_older = |version: &HeaderValue| {
        ProtocolVersion::KNOWN_VERSIONS.iter().any(|own| own.has_initialize() && version == own.as_str())
    };
    let is_of_era = !headers.contains_key(VERSION) || only(headers, VERSION).is_some_and(is_older);
    is_of_era && !headers.contains_key(SESSION)
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// The HTTP status of a JSON-RPC error: the newest revision has one for some of them.
fn status_of(error: &ErrorData, is_modern: bool) -> StatusCode {
    match error.code {
        ErrorCode::MISSING_REQUIRED_CLIENT_CAPABILITY if is_modern => StatusCode::BAD_REQUEST,
        _ => StatusCode::OK,
    }
}

fn respond(status: StatusCode, message: &ServerJsonRpcMessage) -> Response {
    match serde_json::to_vec(message) {
        Ok(body) => (status, [(CONTENT_TYPE, JSON)], body).into_response(),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "the answer could not be written")
        }
    }
}

/// A call in its request, which may be dropped before the call ends.
struct Attended {
    call: Option<BoxFuture<'static, Response>>,
    ct: CancellationToken,
}

impl Future for Attended {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        let polled = call.as_mut().poll(cx);
        if polled.is_ready() {
            self.call = None;
        }
        polled
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        let Some(rest) = self.call.take() else { return };
        self.ct.cancel();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(rest);
        }
    }
}
