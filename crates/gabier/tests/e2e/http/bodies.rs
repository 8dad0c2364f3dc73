//! Bodies that no sensible client sends.

use serde_json::{Value, json};

use crate::harness::{Answer, Home, Request, post};

const REST: &str = "/api/v1/tools/calculator";

fn body(path: &str, bytes: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", path).with("Content-Type", "application/json").bytes(bytes)
}

fn call(expression: &str) -> Value {
    let params = json!({"name": "calculator", "arguments": {"expression": expression}});
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
}

/// Deep inside where it does harm: as the value of an argument.
fn nested(levels: usize) -> String {
    format!("{{\"expression\": {}{}}}", "[".repeat(levels), "]".repeat(levels))
}

#[track_caller]
fn assert_rpc(answer: &Answer, status: u16, code: i64) {
    assert_eq!((answer.status, answer.json()["error"]["code"].as_i64()), (status, Some(code)), "{answer:?}");
}

#[test]
fn broken_json_is_named_as_such() {
    let home = Home::new();
    let server = home.serve(&[]);
    for broken in ["{", "{\"expression\": 1", "nonsense", "\u{feff}{}", "{\"a\": NaN}", "{} {}"] {
        let answer = server.send(body(REST, broken));
        assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST".to_owned()), "{broken}: {answer:?}");
        assert_rpc(&server.send(body("/mcp", broken)), 400, -32700);
    }
    for bytes in [&[0xff, 0xfe, b'{', b'}'][..], b"{\"expression\": \"\xc3\x28\"}"] {
        assert_eq!(server.send(body(REST, bytes)).status, 400);
        assert_rpc(&server.send(body("/mcp", bytes)), 400, -32700);
    }
    server.assert_alive();
}

#[test]
fn json_200_levels_deep_is_refused_and_harmless() {
    let home = Home::new();
    let server = home.serve(&[]);
    for levels in [200, 100_000] {
        let answer = server.send(body(REST, nested(levels)));
        assert_eq!((answer.status, answer.code()), (400, "BAD_REQUEST".to_owned()), "{levels}");
        assert_rpc(&server.send(body("/mcp", nested(levels))), 400, -32700);
    }
    let answer = server.send(body(REST, nested(50)));
    assert_eq!((answer.status, answer.code()), (422, "INVALID_ARGUMENT".to_owned()));
    server.assert_alive();
}

#[test]
fn a_body_of_20_mb_is_too_large_and_costs_no_memory() {
    let home = Home::new();
    let server = home.serve(&[]);
    server.assert_alive();
    let before = server.memory_mib();
    let huge = format!("{{\"expression\": \"{}\"}}", "1".repeat(20_000_000));
    for path in [REST, "/mcp", "/tools/calculator", "/call/calculator"] {
        assert_eq!(server.send(body(path, huge.clone())).status, 413, "{path}");
    }
    let grown = server.memory_mib() - before;
    assert!(grown < 32.0, "80 MB of refused bodies left {grown:.1} MiB");
    server.assert_alive();
}

#[test]
fn the_body_limit_is_exact() {
    let home = Home::new();
    let server = home.serve(&[]);
    let text = |length: usize| {
        let object = json!({"expression": "6 * 7"}).to_string();
        format!("{object}{}", " ".repeat(length - object.len()))
    };
    assert_eq!(server.send(body(REST, text(1024 * 1024))).status, 200);
    let answer = server.send(body(REST, text(1024 * 1024 + 1)));
    assert_eq!((answer.status, answer.code()), (413, "PAYLOAD_TOO_LARGE".to_owned()));
}

