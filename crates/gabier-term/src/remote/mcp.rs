//! Any MCP server over Streamable HTTP: its tools, and calls of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gabier_tool::{
    Block, Effect, Error, ErrorKind, Feedback, Level, Mode, Profile, Progress, Result, ToolInfo, View,
};
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;
use url::Url;

use crate::backend::Answer;
use crate::remote::clean;
use crate::remote::events::Events;
use crate::remote::rest::{is_envelope, of_envelope};
use crate::remote::wire::{self, Wire};

/// The revision offered to a server that wants to be introduced.
const REVISION: &str = "2025-06-18";

/// The most pages of a list that are read.
const PAGES: usize = 100;

/// One MCP endpoint.
pub(crate) struct Mcp {
    wire: Arc<Wire>,
    endpoint: Url,
    next_id: AtomicU64,
    session: OnceCell<Session>,
}

/// What an introduction gave.
struct Session {
    id: Option<String>,
    revision: String,
}

impl Mcp {
    pub(crate) fn new(wire: Arc<Wire>, endpoint: Url) -> Self {
        Self { wire, endpoint, next_id: AtomicU64::new(1), session: OnceCell::new() }
    }

    /// All tools, over all pages.
    pub(crate) async fn tools(&self) -> Result<Vec<ToolInfo>> {
        let mut tools = Vec::new();
        let mut params = json!({});
        for _ in 0..PAGES {
            let page = self.request("tools/list", &params, &gabier_tool::Silent).await?;
            let listed = page.get("tools").and_then(Value::as_array).ok_or_else(|| {
                Error::new(ErrorKind::ConnectionFailed, "the server's list of tools is no list")
            })?;
            tools.extend(listed.iter().filter_map(info));
            match page.get("nextCursor") {
                Some(Value::String(cursor)) => params = json!({"cursor": cursor}),
                _ => break,
            }
        }
        Ok(tools)
    }

    pub(crate) async fn call(
        &self,
        name: &str,
        arguments: Map<String, Value>,
        feedback: &dyn Feedback,
    ) -> Result<Answer> {
        let params = json!({"name": name, "arguments": arguments, "_meta": {"progressToken": name}});
        let result = self.request("tools/call", &params, feedback).await?;
        Ok(answer(name, &result))
    }

    /// A bare request first; a server that wants to be introduced says so by refusing it.
    async fn request(&self, method: &str, params: &Value, feedback: &dyn Feedback) -> Result<Value> {
        let refused = match self.session.get() {
            Some(session) => return self.exchange(method, params, Some(session), feedback).await,
            None => match self.exchange(method, params, None, feedback).await {
                Err(error) if may_want_introduction(&error) => error,
                answered => return answered,
            },
        };
        let session = self.session.get_or_try_init(|| self.introduce()).await.map_err(|_| refused)?;
        self.exchange(method, params, Some(session), feedback).await
    }

