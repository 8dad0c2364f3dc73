//! The face as the kit holds it.

use std::sync::Arc;

use gabier_tool::{Caller, Dispatch, Result};
use rmcp::model::{
    Implementation, JsonObject, MetaObject, ResourcesCapability, ServerCapabilities, ServerConfig,
};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::ask::Asking;
use crate::extras::{McpExtras, NoExtras};
use crate::listing::Listing;
use crate::options::{INSTRUCTIONS, McpOptions};
use crate::tasks;

/// The MCP face of a server.
#[derive(Clone)]
pub struct Mcp(pub(crate) Arc<Shared>);

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) options: McpOptions,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) extras: Arc<dyn McpExtras>,
    pub(crate) listing: Listing,
    pub(crate) config: ServerConfig,
    /// The server's name in the metadata of every modern result.
    pub(crate) stamp: MetaObject,
    pub(crate) asking: Asking,
    pub(crate) calls: TaskTracker,
}

impl Mcp {
    /// The face over a dispatch.
    pub fn new(options: McpOptions, dispatch: Arc<Dispatch>) -> Self {
        let extras = options.extras.clone().unwrap_or_else(|| Arc::new(NoExtras));
        let listing = Listing::new(dispatch.catalog(), extras.tools());
        let info = Implementation::new(&options.name, &options.version).with_title(&options.title);
        let mut stamp = MetaObject::new();
        stamp.insert("io.modelcontextprotocol/serverInfo".to_owned(), json!(info));
        let mut config = ServerConfig::new(extras.capabilities(capabilities(
            dispatch.guards().submission.board().is_some(),
            !options.resources.is_empty(),
        )))
        .with_server_info(info);
        let instructions: String = options.instructions.chars().take(INSTRUCTIONS).collect();
        config.instructions = Some(instructions).filter(|text| !text.is_empty());
        Self(Arc::new(Shared {
            options,
            dispatch,
            extras,
            listing,
            config,
            stamp,
            asking: Asking::new(),
            calls: TaskTracker::new(),
        }))
    }

    /// The routes of streamable HTTP and of the older SSE transport. Every request must carry its [`Caller`] as an
    /// extension. When the token fires, streams end as soon as the calls that run are answered.
    pub fn router(&self, shutdown: CancellationToken) -> axum::Router {
        crate::http::router(&self.0, shutdown)
    }

    /// Serves one client on standard input and output until the input ends.
    pub async fn serve_stdio(&self, caller: Caller, shutdown: CancellationToken) -> Result<()> {
        let (input, output) = rmcp::transport::stdio_pipes();
        self.serve_io(caller, input, output, shutdown).await
    }

    /// Serves one client on any pair of byte streams, one message a line.
    pub async fn serve_io(
        &self,
        caller: Caller,
        input: impl AsyncRead + Unpin + Send + 'static,
        output: impl AsyncWrite + Unpin + Send + 'static,
        shutdown: CancellationToken,
    ) -> Result<()> {
        crate::stdio::serve(&self.0, caller, input, output, shutdown).await
    }

    /// The `tools/list` result that a caller sees in a profile, on one page.
    pub fn list_json(&self, caller: &Caller, profile: &str) -> Value {
        json!({"tools": self.0.listing.all(&self.0.dispatch, caller, profile)})
    }
}

fn capabilities(has_tasks: bool, has_resources: bool) -> ServerCapabilities {
    #[expect(deprecated, reason = "clients of the older revisions still ask for log lines")]
    let mut capabilities = ServerCapabilities::builder().enable_tools().enable_logging().build();
    capabilities.logging = Some(JsonObject::new());
    if has_resources {
        capabilities.resources = Some(ResourcesCapability::default());
    }
    if has_tasks {
        let extension = (tasks::EXTENSION.to_owned(), JsonObject::new());
        capabilities.extensions = Some([extension].into_iter().collect());
    }
    capabilities
}
