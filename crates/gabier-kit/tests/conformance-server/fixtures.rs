//! What the suites name, joined.

use futures::future::{BoxFuture, ready};
use gabier_kit::mcp::McpExtras;
use gabier_kit::mcp::rmcp::model::{
    CallToolRequestParams, CallToolResponse, CompleteRequestParams, CompleteResult, GetPromptRequestParams,
    GetPromptResponse, Prompt, ReadResourceRequestParams, ReadResourceResponse, RequestStateCodec, Resource,
    ResourceTemplate, ServerCapabilities, Tool,
};
use gabier_kit::mcp::rmcp::service::{RequestContext, SubscriptionContext};
use gabier_kit::mcp::rmcp::{ErrorData, RoleServer};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::broadcast;

use crate::{reading, rounds, talking, tasks, tools};

/// The context of a request.
pub(crate) type Request = RequestContext<RoleServer>;

/// The fixtures and what they remember.
pub(crate) struct Fixtures {
    /// Seals what travels between rounds.
    pub(crate) codec: RequestStateCodec,
    changes: broadcast::Sender<Change>,
}

/// A list that changed.
#[derive(Clone, Copy)]
pub(crate) enum Change {
    /// The tools.
    Tools,
    /// The prompts.
    Prompts,
}

impl Fixtures {
    /// Nothing has changed yet.
    pub(crate) fn new() -> Self {
        let codec = RequestStateCodec::try_new(*b"a key for a server that has no secrets at all")
            .expect("the key is long enough");
        Self { codec, changes: broadcast::channel(16).0 }
    }

    /// Tells every listener of a change.
    pub(crate) fn change(&self, change: Change) {
        // Nobody has to listen.
        let _ = self.changes.send(change);
    }
}

impl McpExtras for Fixtures {
    fn capabilities(&self, given: ServerCapabilities) -> ServerCapabilities {
        let mut all = json!(given);
        all["tools"] = json!({"listChanged": true});
        all["prompts"] = json!({"listChanged": true});
        all["resources"] = json!({"subscribe": true});
        all["completions"] = json!({});
        read(all)
    }

    fn tools(&self) -> Vec<Tool> {
        tools::list().into_iter().map(read).collect()
    }

    fn call(
        &self,
        call: CallToolRequestParams,
        request: Request,
    ) -> BoxFuture<'_, Result<CallToolResponse, ErrorData>> {
        Box::pin(async move {
            if call.name == "greet" {
                let arguments = call.arguments.unwrap_or_default();
                let name = arguments.get("name").and_then(Value::as_str).unwrap_or_default();
                return Ok(answer(text(format!("Hello, {name}!"))));
            }
            if let Some(content) = tools::plain(&call.name) {
                return Ok(answer(content));
            }
            if call.name.starts_with("test_input_required_result") {
                return rounds::round(&self.codec, &call, &request);
            }
            talking::talk(self, &call, &request).await.map(answer)
        })
    }

    fn needs_tasks(&self, tool: &str) -> bool {
        tasks::needs_tasks(tool)
    }

    fn resources(&self) -> Vec<Resource> {
        reading::resources().into_iter().map(read).collect()
    }

    fn resource_templates(&self) -> Vec<ResourceTemplate> {
        vec![read(reading::template())]
    }

    fn read(
        &self,
        asked: ReadResourceRequestParams,
        _: Request,
    ) -> BoxFuture<'_, Result<ReadResourceResponse, ErrorData>> {
        Box::pin(ready(reading::contents(&asked.uri)))
    }

    fn listen(&self, stream: SubscriptionContext) -> BoxFuture<'_, Result<(), ErrorData>> {
        let mut changes = self.changes.subscribe();
        Box::pin(async move {
            loop {
                let change = tokio::select! {
                    Ok(change) = changes.recv() => change,
                    () = stream.cancelled() => return Ok(()),
                };
                // The stream's own filter drops what was not asked for.
                let _ = match change {
                    Change::Tools => stream.sink().notify_tool_list_changed().await,
                    Change::Prompts => stream.sink().notify_prompt_list_changed().await,
                };
            }
        })
    }

    fn prompts(&self) -> Vec<Prompt> {
        reading::prompts().into_iter().map(read).collect()
    }

    fn prompt(
        &self,
        asked: GetPromptRequestParams,
        _: Request,
    ) -> BoxFuture<'_, Result<GetPromptResponse, ErrorData>> {
        Box::pin(ready(reading::prompt(&asked)))
    }

    fn complete(
        &self,
        _: CompleteRequestParams,
        _: Request,
    ) -> BoxFuture<'_, Result<CompleteResult, ErrorData>> {
        Box::pin(ready(Ok(read(
            json!({"resultType": "complete", "completion": {"values": ["paris", "park", "party"], "hasMore": false}}),
        ))))
    }
}

/// A complete result.
fn answer(result: Value) -> CallToolResponse {
    CallToolResponse::Complete(read(result))
}

/// Reads what is written out here.
pub(crate) fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the fixtures follow the protocol")
}

/// A result with one text.
pub(crate) fn text(text: impl Into<String>) -> Value {
    json!({"resultType": "complete", "content": [{"type": "text", "text": text.into()}]})
}
