//! What a server may offer over MCP alone, beside its catalog.

use futures::future::{BoxFuture, ready};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
    GetPromptResponse, Prompt, ReadResourceRequestParams, ReadResourceResponse, Resource, ResourceTemplate,
    ServerCapabilities, Tool,
};
use rmcp::service::{RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer};

/// The context of a request: metadata, cancellation and the peer to speak to.
type Request = RequestContext<RoleServer>;

/// Resources, prompts, completion and raw tools. Raw tools are published as they are and answer as they like; they
/// stand outside dispatch, so nothing that changes something belongs here.
pub trait McpExtras: Send + Sync + 'static {
    /// What the server says it can do; given is what it can without extras.
    fn capabilities(&self, given: ServerCapabilities) -> ServerCapabilities {
        given
    }

    /// The raw tools, listed after the catalog's in every profile.
    fn tools(&self) -> Vec<Tool> {
        Vec::new()
    }

    /// Calls one of the raw tools.
    fn call(
        &self,
        call: CallToolRequestParams,
        _request: Request,
    ) -> BoxFuture<'_, Result<CallToolResponse, ErrorData>> {
        Box::pin(ready(Err(ErrorData::invalid_params(format!("there is no tool {:?}", call.name), None))))
    }

    /// Whether a tool of the catalog answers by tasks alone, so that a client that does not take them is refused.
    fn needs_tasks(&self, _tool: &str) -> bool {
        false
    }

    /// The resources.
    fn resources(&self) -> Vec<Resource> {
        Vec::new()
    }

    /// The templates of resources.
    fn resource_templates(&self) -> Vec<ResourceTemplate> {
        Vec::new()
    }

    /// Reads a resource.
    fn read(
        &self,
        read: ReadResourceRequestParams,
        _request: Request,
    ) -> BoxFuture<'_, Result<ReadResourceResponse, ErrorData>> {
        Box::pin(ready(Err(not_there(&read.uri))))
    }

    /// Notes that a client of a session wants to hear of a resource, or no longer.
    fn subscribe(
        &self,
        _uri: String,
        _wants: bool,
        _request: Request,
    ) -> BoxFuture<'_, Result<(), ErrorData>> {
        Box::pin(ready(Ok(())))
    }

    /// Serves one `subscriptions/listen` stream until it is cancelled.
    fn listen(&self, stream: SubscriptionContext) -> BoxFuture<'_, Result<(), ErrorData>> {
        Box::pin(async move {
            stream.cancelled().await;
            Ok(())
        })
    }

    /// The prompts.
    fn prompts(&self) -> Vec<Prompt> {
        Vec::new()
    }

    /// Fills a prompt.
    fn prompt(
        &self,
        prompt: GetPromptRequestParams,
        _request: Request,
    ) -> BoxFuture<'_, Result<GetPromptResponse, ErrorData>> {
        Box::pin(ready(Err(no_prompt(&prompt.name))))
    }

    /// Completes an argument of a prompt or a template.
    fn complete(
        &self,
        _complete: CompleteRequestParams,
        _request: Request,
    ) -> BoxFuture<'_, Result<CompleteResult, ErrorData>> {
        Box::pin(ready(Ok(CompleteResult::default())))
    }
}

/// The server of a catalog alone.
pub(crate) struct NoExtras;

impl McpExtras for NoExtras {}

/// A resource that does not exist.
pub(crate) fn not_there(uri: &str) -> ErrorData {
    ErrorData::resource_not_found(
        format!("there is no resource {uri:?}"),
        Some(serde_json::json!({"uri": uri})),
    )
}

fn no_prompt(name: &str) -> ErrorData {
    ErrorData::invalid_params(format!("there is no prompt {name:?}"), None)
}
