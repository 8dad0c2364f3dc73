//! `gabier mcp` as a client's child: protocol alone on stdout, nothing ends it but the end of its input.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Home, Pipe, silent};

const SECOND: Duration = Duration::from_secs(1);

fn ready(home: &Home) -> Pipe {
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-11-25");
    pipe
}

#[track_caller]
fn assert_works(pipe: &mut Pipe) {
    let result = pipe.call("calculator", &json!({"expression": "6 * 7"}));
    assert_eq!(result["structuredContent"]["data"]["result"], "42", "{result}");
}

#[test]
fn the_end_of_input_ends_it_with_0_and_not_a_word() {
    let home = Home::new();
    let (time, rest, code) = ready(&home).leave();
    assert!(time < SECOND, "{time:?}");
    assert_eq!((rest, code), (Vec::<Value>::new(), Some(0)));
}

#[test]
fn the_end_of_input_ends_it_with_a_call_running() {
    let home = Home::new();
    let address = silent();
    let mut pipe = ready(&home);
    let arguments = json!({"url": format!("http://{address}/"), "timeout_s": 10});
    pipe.begin("tools/call", &json!({"name": "http_request", "arguments": arguments}));
    // An answer to what came later shows that the call has been taken in.
    assert_works(&mut pipe);
    let (time, _, code) = pipe.leave();
    assert!(time < SECOND, "{time:?}");
    assert_eq!(code, Some(0));
}

#[test]
fn an_odd_first_line_does_not_end_it() {
    let home = Home::new();
    let odd = [
        r#"{"jsonrpc": "2.0", "method": "notifications/initialized"}"#,
        "hello, is this thing on?",
        "",
        r#"{"jsonrpc": "2.0", "id": 1, "method""#,
        "\u{feff}",
        "null",
        "[]",
        r#"{"id": 3}"#,
    ];
    for line in odd {
        let mut pipe = home.mcp(&[]);
        pipe.say_raw(line.as_bytes());
        pipe.initialize("2025-11-25");
        assert_works(&mut pipe);
    }
    let mut pipe = home.mcp(&[]);
    pipe.say_raw(&[0xff, 0xfe, 0x00, 0x9f]);
    pipe.initialize("2025-11-25");
    assert_works(&mut pipe);
}

#[test]
fn a_line_past_the_limit_is_answered_and_survived() {
    let home = Home::new();
    for length in [1024 * 1024 + 1, 17 * 1024 * 1024] {
        let mut pipe = ready(&home);
        let head = r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"calculator","arguments":{"expression":""#;
        let tail = r#""}}}"#;
        let line = format!("{head}{}{tail}", "1".repeat(length - head.len() - tail.len()));
        assert_eq!(line.len(), length);
        pipe.say_raw(line.as_bytes());
        let answer = pipe.hear();
        assert!(answer.get("error").is_some(), "{answer}");
        assert_works(&mut pipe);
    }
}

#[test]
fn a_line_at_the_limit_is_read() {
    let home = Home::new();
    let mut pipe = ready(&home);
    let line = json!({"jsonrpc": "2.0", "id": 9, "method": "ping"}).to_string();
    pipe.say_raw(format!("{line}{}", " ".repeat(1024 * 1024 - line.len())).as_bytes());
    assert!(pipe.answer_of(&json!(9)).get("result").is_some());
}

#[test]
fn a_batch_is_answered_in_its_revision_and_refused_in_others() {
    let home = Home::new();
    let call = |id: u32, expression: &str| {
        let params = json!({"name": "calculator", "arguments": {"expression": expression}});
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params})
    };
    let batch =
        json!([call(21, "1 + 1"), call(22, "2 + 2"), {"jsonrpc": "2.0", "method": "notifications/x"}]);
    let mut pipe = home.mcp(&[]);
    pipe.initialize("2025-03-26");
    pipe.say(&batch);
    let answer = pipe.hear();
    let mut results: Vec<(i64, String)> = answer
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .iter()
        .map(|one| {
            let result = &one["result"]["structuredContent"]["data"]["result"];
            (one["id"].as_i64().unwrap(), result.as_str().unwrap().to_owned())
        })
        .collect();
    results.sort();
    assert_eq!(results, [(21, "2".to_owned()), (22, "4".to_owned())]);

    let mut pipe = ready(&home);
    pipe.say(&batch);
    let answer = pipe.hear();
    assert_eq!(answer["error"]["code"], -32600, "{answer}");
    assert_works(&mut pipe);
}

#[test]
fn every_revision_is_spoken() {
    let home = Home::new();
    for revision in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut pipe = home.mcp(&[]);
        assert_eq!(pipe.initialize(revision)["protocolVersion"], revision);
        assert_works(&mut pipe);
    }
    // The newest has no handshake: every request says who asks.
    let mut pipe = home.mcp(&[]);
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "calculator", "arguments": {"expression": "6 * 7"}, "_meta": meta});
    let answer = pipe.ask("tools/call", &params);
    assert_eq!(answer["result"]["structuredContent"]["data"]["result"], "42", "{answer}");
    let answer = pipe.ask("server/discover", &json!({"_meta": meta}));
    assert!(answer["result"]["supportedVersions"].to_string().contains("2026-07-28"), "{answer}");
}

#[test]
fn an_unknown_tool_is_a_protocol_error_and_a_failing_one_is_a_result() {
    let home = Home::new();
    let mut pipe = ready(&home);
    let answer = pipe.ask("tools/call", &json!({"name": "no_such_tool", "arguments": {}}));
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
    let result = pipe.call("calculator", &json!({"expression": "1/0"}));
    assert_eq!(result["isError"], true, "{result}");
    let answer = pipe.ask("no/such/method", &json!({}));
    assert_eq!(answer["error"]["code"], -32601, "{answer}");
}

#[test]
fn a_cancelled_call_is_not_answered() {
    let home = Home::new();
    let address = silent();
    let mut pipe = ready(&home);
    let arguments = json!({"url": format!("http://{address}/"), "timeout_s": 1});
    let id = pipe.begin("tools/call", &json!({"name": "http_request", "arguments": arguments}));
    let params = json!({"requestId": id, "reason": "never mind"});
    pipe.say(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}));
    assert_works(&mut pipe);
    assert!(pipe.is_silent_for(2 * SECOND), "the cancelled call was answered");
}
