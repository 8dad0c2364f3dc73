//! The short way of a `tools/call` on a pipe: straight to dispatch, and its answer straight to the output.
//!
//! rmcp passes a call through three tasks and the channels between them, on whichever threads are awake; that takes
//! longer than the call. The short way is one task. Calls of the revisions without handshake and of batches take
//! rmcp's, as does everything that is no call; what a call says and asks meanwhile is sent by rmcp in both.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, ClientJsonRpcMessage, ClientNotification, ClientRequest, GetMeta, JsonRpcMessage,
    JsonRpcRequest, RequestId, RequestMetaObject, ServerJsonRpcMessage,
};
use rmcp::{Peer, RoleServer};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::asked::Asked;
use crate::server::Server;
use crate::wire::{called, is_modern};

/// How long calls that do not stop may hold up the end after the input has ended: as long as rmcp lets its own.
const DRAIN: Duration = Duration::from_secs(5);

/// The calls of one client that take the short way.
pub(super) struct Straight {
    server: Server,
    peer: OnceLock<Peer<RoleServer>>,
    running: Mutex<HashMap<RequestId, CancellationToken>>,
    calls: TaskTracker,
}

/// A call under way.
pub(super) struct Call {
    id: RequestId,
    params: CallToolRequestParams,
    meta: RequestMetaObject,
    /// Fires when its client takes it back.
    ct: CancellationToken,
}

impl Straight {
    pub(super) fn new(server: Server) -> Self {
        Self { server, peer: OnceLock::new(), running: Mutex::default(), calls: TaskTracker::new() }
    }

    /// Learns how to speak to the client; until then nothing takes the short way.
    pub(super) fn meet(&self, peer: Peer<RoleServer>) {
        self.peer.get_or_init(|| peer);
    }

    /// True for a call that takes the short way: one of a tool of the catalog, after a handshake of the older revisions.
    pub(super) fn takes(&self, message: &ClientJsonRpcMessage) -> bool {
        let JsonRpcMessage::Request(request) = message else { return false };
        let ClientRequest::CallToolRequest(call) = &request.request else { return false };
        let client = self.peer.get().and_then(Peer::peer_info);
        client.is_some_and(|client| !is_modern(Some(&client.protocol_version)))
            && request.request.get_meta().protocol_version().is_none()
            && self.server.shared.dispatch.catalog().get(&call.params.name).is_some()
    }

    /// Notes a call that takes the short way, before anything that takes it back can be read.
    pub(super) fn begin(&self, message: ClientJsonRpcMessage) -> Option<Call> {
        let JsonRpcMessage::Request(JsonRpcRequest { id, mut request, .. }) = message else { return None };
        let meta = std::mem::take(request.get_meta_mut());
        let ClientRequest::CallToolRequest(request) = request else { return None };
        let ct = CancellationToken::new();
        self.running().insert(id.clone(), ct.clone());
        Some(Call { id, params: request.params, meta, ct })
    }

    /// Runs a call; no answer when its client took it back meanwhile.
    pub(super) async fn answer(&self, call: Call) -> Option<ServerJsonRpcMessage> {
        let Call { id, params, meta, ct } = call;
        let peer = self.peer.get()?;
        let declared = meta.client_capabilities();
        let capabilities = declared.or_else(|| Some(peer.peer_info()?.capabilities.clone()));
        let asked =
            Asked { parts: None, meta: &meta, is_modern: false, capabilities, peer: Some(peer), ct: &ct };
        let _counted = self.server.shared.calls.token();
        let response = match self.server.visit_of(&asked) {
            Ok(visit) => self.server.dispatch(params, visit, &asked).await,
            Err(error) => Err(error),
        };
        self.running().remove(&id)?;
        Some(called(id, response, false))
    }

    /// Looks at a message for whether it takes back a call that runs.
    pub(super) fn note(&self, message: &ClientJsonRpcMessage) {
        if let JsonRpcMessage::Notification(note) = message
            && let ClientNotification::CancelledNotification(cancelled) = &note.notification
            && let Some(id) = &cancelled.params.request_id
            && let Some(ct) = self.running().remove(id)
        {
            ct.cancel();
        }
    }

    /// The calls under way, to be waited for.
    pub(super) fn calls(&self) -> &TaskTracker {
        &self.calls
    }

    /// Waits for the calls under way to end.
    pub(super) async fn drain(&self) {
        self.calls.close();
        if tokio::time::timeout(DRAIN, self.calls.wait()).await.is_err() {
            tracing::warn!("calls under way did not end in time");
        }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<RequestId, CancellationToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