#[test]
fn wrong_types_and_unknown_parameters_are_named_with_their_cure() {
    let home = Home::new();
    let server = home.serve(&[]);
    let check = |tool: &str, arguments: Value, parameter: &str, hint: &str| {
        let answer = server.call(tool, &arguments);
        assert_eq!((answer.status, answer.code()), (422, "INVALID_ARGUMENT".to_owned()), "{answer:?}");
        let error = &answer.json()["details"]["errors"][0];
        assert_eq!(error["parameter"], parameter, "{answer:?}");
        assert_eq!(error["pointer"], format!("/{parameter}"), "{answer:?}");
        assert!(error["flag"].as_str().is_some_and(|flag| flag.starts_with("--")), "{answer:?}");
        assert!(answer.text().contains(hint), "{answer:?}");
    };
    check("calculator", json!({"expression": 5}), "expression", "string");
    check("calculator", json!({}), "expression", "required");
    check("calculator", json!({"expresion": "1"}), "expresion", "expression");
    check("ping_host", json!({"host": "127.0.0.1", "count": "many"}), "count", "integer");
    check("ping_host", json!({"host": "127.0.0.1", "count": 21}), "count", "20");
    check("ping_host", json!({"host": "127.0.0.1", "count": 1.5}), "count", "integer");
    check("process_list", json!({"sort": "size"}), "sort", "cpu");
    for arguments in [json!([]), json!("x"), json!(1), Value::Null] {
        let answer = server.call("calculator", &arguments);
        assert_eq!((answer.status, answer.code()), (422, "INVALID_ARGUMENT".to_owned()), "{answer:?}");
    }
}

#[test]
fn both_spellings_at_once_agree_or_are_refused() {
    let home = Home::new();
    let server = home.serve(&[]);
    let camel = server.call("monOutilSync", &json!({"donneeEntree": "abc"}));
    assert_eq!(camel.json()["data"]["valeurTraitee"], "ABC", "{camel:?}");
    let both = server.call("monOutilSync", &json!({"donneeEntree": "abc", "donnee_entree": "xyz"}));
    assert_eq!((both.status, both.code()), (422, "INVALID_ARGUMENT".to_owned()), "{both:?}");
}

#[test]
fn an_unknown_tool_is_404_over_rest_and_a_protocol_error_over_mcp() {
    let home = Home::new();
    let server = home.serve(&[]);
    let answer = server.call("calculater", &json!({}));
    assert_eq!((answer.status, answer.code()), (404, "NOT_FOUND".to_owned()));
    assert!(answer.text().contains("calculator"), "{answer:?}");
    let params = json!({"name": "calculater", "arguments": {}});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    assert_eq!(server.post("/mcp", &message).json()["error"]["code"], -32602);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "no/such"});
    assert_eq!(server.post("/mcp", &message).json()["error"]["code"], -32601);
}

#[test]
fn a_batch_is_answered_message_by_message_and_bounded() {
    let home = Home::new();
    let server = home.serve(&[]);
    let mut two = call("2 + 2");
    two["id"] = json!("two");
    let answer =
        server.send(post("/mcp", &json!([call("1 + 1"), two])).with("Mcp-Protocol-Version", "2025-03-26"));
    let messages = answer.json();
    assert_eq!(messages.as_array().map(Vec::len), Some(2), "{answer:?}");
    for (message, (id, result)) in
        messages.as_array().unwrap().iter().zip([(json!(1), "2"), (json!("two"), "4")])
    {
        assert_eq!(message["id"], id);
        assert_eq!(message["result"]["structuredContent"]["data"]["result"], result);
    }
    let refused = server.send(post("/mcp", &json!([call("1")])).with("Mcp-Protocol-Version", "2025-06-18"));
    assert_rpc(&refused, 400, -32600);
    assert_rpc(&server.post("/mcp", &Value::Array(vec![call("1"); 51])), 400, -32600);
    assert_rpc(&server.post("/mcp", &json!([])), 400, -32600);
    let answer = server.post(REST, &json!([{"expression": "1"}]));
    assert_eq!(answer.status, 422, "REST knows no batches: {answer:?}");
}

#[test]
fn a_header_that_says_another_thing_than_the_body_is_refused() {
    let home = Home::new();
    let server = home.serve(&[]);
    let mut message = call("6 * 7");
    message["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let send = |version: &str, method: &str, name: &str| {
        let request = post("/mcp", &message)
            .with("Accept", "application/json, text/event-stream")
            .with("Mcp-Protocol-Version", version)
            .with("Mcp-Method", method);
        server.send(if name.is_empty() { request } else { request.with("Mcp-Name", name) })
    };
    let right = send("2026-07-28", "tools/call", "calculator");
    assert_eq!(right.status, 200, "{right:?}");
    assert_rpc(&send("2026-07-28", "tools/call", "admin_list_tokens"), 400, -32020);
    assert_rpc(&send("2026-07-28", "tools/call", ""), 400, -32020);
    assert_rpc(&send("2026-07-28", "tools/list", "calculator"), 400, -32020);
    assert_eq!(send("2025-11-25", "tools/call", "calculator").status, 400);
    server.assert_alive();
}
