//! What a request says of itself, whichever way it came in: through rmcp, or straight from its POST.

use http::request::Parts;
use rmcp::model::{ClientCapabilities, RequestMetaObject};
use rmcp::service::RequestContext;
use rmcp::{Peer, RoleServer};
use tokio_util::sync::CancellationToken;

use crate::wire::{PlainAnswer, SESSION, is_modern};

/// A request before it is served.
pub(crate) struct Asked<'a> {
    /// The HTTP request around it, where there is one.
    pub(crate) parts: Option<&'a Parts>,
    /// Its metadata.
    pub(crate) meta: &'a RequestMetaObject,
    /// True when it follows the revisions without handshake.
    pub(crate) is_modern: bool,
    /// What its client says it can do.
    pub(crate) capabilities: Option<ClientCapabilities>,
    /// The client, where it can be spoken to before the answer.
    pub(crate) peer: Option<&'a Peer<RoleServer>>,
    /// Fires when its client gives up.
    pub(crate) ct: &'a CancellationToken,
}

impl<'a> Asked<'a> {
    /// As rmcp hands it over.
    pub(crate) fn of(request: &'a RequestContext<RoleServer>) -> Self {
        Self {
            parts: request.extensions.get::<Parts>(),
            meta: &request.meta,
            is_modern: is_modern(request.protocol_version().as_ref()),
            capabilities: request.client_capabilities(),
            peer: Some(&request.peer),
            ct: &request.ct,
        }
    }

    /// True when the client takes one JSON answer and nothing else.
    pub(crate) fn takes_one_answer(&self) -> bool {
        self.parts.is_some_and(|parts| parts.extensions.get::<PlainAnswer>().is_some())
    }

    /// The id that the HTTP front gave the request.
    pub(crate) fn request_id(&self) -> Option<String> {
        self.parts?.headers.get("x-request-id")?.to_str().ok().map(str::to_owned)
    }

    /// The session that its header names.
    pub(crate) fn session_id(&self) -> Option<String> {
        self.parts?.headers.get(SESSION)?.to_str().ok().map(str::to_owned)
    }
}
