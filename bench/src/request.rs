//! The one call that every server gets, on every wire.

use serde_json::{Value, json};

/// What is said and must come back.
pub(crate) const TEXT: &str = "the sailor who works aloft";

/// How a call says which protocol it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    /// 2026-07-28: every request carries its protocol and capabilities.
    Modern,
    /// Before that, and stateless: a bare request without a session.
    Legacy,
}

impl Era {
    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Modern => "2026-07-28",
            Self::Legacy => "legacy, stateless",
        }
    }
}

/// `tools/call echo` as a JSON-RPC message.
pub(crate) fn call(id: u64, era: Era) -> Value {
    let mut params = json!({"name": "echo", "arguments": {"text": TEXT}});
    if era == Era::Modern {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
    }
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
}

/// The same call as one HTTP/1.1 request.
pub(crate) fn http_call(port: u16, era: Era) -> Vec<u8> {
    let body = call(1, era).to_string();
    let headers = match era {
        Era::Modern => "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: echo\r\n",
        Era::Legacy => "",
    };
    format!(
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The handshake of the older revisions, two lines on stdio.
pub(crate) fn handshake() -> [Value; 2] {
    [
        json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "gabier-bench", "version": "1"},
        }}),
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    ]
}
