//! The short way of a call that stands alone: what it answers is what rmcp's way answers, byte for byte.

use http::Method;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use crate::fixture::{Bench, call, modern, text, until};

const MODERN: &str = "mcp-protocol-version: 2026-07-28";
const METHOD: &str = "mcp-method: tools/call";
const BOTH: &str = "accept: application/json, text/event-stream";

/// Status, headers and body of an answer; what is sealed anew each time is left out.
async fn answer(bench: &Bench, headers: &[&str], body: &str) -> (u16, Vec<(String, String)>, String) {
    let mut all = vec!["content-type: application/json", "x-request-id: r-1"];
    all.extend(headers);
    let response = bench.send(Method::POST, "/mcp?profile=full", &all, body).await;
    let status = response.status().as_u16();
    let head = response.headers().iter();
    let head =
        head.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect::<Vec<_>>();
    let mut body = text(response).await;
    if let Ok(mut message) = serde_json::from_str::<Value>(&body)
        && message["result"].get_mut("requestState").map(Value::take).is_some()
    {
        body = message.to_string();
    }
    (status, head, body)
}

/// A key beside the message's own changes nothing but the way: rmcp's is taken then.
fn by_rmcp(body: &str) -> String {
    body.replacen('{', r#"{"beside":0,"#, 1)
}

async fn check(headers: &[&str], body: &str) -> (u16, String) {
    let (short, long) = (Bench::new(), Bench::new());
    let own = answer(&short, headers, body).await;
    assert_eq!(own, answer(&long, headers, &by_rmcp(body)).await, "{headers:?} {body}");
    (own.0, own.2)
}

/// Arguments and tools of every outcome.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("echo", json!({"text": "hi"})),
        ("echo", json!({"text": "a\u{1b}[31m\u{202e}é\"\\\n"})),
        ("echo", json!({"text": "x".repeat(9_000), "times": 5})),
        ("echo", json!({"text": "hi", "times": 9})),
        ("echo", json!({"text": "hi", "times": 2.0, "nope": 1})),
        ("echo", json!({})),
        ("speak", json!({})),
        ("remove", json!({"name": "x"})),
        ("ecko", json!({"text": "hi"})),
    ]
}

#[tokio::test]
async fn a_bare_call_is_answered_alike_on_both_ways() {
    for (tool, arguments) in calls() {
        for accept in ["accept: */*", "accept: application/json", BOTH, "accept: text/plain"] {
            check(&[accept], &call(1, tool, arguments.clone()).to_string()).await;
        }
        for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28", "1999-01-01"] {
            let version = format!("mcp-protocol-version: {version}");
            check(&[BOTH, &version], &call("a", tool, arguments.clone()).to_string()).await;
        }
    }
}

#[tokio::test]
async fn a_modern_call_is_answered_alike_on_both_ways() {
    for (tool, arguments) in calls() {
        let body = modern("tools/call", json!({"name": tool, "arguments": arguments})).to_string();
        let name = format!("mcp-name: {tool}");
        for accept in ["accept: application/json", BOTH] {
            check(&[accept, MODERN, METHOD, &name], &body).await;
        }
        check(&[BOTH, MODERN, METHOD, &name, "mcp-session-id: of-nobody"], &body).await;
        check(&[BOTH, MODERN, METHOD, &name, "x-gabier-profile: nope"], &body).await;
    }
}

#[tokio::test]
async fn headers_that_disagree_with_the_body_are_refused_alike() {
    let body = modern("tools/call", json!({"name": "echo", "arguments": {"text": "hi"}})).to_string();
    let name = "mcp-name: echo";
    for headers in [
        &[MODERN, METHOD][..],
        &[MODERN, name],
        &[METHOD, name],
        &[MODERN, METHOD, "mcp-name: wait"],
        &[MODERN, METHOD, name, name],
        &[MODERN, METHOD, METHOD, name],
        &[MODERN, "mcp-method: tools/list", name],
        &["mcp-protocol-version: 2025-11-25", METHOD, name],
    ] {
        let (status, _) = check(&[&[BOTH], headers].concat(), &body).await;
        assert_eq!(status, 400, "{headers:?}");
    }
    let encoded = [BOTH, MODERN, METHOD, "mcp-name: =?base64?ZWNobw==?="];
    assert_eq!(check(&encoded, &body).await.0, 200);
}

#[tokio::test]
async fn odd_messages_are_answered_alike() {
    let headers = [BOTH, MODERN, METHOD, "mcp-name: echo"];
    let meta = |extra: &str| {
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"hi"}},
            "_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
            "io.modelcontextprotocol/clientCapabilities":{{}}{extra}}}}}}}"#
        )
    };
    for extra in [
        "",
        r#","progressToken":7"#,
        r#","progressToken":null"#,
        r#","io.modelcontextprotocol/logLevel":"debug""#,
        r#","io.modelcontextprotocol/logLevel":"loud""#,
        r#","io.modelcontextprotocol/logLevel":null"#,
        r#","io.modelcontextprotocol/clientInfo":5"#,
        r#","io.modelcontextprotocol/clientCapabilities":5"#,
        r#","io.modelcontextprotocol/clientCapabilities":{"extensions":{"x/y":{}}}"#,
        r#","io.modelcontextprotocol/protocolVersion":"2030-01-01""#,
        r#","traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01""#,
    ] {
        check(&headers, &meta(extra)).await;
        check(&[BOTH], &meta(extra)).await;
    }
    for body in [
        r#"{"jsonrpc":"2.0","id":1.0,"method":"tools/call","params":{"name":"echo"}}"#,
        r#"{"jsonrpc":"2.0","id":18446744073709551615,"method":"tools/call","params":{"name":"echo"}}"#,
        r#"{"jsonrpc":"2.0","id":-3,"method":"tools/call","params":{"name":"echo","arguments":null}}"#,
        r#"{"jsonrpc":"2.0","id":"","method":"tools/call","params":{"name":"echo","arguments":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"wait"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{"name":"echo"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","_meta":5}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","requestState":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","inputResponses":5}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","task":{"ttl":1},
            "arguments":{"text":"a","text":"b","times":1e0}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools\/call","params":{"name":"\u0065cho","arguments":{"text":"c"}}}"#,
        r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"echo"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#,
    ] {
        check(&[BOTH], body).await;
    }
}

/// How many tasks of its own a call has while it runs.
async fn tasks_of(headers: &[&str], body: &str) -> usize {
    let bench = Bench::new();
    let before = Handle::current().metrics().num_alive_tasks();
    let mut all = vec!["content-type: application/json", BOTH];
    all.extend(headers);
    let mut answer = Box::pin(bench.send(Method::POST, "/mcp", &all, body));
    tokio::select! {
        _ = &mut answer => panic!("the call ended"),
        () = until(|| bench.world.started.load(std::sync::atomic::Ordering::SeqCst) == 1) => {}
    }
    let own = Handle::current().metrics().num_alive_tasks() - before;
    drop(answer);
    // Whichever way: a caller that leaves cancels its call.
    until(|| bench.world.ended.load(std::sync::atomic::Ordering::SeqCst) == 1).await;
    own
}

#[tokio::test]
async fn a_call_that_stands_alone_takes_the_short_way_and_ends_with_its_caller() {
    let bare = call(1, "wait", json!({})).to_string();
    assert_eq!(tasks_of(&[], &bare).await, 0);
    assert!(tasks_of(&[], &by_rmcp(&bare)).await > 0);
    let body = modern("tools/call", json!({"name": "wait", "arguments": {}})).to_string();
    assert_eq!(tasks_of(&[MODERN, METHOD, "mcp-name: wait"], &body).await, 0);
}
