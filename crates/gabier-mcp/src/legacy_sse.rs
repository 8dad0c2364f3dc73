//! The transport of 2024-11-05: one stream of events down, messages up beside it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, Request, StatusCode};
use rmcp::RoleServer;
use rmcp::model::{ClientJsonRpcMessage, GetExtensions, JsonRpcMessage, ServerJsonRpcMessage};
use rmcp::service::serve_directly_with_ct;
use rmcp::transport::Transport;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::connection::{Connection, Kind};
use crate::http::answer::{json, no_session, refusal};
use crate::http::front::{caller, read};
use crate::http::{Front, listening};
use crate::profile;
use crate::server::Server;
use crate::sessions::End;
use crate::wire::{self, Incoming, reroute};

/// Messages that may wait in either direction.
const WAITING: usize = 32;

/// How often a silent stream shows that it lives.
const PING: Duration = Duration::from_secs(15);

/// Opens a stream; its first event says where messages go.
pub(crate) async fn open(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    let (parts, _) = request.into_parts();
    let caller = match caller(&parts) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let turn = front.opening.lock().await;
    for (id, end) in front.sessions.make_room(&caller) {
        front.close(&id, end).await;
    }
    let id = gabier_tool::request_id();
    let ct = front.ending.child_token();
    let (up, messages) = mpsc::channel(WAITING);
    let (answers, down) = mpsc::channel(WAITING);
    let mut connection = Connection::http(Kind::Session, ct.clone());
    connection.closed = ct.clone();
    connection.session = Some(id.clone());
    connection.profile = profile::asked(&parts);
    let server = Server { shared: Arc::clone(&front.shared), connection: Arc::new(connection) };
    front.sessions.add(&id, &caller, None, End::Sse(up, ct.clone()), front.now());
    drop(turn);
    let running = serve_directly_with_ct(server, Channel { messages, answers }, None, ct.clone());
    tokio::spawn(async move {
        // The stream's end is the session's, whatever the reason.
        let _ = running.waiting().await;
    });
    let closing = Closing { front: Arc::clone(&front), id: id.clone(), _ct: ct.clone().drop_guard() };
    let mut response = Sse::new(events(&id, down, ct, closing))
        .keep_alive(KeepAlive::new().interval(PING).text("ping"))
        .into_response();
    let unbuffered = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response.headers_mut().extend([unbuffered]);
    listening(&front, caller, response)
}

/// Takes a message for a stream; its answer comes down there.
pub(crate) async fn message(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let caller = match caller(&parts) {
        Ok(caller) => caller,
        Err(refused) => return *refused,
    };
    let session =
        wire::query(&parts.uri, "session_id").and_then(|id| front.sessions.enter(&id, &caller, front.now()));
    let Some(End::Sse(up, _)) = session.map(|session| session.end) else { return no_session() };
    let body = match read(body, front.shared.options.message_limit).await {
        Ok(body) => body,
        Err(refused) => return *refused,
    };
    let message = match Incoming::read(&body) {
        Ok(Incoming::One(message)) => message,
        Ok(Incoming::Batch(_)) => return json(StatusCode::BAD_REQUEST, &wire::no_batches()),
        Err(error) => return json(StatusCode::BAD_REQUEST, &error),
    };
    let Ok(mut message) = serde_json::from_value::<ClientJsonRpcMessage>(message.value) else {
        return refusal(StatusCode::BAD_REQUEST, "Invalid Request: the message does not fit the protocol");
    };
    match &mut message {
        JsonRpcMessage::Request(request) => {
            request.request.extensions_mut().insert(parts);
        }
        JsonRpcMessage::Notification(notification) => {
            notification.notification.extensions_mut().insert(parts);
        }
        _ => {}
    }
    reroute(&mut message);
    match up.send(message).await {
        Ok(()) => (StatusCode::ACCEPTED, "Accepted").into_response(),
        Err(_) => no_session(),
    }
}

fn events(
    id: &str,
    down: mpsc::Receiver<ServerJsonRpcMessage>,
    ct: CancellationToken,
    closing: Closing,
) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    let endpoint = Event::default().event("endpoint").data(format!("/messages/?session_id={id}"));
    let messages = ReceiverStream::new(down).filter_map(move |message| {
        let _ = &closing;
        let text = serde_json::to_string(&message).ok();
        std::future::ready(text.map(|text| Event::default().event("message").data(text)))
    });
    let ended = async move { ct.cancelled().await };
    stream::once(std::future::ready(endpoint)).chain(messages).take_until(ended).map(Ok)
}

/// Forgets the session when the client leaves its stream.
struct Closing {
    front: Arc<Front>,
    id: String,
    _ct: DropGuard,
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.front.sessions.remove(&self.id);
    }
}

/// Messages by channels.
struct Channel {
    messages: mpsc::Receiver<ClientJsonRpcMessage>,
    answers: mpsc::Sender<ServerJsonRpcMessage>,
}

impl Transport<RoleServer> for Channel {
    type Error = mpsc::error::SendError<ServerJsonRpcMessage>;

    fn send(
        &mut self,
        message: ServerJsonRpcMessage,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let answers = self.answers.clone();
        async move { answers.send(message).await }
    }

    async fn receive(&mut self) -> Option<ClientJsonRpcMessage> {
        self.messages.recv().await
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.messages.close();
        Ok(())
    }
}
