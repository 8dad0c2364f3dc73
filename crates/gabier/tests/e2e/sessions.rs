//! Sessions of the older MCP revisions, as the tools and the limits see them.

use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Listening, PATIENCE, Request, Server, get, mint, post};

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

#[test]
fn a_tool_is_told_the_session_of_an_event_stream_too() {
    let home = Home::new();
    let server = home.serve(&[]);
    let mut stream = get("/sse").with("Accept", "text/event-stream").listen(server.address);
    let endpoint = stream.data();
    let session = endpoint.strip_prefix("/messages/?session_id=").unwrap();
    let debug = call("correctDebugContextTool", &json!({}));
    // The session of the stream counts, whatever else the client writes.
    let answer = server.send(post(&endpoint, &debug).with("Mcp-Session-Id", "another"));
    assert_eq!(answer.status, 202, "{answer:?}");
    let answer: Value = serde_json::from_str(&stream.data()).unwrap();
    assert_eq!(answer["result"]["structuredContent"]["data"]["session_id"], session, "{answer}");
}

/// Every way to a stream that lasts until somebody ends it.
fn ways(server: &Server) -> [Request; 3] {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"notifications": {"toolsListChanged": true}, "_meta": meta});
    let listen = json!({"jsonrpc": "2.0", "id": 3, "method": "subscriptions/listen", "params": params});
    [
        get("/sse").with("Accept", "text/event-stream"),
        get("/mcp").with("Accept", "text/event-stream").with("Mcp-Session-Id", &open(server)),
        post("/mcp", &listen)
            .with("Accept", EVENTS)
            .with("Mcp-Protocol-Version", "2026-07-28")
            .with("Mcp-Method", "subscriptions/listen"),
    ]
}

#[test]
fn eight_streams_of_a_token_last_and_a_ninth_is_refused_whatever_its_kind() {
    let home = Home::new();
    let [reader, other] = ["reader", "other"].map(|name| mint(&home, name, &["read"])["token"].clone());
    let token = reader.as_str().unwrap();
    let server = home.serve(&[]).with_token(token);
    let session = open(&server);
    let ask = |way: &Request, token: &str| way.clone().bearer(token).listen(server.address);
    let mut streams: Vec<Listening> = Vec::new();
    while streams.len() < 8 {
        for way in ways(&server).into_iter().take(8 - streams.len()) {
            streams.push(ask(&way, token));
            assert_eq!(streams.last().map(|stream| stream.status), Some(200), "{way:?}");
        }
    }
    for way in ways(&server) {
        let answer = server.send(way.clone());
        assert_eq!((answer.status, answer.code()), (429, "RATE_LIMITED".to_owned()), "{way:?}: {answer:?}");
    }
    // The streams of answers end by themselves and take no place, and the limit is one token's.
    let sum = call("calculator", &json!({"expression": "6 * 7"}));
    let answer = server.send(post("/mcp", &sum).with("Accept", EVENTS).with("Mcp-Session-Id", &session));
    assert_eq!(data(&answer)["result"], "42", "{answer:?}");
    assert_eq!(ask(&ways(&server)[0], other.as_str().unwrap()).status, 200);

    streams.pop();
    let until = Instant::now() + PATIENCE;
    // The place is free once the server has seen that the stream was left.
    while ask(&ways(&server)[2], token).status != 200 {
        assert!(Instant::now() < until, "a place that was left stayed taken");
    }
}
