//! Sessions of the older MCP revisions, as the tools and the limits see them.

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Request, Server, post};

const EVENTS: &str = "application/json, text/event-stream";

/// Opens a session of streamable HTTP; gives back its id.
#[track_caller]
fn open(server: &Server) -> String {
    let client = json!({"name": "e2e", "version": "1"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let answer = server.send(post("/mcp", &body).with("Accept", EVENTS));
    answer.header("mcp-session-id").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

#[track_caller]
fn data(answer: &Answer) -> Value {
    answer.reply(&json!(2))["result"]["structuredContent"]["data"].clone()
}

#[test]
fn a_tool_is_told_the_session_it_is_called_in_and_none_where_there_is_none() {
    let home = Home::new();
    let server = home.serve(&[]);
    let session = open(&server);
    let (debug, example) = (
        call("correctDebugContextTool", &json!({})),
        call("synchronousExampleToolEnhanced", &json!({"data": "abc"})),
    );
    let inside = |request: Request| server.send(request.with("Mcp-Session-Id", &session));
    for accept in [EVENTS, "application/json"] {
        assert_eq!(data(&inside(post("/mcp", &debug).with("Accept", accept)))["session_id"], session);
        let answer = inside(post("/mcp", &example).with("Accept", accept));
        assert_eq!(data(&answer)["frameworkSessionId"], session);
    }
    assert!(data(&server.post("/mcp", &debug)).get("session_id").is_none(), "a bare call");
    let rest = server.call("synchronousExampleToolEnhanced", &json!({"data": "abc"})).json();
    assert!(rest["data"].get("frameworkSessionId").is_none(), "{rest}");
}
