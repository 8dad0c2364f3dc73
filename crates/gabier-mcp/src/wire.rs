//! Messages as they come in, before rmcp reads them.

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, ClientJsonRpcMessage, ClientRequest, CustomRequest, ErrorCode, InitializeRequestParams,
    JsonRpcMessage, ProtocolVersion, RequestId, RequestMetaObject, ServerJsonRpcMessage, ServerResult,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The name under which `tools/list` reaches the server: rmcp's own type of a tool has no room for hints of ours,
/// a request that it does not know may answer with any JSON.
pub(crate) const LISTING: &str = "gabier/tools/list";

/// The header that names a session of streamable HTTP.
pub(crate) const SESSION: &str = "mcp-session-id";

/// The header that names the revision.
pub(crate) const VERSION: &str = "mcp-protocol-version";

/// The header of the newest revision that names the method.
pub(crate) const METHOD: &str = "mcp-method";

/// Messages of one batch.
pub(crate) const BATCH: usize = 50;

/// The one revision that knows batches.
pub(crate) const BATCH_REVISION: &str = "2025-03-26";

/// The field that says which revision a request follows.
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// The field that says which log lines a request wants.
const META_LEVEL: &str = "io.modelcontextprotocol/logLevel";

/// Marks a request whose client takes one JSON answer and nothing else.
#[derive(Clone, Copy)]
pub(crate) struct PlainAnswer;

/// A message that is JSON-RPC 2.0.
#[derive(Debug)]
pub(crate) struct Message {
    /// The message.
    pub(crate) value: Value,
    /// What it is.
    pub(crate) kind: MessageKind,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// Wants an answer.
    Request,
    /// Wants none.
    Notification,
    /// Answers a request of ours.
    Answer,
}

/// One message or several.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// One.
    One(Message),
    /// A batch, each message on its own.
    Batch(Vec<Result<Message, Value>>),
}

impl Incoming {
    /// Reads text; what cannot be read is answered by the JSON-RPC error that is returned.
    pub(crate) fn read(text: &[u8]) -> Result<Self, Value> {
        let value: Value = serde_json::from_slice(text).map_err(|error| {
            failure(&Value::Null, &ErrorData::parse_error(format!("Parse error: {error}"), None))
        })?;
        let Value::Array(messages) = value else { return Message::read(value).map(Self::One) };
        let refused = |why: String| Err(failure(&Value::Null, &ErrorData::invalid_request(why, None)));
        match messages.len() {
            0 => refused("Invalid Request: the batch is empty".to_owned()),
            1..=BATCH => Ok(Self::Batch(messages.into_iter().map(Message::read).collect())),
            many => {
                refused(format!("Invalid Request: a batch has at most {BATCH} messages, this one {many}"))
            }
        }
    }
}

/// Why batches are refused where they are.
pub(crate) fn no_batches() -> Value {
    let why = format!("Invalid Request: only revision {BATCH_REVISION} knows batches");
    failure(&Value::Null, &ErrorData::invalid_request(why, None))
}

impl Message {
    fn read(value: Value) -> Result<Self, Value> {
        let refused = |id: &Value, why: &str| {
            Err(failure(id, &ErrorData::invalid_request(format!("Invalid Request: {why}"), None)))
        };
        let id = value.get("id").cloned();
        let answer_to = id.clone().filter(is_id).unwrap_or_default();
        if !value.is_object() {
            return refused(&answer_to, "a message is an object");
        }
        if value.get("jsonrpc").is_none_or(|version| version != "2.0") {
            return refused(&answer_to, "jsonrpc must be \"2.0\"");
        }
        if id.as_ref().is_some_and(|id| !is_id(id)) && value.get("error").is_none() {
            return refused(&answer_to, "the id must be a string or an integer");
        }
        let kind = match (value.get("method"), &id) {
            (Some(Value::String(_)), Some(_)) => MessageKind::Request,
            (Some(Value::String(_)), None) => MessageKind::Notification,
            (Some(_), _) => return refused(&answer_to, "the method must be a string"),
            (None, _) if value.get("result").is_some() || value.get("error").is_some() => MessageKind::Answer,
            (None, _) => return refused(&answer_to, "the method is missing"),
        };
        if value.get("params").is_some_and(|params| !params.is_object()) {
            return Err(failure(
                &answer_to,
                &ErrorData::invalid_params("Invalid params: the parameters must be an object", None),
            ));
        }
        Ok(Self { value, kind })
    }

