//! Requests that stand alone: the bare POST of plain curl and the newest revision.

use http::Method;
use serde_json::{Value, json};

use crate::fixture::{Bench, call, caller, events, modern, stranger, text};

#[tokio::test]
async fn a_bare_post_gets_one_plain_answer_with_its_id() {
    let bench = Bench::new();
    for accept in ["", "accept: */*", "accept: application/json"] {
        let headers: Vec<&str> = Some(accept).filter(|accept| !accept.is_empty()).into_iter().collect();
        let (status, answer) =
            bench.post_text(&headers, &call("x-1", "echo", json!({"text": "hi"})).to_string()).await;
        assert_eq!((status, &answer["id"]), (200, &json!("x-1")), "{accept}: {answer}");
        let envelope = &answer["result"]["structuredContent"];
        assert_eq!(*envelope, json!({"status": "ok", "data": {"said": "hi", "translated": null}}));
        assert_eq!(answer["result"]["isError"], false);
        let block: Value =
            serde_json::from_str(answer["result"]["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(block, *envelope);
    }
}

#[tokio::test]
async fn a_bare_list_needs_no_handshake_and_the_alias_serves_it_too() {
    let bench = Bench::new();
    let list = r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#;
    for path in ["/mcp", "/stream"] {
        let response = bench.send(Method::POST, path, &["content-type: application/json"], list).await;
        let answer: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(answer["id"], 7);
        assert_eq!(answer["result"]["tools"][0]["name"], "echo");
    }
}

#[tokio::test]
async fn what_is_no_message_is_answered_with_its_json_rpc_error() {
    let bench = Bench::new();
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for (body, code) in [
        ("", -32700),
        ("{nope", -32700),
        (deep.as_str(), -32700),
        ("5", -32600),
        ("[]", -32600),
        (r#"{"id":1,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":5}"#, -32602),
    ] {
        let (status, answer) = bench.post_text(&[], body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(code)), "{body}: {answer}");
    }
}

#[tokio::test]
async fn wrong_parameters_of_a_known_method_are_named_as_that() {
    let bench = Bench::new();
    for (method, params) in
        [("tools/call", json!({"name": 5})), ("initialize", json!({"protocolVersion": "x"}))]
    {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let (_, answer) = bench.post(&body).await;
        assert_eq!(answer["error"]["code"], -32602, "{answer}");
    }
}

#[tokio::test]
async fn bad_arguments_are_a_result_and_an_unknown_tool_is_an_error() {
    let bench = Bench::new();
    let (_, answer) = bench.post(&call(1, "echo", json!({"text": "a", "times": 9}))).await;
    assert_eq!(answer["result"]["isError"], true);
    assert_eq!(answer["result"]["structuredContent"]["code"], "INVALID_ARGUMENT");
    let (_, answer) = bench.post(&call(2, "ecko", json!({}))).await;
    assert_eq!(answer["error"]["code"], -32602);
    assert_eq!(answer["error"]["data"]["nearest"][0], "echo");
}

#[tokio::test]
async fn a_batch_is_answered_in_its_revision_and_refused_in_all_others() {
    let bench = Bench::new();
    let batch = json!([
        call("a", "echo", json!({"text": "1"})),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"id": 3},
        call(4, "echo", json!({"text": "2"})),
    ]);
    let (status, answer) = bench.post(&batch).await;
    let ids: Vec<&Value> = answer.as_array().unwrap().iter().map(|one| &one["id"]).collect();
    assert_eq!((status, ids), (200, vec![&json!("a"), &json!(3), &json!(4)]));
    let (status, answer) = bench.post_text(&["mcp-protocol-version: 2025-06-18"], &batch.to_string()).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32600)));
    let many: Vec<Value> = (0..51).map(|id| call(id, "echo", json!({"text": "x"}))).collect();
    assert_eq!(bench.post(&many.into()).await.1["error"]["code"], -32600);
    let silent = json!([{"jsonrpc": "2.0", "method": "notifications/initialized"}]);
    assert_eq!(bench.post(&silent).await, (202, Value::Null));
}

#[tokio::test]
async fn only_json_of_bearable_length_is_read() {
    let bench = Bench::new();
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let response = bench.send(Method::POST, "/mcp", &[&format!("content-type: {kind}")], "{}").await;
        assert_eq!(response.status(), 415);
    }
    let (status, _) = bench.post_text(&[], &"x".repeat(1024 * 1024 + 1)).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn a_stranger_is_sent_for_a_token_and_an_unidentified_request_is_a_bug() {
    let bench = Bench::new();
    for (method, path) in [(Method::POST, "/mcp"), (Method::GET, "/sse"), (Method::DELETE, "/mcp")] {
        let response =
            bench.send_as(stranger(), method, path, &["content-type: application/json"], "{}").await;
        assert_eq!(
            (response.status().as_u16(), response.headers()["www-authenticate"].as_bytes()),
            (401, &b"Bearer"[..])
        );
    }
    let request = http::Request::post("/mcp").body(axum::body::Body::empty()).unwrap();
    let response = tower::ServiceExt::oneshot(bench.router.clone(), request).await.unwrap();
    assert_eq!(response.status(), 500);
}

