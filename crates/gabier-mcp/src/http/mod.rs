//! Streamable HTTP: what rmcp leaves open is closed here, before and after it.

pub(crate) mod answer;
pub(crate) mod front;
mod straight;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodRouter, get};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio_util::sync::CancellationToken;

use crate::connection::{Connection, Kind};
use crate::legacy_sse;
use crate::mcp::Shared;
use crate::server::Server;
use crate::sessions::Sessions;
pub(crate) use watch::{listening, watched};

/// How long running calls may take after the server was told to stop.
const GRACE: Duration = Duration::from_secs(20);

/// What all requests share.
pub(crate) struct Front {
    pub(crate) shared: Arc<Shared>,
    pub(crate) sessions: Sessions,
    /// Fires when streams should end.
    pub(crate) ending: CancellationToken,
    manager: Arc<LocalSessionManager>,
    in_sessions: StreamableHttpService<Server, LocalSessionManager>,
    alone: StreamableHttpService<Server, NeverSessionManager>,
    /// Serves the calls that need nothing of rmcp's.
    straight: Server,
    /// One session is opened at a time, so that the limits hold.
    pub(crate) opening: tokio::sync::Mutex<()>,
}

impl Front {
    fn new(shared: &Arc<Shared>, shutdown: CancellationToken) -> Self {
        let cut = CancellationToken::new();
        end_after_calls(Arc::clone(shared), shutdown.clone(), cut.clone());
        let mut manager = LocalSessionManager::default();
        manager.session_config.keep_alive = Some(shared.options.sessions.idle);
        let manager = Arc::new(manager);
        let factory = |kind: Kind| {
            let (shared, ending) = (Arc::clone(shared), shutdown.clone());
            move || {
                let connection = Arc::new(Connection::http(kind, ending.clone()));
                Ok(Server { shared: Arc::clone(&shared), connection })
            }
        };
        let mut connection = Connection::http(Kind::Alone, shutdown.clone());
        connection.closed = cut.clone();
        let straight = Server { shared: Arc::clone(shared), connection: Arc::new(connection) };
        // Host and Origin are the listener's business, on every route alike.
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_json_response(true)
            .with_max_request_body_bytes(shared.options.message_limit)
            .with_cancellation_token(cut);
        let alone = config.clone().with_legacy_session_mode(false);
        Self {
            in_sessions: StreamableHttpService::new(factory(Kind::Session), Arc::clone(&manager), config),
            alone: StreamableHttpService::new(
                factory(Kind::Alone),
                Arc::new(NeverSessionManager::default()),
                alone,
            ),
            straight,
            manager,
            sessions: Sessions::new(shared.options.sessions),
            shared: Arc::clone(shared),
            ending: shutdown,
            opening: tokio::sync::Mutex::new(()),
        }
    }

    /// Time since the start, for what is idle.
    pub(crate) fn now(&self) -> Duration {
        self.shared.dispatch.guards().clock.monotonic()
    }
}

/// The routes.
pub(crate) fn router(shared: &Arc<Shared>, shutdown: CancellationToken) -> Router {
    let front = Arc::new(Front::new(shared, shutdown));
    let mut router = Router::new();
    for endpoint in &shared.options.endpoints {
        router = router.route(endpoint, endpoint_routes());
    }
    if shared.options.sse {
        router = router
            .route("/sse", get(legacy_sse::open))
            .route("/messages/", axum::routing::post(legacy_sse::message))
            .route("/messages", axum::routing::post(legacy_sse::message));
    }
    router.with_state(front)
}

fn endpoint_routes() -> MethodRouter<Arc<Front>> {
    get(front::get).post(front::post).delete(front::delete)
}

/// Cuts the streams of sessions once the calls that run are answered.
fn end_after_calls(shared: Arc<Shared>, shutdown: CancellationToken, cut: CancellationToken) {
    tokio::spawn(async move {
        shutdown.cancelled().await;
        shared.calls.close();
        // Whoever is not answered by then is cut off.
        let _ = tokio::time::timeout(GRACE, shared.calls.wait()).await;
        cut.cancel();
    });
}