    /// The method, empty for answers.
    pub(crate) fn method(&self) -> &str {
        self.value.get("method").and_then(Value::as_str).unwrap_or_default()
    }

    /// The id, null for notifications.
    pub(crate) fn id(&self) -> Value {
        self.value.get("id").cloned().unwrap_or_default()
    }

    /// True when the request carries the metadata of the revisions without handshake.
    pub(crate) fn is_modern(&self) -> bool {
        self.method() == "server/discover"
            || self.value.pointer("/params/_meta").is_some_and(|meta| meta.get(META_VERSION).is_some())
    }

    /// The revision that a handshake asks for, when the message is one.
    pub(crate) fn opening(&self) -> Option<String> {
        let params = self.value.get("params").filter(|_| self.method() == "initialize")?;
        let params = InitializeRequestParams::deserialize(params).ok()?;
        (self.kind == MessageKind::Request).then(|| params.protocol_version.to_string())
    }
}

/// True for what may be the id of a request.
pub(crate) fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

/// A JSON-RPC error.
pub(crate) fn failure(id: &Value, error: &ErrorData) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

/// The answer to a `tools/call`, as rmcp would send it.
pub(crate) fn called(
    id: RequestId,
    response: Result<CallToolResponse, ErrorData>,
    is_modern: bool,
) -> ServerJsonRpcMessage {
    match response.map(ServerResult::from) {
        Ok(mut result) => {
            if !is_modern {
                result.strip_result_type_for_legacy_peer();
            }
            ServerJsonRpcMessage::response(result, id)
        }
        Err(error) => ServerJsonRpcMessage::error(error, Some(id)),
    }
}

/// Sends `tools/list` the way that our own listing takes.
pub(crate) fn reroute(message: &mut ClientJsonRpcMessage) {
    let JsonRpcMessage::Request(request) = message else { return };
    if let ClientRequest::ListToolsRequest(list) = &mut request.request {
        let params = list.params.as_ref().and_then(|params| serde_json::to_value(params).ok());
        let mut custom = CustomRequest::new(LISTING, params);
        custom.extensions = std::mem::take(&mut list.extensions);
        request.request = ClientRequest::CustomRequest(custom);
    }
}

/// True from the revision on that knows neither handshake nor session.
pub(crate) fn is_modern(version: Option<&ProtocolVersion>) -> bool {
    version.is_some_and(|version| !version.has_initialize())
}

/// Refuses a level of log lines that does not exist.
pub(crate) fn log_level(meta: &RequestMetaObject) -> Result<(), ErrorData> {
    match meta.get(META_LEVEL) {
        Some(level) if meta.log_level().is_none() => {
            Err(ErrorData::invalid_params(format!("there is no log level {level}"), None))
        }
        _ => Ok(()),
    }
}

/// True for methods of the protocol: rmcp hands them over as unknown when their parameters do not fit.
pub(crate) fn is_known_method(method: &str) -> bool {
    matches!(
        method,
        "initialize"
            | "ping"
            | "server/discover"
            | "prompts/get"
            | "prompts/list"
            | "resources/list"
            | "resources/read"
            | "resources/subscribe"
            | "resources/unsubscribe"
            | "resources/templates/list"
            | "subscriptions/listen"
            | "tools/call"
            | "tools/list"
            | "completion/complete"
            | "logging/setLevel"
    )
}

/// True for methods that 2026-07-28 no longer has.
pub(crate) fn is_removed(method: &str) -> bool {
    matches!(
        method,
        "initialize" | "ping" | "logging/setLevel" | "resources/subscribe" | "resources/unsubscribe"
    )
}

/// A JSON-RPC error code that stands for an HTTP status.
pub(crate) fn code_of(status: http::StatusCode) -> ErrorCode {
    match status.as_u16() {
        401 => ErrorCode(-32001),
        404 => ErrorCode(-32004),
        500..=599 => ErrorCode::INTERNAL_ERROR,
        _ => ErrorCode::INVALID_REQUEST,
    }
}

/// A parameter of a URL's query, decoded.
pub(crate) fn query(uri: &http::Uri, name: &str) -> Option<String> {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(uri.query()?).ok()?;
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}