    async fn introduce(&self) -> Result<Session> {
        let params = json!({
            "protocolVersion": REVISION, "capabilities": {},
            "clientInfo": {"name": "gabier", "version": env!("CARGO_PKG_VERSION")},
        });
        let response = self.post(&self.message("initialize", &params), None).await?;
        let id = response.headers().get("mcp-session-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        let result = self.result(response, &gabier_tool::Silent).await?;
        let revision = result.get("protocolVersion").and_then(Value::as_str).unwrap_or(REVISION).to_owned();
        let session = Session { id, revision };
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        self.post(&ready, Some(&session)).await?;
        Ok(session)
    }

    async fn exchange(
        &self,
        method: &str,
        params: &Value,
        session: Option<&Session>,
        feedback: &dyn Feedback,
    ) -> Result<Value> {
        let response = self.post(&self.message(method, params), session).await?;
        self.result(response, feedback).await
    }

    fn message(&self, method: &str, params: &Value) -> Value {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
    }

    async fn post(&self, message: &Value, session: Option<&Session>) -> Result<Response> {
        let mut request = self
            .wire
            .post(self.endpoint.clone())
            .header(ACCEPT, "application/json, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(message.to_string());
        if let Some(session) = session {
            request = request.header("mcp-protocol-version", &session.revision);
            if let Some(id) = &session.id {
                request = request.header("mcp-session-id", id);
            }
        }
        self.wire.send(request).await
    }

    /// The result of the one request that a response answers; what comes before it goes to the feedback.
    async fn result(&self, mut response: Response, feedback: &dyn Feedback) -> Result<Value> {
        let status = response.status();
        let media =
            response.headers().get(CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
        if !media.starts_with("text/event-stream") {
            let body = wire::body(response).await?;
            let message = serde_json::from_slice(&body).unwrap_or_default();
            return taken(message, feedback).unwrap_or_else(|| {
                let kind = match status.as_u16() {
                    401 => ErrorKind::Unauthenticated,
                    403 => ErrorKind::Forbidden,
                    404 | 405 => ErrorKind::NotFound,
                    400..=499 => ErrorKind::BadRequest,
                    _ => ErrorKind::ConnectionFailed,
                };
                Err(Error::new(kind, format!("the MCP server answered {status} without a result")))
            });
        }
        let mut events = Events::default();
        while let Some(chunk) = response.chunk().await.map_err(wire::failure)? {
            wire::grow(&mut vec![0; events.waiting()], &chunk)?;
            for event in events.push(&chunk) {
                let message = serde_json::from_str(&event.data).unwrap_or_default();
                if let Some(result) = taken(message, feedback) {
                    return result;
                }
            }
        }
        Err(Error::new(ErrorKind::ConnectionFailed, "the server closed the connection before the result"))
    }
}

/// A server that keeps sessions refuses a bare request with 400, 404 or an error of its own.
fn may_want_introduction(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::BadRequest | ErrorKind::NotFound | ErrorKind::InvalidArgument)
}

/// The result or error of a message; notifications go to the feedback.
fn taken(mut message: Value, feedback: &dyn Feedback) -> Option<Result<Value>> {
    if let Some(result) = message.get_mut("result") {
        return Some(Ok(result.take()));
    }
    if let Some(error) = message.get("error").filter(|error| error.is_object()) {
        let text = error.get("message").and_then(Value::as_str).unwrap_or("the server refused the request");
        let kind = match error.get("code").and_then(Value::as_i64) {
            Some(-32602) => ErrorKind::InvalidArgument,
            Some(-32601) => ErrorKind::NotFound,
            Some(-32603) => ErrorKind::ConnectionFailed,
            _ => ErrorKind::BadRequest,
        };
        return Some(Err(Error::new(kind, clean::owned(text))));
    }
    let params = message.get("params").cloned().unwrap_or_default();
    match message.get("method").and_then(Value::as_str) {
        Some("notifications/progress") => feedback.progress(Progress {
            done: params.get("progress").and_then(Value::as_f64).unwrap_or_default(),
            total: params.get("total").and_then(Value::as_f64),
            message: params.get("message").and_then(Value::as_str).map(clean::owned),
        }),
        Some("notifications/message") => {
            let level = match params.get("level").and_then(Value::as_str) {
                Some("debug") => Level::Debug,
                Some("info" | "notice") => Level::Info,
                Some("warning") => Level::Warn,
                _ => Level::Error,
            };
            let data = params.get("data").cloned().unwrap_or_default();
            let text = data.as_str().map_or_else(|| data.to_string(), str::to_owned);
            feedback.log(level, &clean::owned(&text));
        }
        _ => {}
    }
    None
}

/// A listed tool as the faces know tools. What it does to the world is what it says of itself.
fn info(tool: &Value) -> Option<ToolInfo> {
    let name = tool.get("name")?.as_str()?.to_owned();
    let text = |key: &str| tool.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let hint = |key: &str| tool.get("annotations").and_then(|hints| hints.get(key)).and_then(Value::as_bool);
    let effect = match (hint("readOnlyHint"), hint("destructiveHint")) {
        (Some(true), _) => Effect::Read,
        (_, Some(true)) => Effect::Destroy,
        _ => Effect::Write,
    };
    let mut input =
        tool.get("inputSchema").filter(|schema| schema.is_object()).cloned().unwrap_or_else(|| json!({}));
    input["x-foreign"] = true.into();
    let description = text("description");
    Some(ToolInfo {
        title: text("title"),
        toolset: String::new(),
        summary: description.split("\n\n").next().unwrap_or_default().replace('\n', " "),
        description,
        effect,
        mode: Mode::Inline,
        needs: Vec::new(),
        profile: Profile::Full,
        aliases: Vec::new(),
        input,
        output: tool.get("outputSchema").cloned().unwrap_or_else(|| json!({})),
        name,
    })
}

/// The answer in a tool's result: our own envelope where it is one, else an envelope around it.
fn answer(name: &str, result: &Value) -> Answer {
    let structured = result.get("structuredContent").filter(|content| content.is_object());
    if let Some(envelope) = structured.filter(|content| is_envelope(content)) {
        return of_envelope(envelope.clone());
    }
    let content: Vec<Value> = result.get("content").and_then(Value::as_array).cloned().unwrap_or_default();
    let texts: Vec<&str> = content.iter().filter_map(|part| part.get("text")?.as_str()).collect();
    if result.get("isError").is_some_and(|mark| mark == true) {
        let message = if texts.is_empty() { format!("{name} failed") } else { texts.join("\n") };
        return of_envelope(json!({
            "status": "error", "error": true, "code": "TOOL_FAILED", "message": message,
            "details": structured.cloned().unwrap_or_else(|| json!({})), "retriable": false,
        }));
    }
    let data = structured.cloned().unwrap_or_else(|| json!({"content": content}));
    let view = match structured {
        Some(structured) => View::of(structured),
        None => View { blocks: content.iter().map(block).collect() },
    };
    Answer { envelope: json!({"status": "ok", "data": data}), view, exit_code: 0 }
}

fn block(part: &Value) -> Block {
    if let Some(text) = part.get("text").and_then(Value::as_str) {
        return Block::Code { text: text.to_owned(), language: None };
    }
    let word = |key: &str| part.get(key).and_then(Value::as_str);
    let kind = word("type").unwrap_or("content");
    let what = word("mimeType").or_else(|| word("uri")).unwrap_or("no type");
    Block::Text { text: format!("[{kind}: {what}]") }
}