#[tokio::test]
async fn the_newest_revision_is_served_with_its_own_fields() {
    let bench = Bench::new();
    let (status, answer) = bench.modern("server/discover", json!({})).await;
    assert_eq!((status, &answer["result"]["ttlMs"]), (200, &json!(3_600_000)), "{answer}");
    assert_eq!(answer["result"]["supportedVersions"].as_array().unwrap().len(), 5);
    let (_, answer) = bench.modern("tools/list", json!({})).await;
    let result = &answer["result"];
    assert_eq!((&result["ttlMs"], &result["cacheScope"]), (&json!(60_000), &json!("private")));
    assert_eq!(result["resultType"], "complete");
    let (_, answer) = bench.modern("tools/call", json!({"name": "echo", "arguments": {"text": "hi"}})).await;
    let result = &answer["result"];
    assert_eq!(result["structuredContent"]["data"]["said"], "hi");
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "gabier");
    for gone in ["no/such", "initialize", "ping", "logging/setLevel", "resources/subscribe"] {
        let (status, answer) = bench.modern(gone, json!({})).await;
        assert_eq!((status, &answer["error"]["code"]), (404, &json!(-32601)), "{gone}: {answer}");
    }
    assert_eq!(bench.modern("logging/setLevel", json!({"level": "info"})).await.1["error"]["code"], -32601);
    let level = json!({"_meta": {"io.modelcontextprotocol/logLevel": "loud"}});
    assert_eq!(bench.modern("tools/list", level).await.1["error"]["code"], -32602);
}

#[tokio::test]
async fn headers_that_disagree_with_the_body_are_refused() {
    let bench = Bench::new();
    let body = modern("tools/call", json!({"name": "echo", "arguments": {"text": "hi"}})).to_string();
    let list = modern("tools/list", json!({})).to_string();
    let version = "mcp-protocol-version: 2026-07-28";
    for (headers, body) in [
        (vec![version, "mcp-method: tools/list", "mcp-name: echo"], &body),
        (vec![version, "mcp-method: tools/call", "mcp-name: wait"], &body),
        (vec![version, "mcp-method: tools/call"], &body),
        (vec!["mcp-protocol-version: 2025-11-25", "mcp-method: tools/call", "mcp-name: echo"], &body),
        (vec![version, "mcp-method: tools/call"], &list),
        (vec![version], &list),
    ] {
        let (status, answer) = bench.post_text(&headers, body).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(-32020)), "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn the_strongest_choice_of_a_profile_wins_and_an_unknown_one_is_named() {
    let bench = Bench::new();
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let mut own = caller("alice");
    own.profile = Some("lean".into());
    for (who, path, header, count) in [
        (caller("alice"), "/mcp", "", 3),
        (caller("alice"), "/mcp?profile=lean", "", 1),
        (caller("alice"), "/mcp?profile=lean", "x-gabier-profile: all", 4),
        (own, "/mcp?profile=all", "x-gabier-profile: all", 1),
    ] {
        let mut headers = vec!["content-type: application/json"];
        headers.extend(Some(header).filter(|header| !header.is_empty()));
        let response = bench.send_as(who, Method::POST, path, &headers, list).await;
        let answer: Value = serde_json::from_str(&text(response).await).unwrap();
        assert_eq!(
            answer["result"]["tools"].as_array().map(Vec::len),
            Some(count),
            "{path} {header}: {answer}"
        );
    }
    let response =
        bench.send(Method::POST, "/mcp?profile=tiny", &["content-type: application/json"], list).await;
    let answer = text(response).await;
    assert!(answer.contains("tiny") && answer.contains("core, lean, readonly, all, demo"), "{answer}");
}

#[tokio::test]
async fn progress_comes_before_the_answer_to_whoever_takes_events() {
    let bench = Bench::new();
    let mut body = call(1, "speak", json!({}));
    body["params"]["_meta"] = json!({"progressToken": "p"});
    let headers = ["content-type: application/json", "accept: application/json, text/event-stream"];
    let response = bench.send(Method::POST, "/mcp", &headers, &body.to_string()).await;
    let messages = events(&text(response).await);
    let methods: Vec<&Value> = messages.iter().map(|message| &message["method"]).collect();
    assert_eq!(methods, [&json!("notifications/progress"), &json!("notifications/progress"), &Value::Null]);
    assert_eq!(messages[0]["params"]["message"], "half");
    let (status, answer) = bench.post(&body).await;
    assert_eq!((status, &answer["result"]["structuredContent"]["data"]["said"]), (200, &json!("spoken")));
}

#[tokio::test]
async fn a_modern_request_gets_log_lines_only_when_it_asks() {
    let bench = Bench::new();
    for (level, expected) in [(None, 0), (Some("warning"), 1), (Some("error"), 0)] {
        let mut params = json!({"name": "speak", "arguments": {}});
        if let Some(level) = level {
            params["_meta"] = json!({"io.modelcontextprotocol/logLevel": level});
        }
        let headers = [
            "content-type: application/json",
            "accept: application/json, text/event-stream",
            "mcp-protocol-version: 2026-07-28",
            "mcp-method: tools/call",
            "mcp-name: speak",
        ];
        let body = modern("tools/call", params).to_string();
        let answer = text(bench.send(Method::POST, "/mcp", &headers, &body).await).await;
        assert_eq!(answer.matches("notifications/message").count(), expected, "{level:?}: {answer}");
        assert_eq!(answer.matches("streamContent").count(), 0);
    }
}
