//! The whole server that thirty lines make: MCP on pipes, REST, the command line and the pages.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::program::{PATIENCE, Program, lines, request};

const HELLO: &str = env!("CARGO_BIN_EXE_hello-tool");

#[test]
fn the_command_line_greets() {
    let program = Program::new(HELLO);
    for words in [&["hello", "say", "World", "--json"][..], &["hello-say", "--name", "World", "--json"]] {
        let output = program.run(words);
        let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(envelope, json!({"status": "ok", "data": {"greeting": "Hello, World!"}}), "{output:?}");
    }
    assert_eq!(program.run(&["hello", "say", ""]).status.code(), Some(2));
    let help = String::from_utf8(program.run(&["hello", "say", "--help"]).stdout).unwrap();
    assert!(help.contains("Greet somebody by name") && help.contains("Whom to greet"), "{help}");
}

#[test]
fn rest_mcp_and_the_pages_are_served() {
    let program = Program::new(HELLO);
    let (_server, address) = program.serve();
    let (status, body) = request(&address, "POST /api/v1/tools/hello_say", r#"{"name": "World"}"#);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("Hello, World!"), "{body}");
    assert_eq!(request(&address, "POST /api/v1/tools/hello_say", r#"{"name": 1}"#).0, 422);
    let call = json!({
        "jsonrpc": "2.0", "id": "a", "method": "tools/call",
        "params": {"name": "hello_say", "arguments": {"name": "World"}},
    });
    let (status, body) = request(&address, "POST /mcp", &call.to_string());
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["result"]["structuredContent"]["data"]["greeting"], "Hello, World!", "{body}");
    for path in ["/openapi.json", "/docs", "/redoc", "/health"] {
        assert_eq!(request(&address, &format!("GET {path}"), "").0, 200, "{path}");
    }
    assert!(request(&address, "GET /openapi.json", "").1.contains("hello_say"));
}

#[test]
fn an_mcp_client_on_pipes_is_greeted() {
    let program = Program::new(HELLO);
    let mut server = program.start(&["mcp"]);
    let mut input = server.0.stdin.take().unwrap();
    let output = lines(server.0.stdout.take().unwrap());
    let hear = || -> Value { serde_json::from_str(&output.recv_timeout(PATIENCE).unwrap()).unwrap() };
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    writeln!(input, "{}", json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}))
        .unwrap();
    assert_eq!(hear()["result"]["serverInfo"]["name"], "hello-tool");
    let params = json!({"name": "hello_say", "arguments": {"name": "World"}});
    writeln!(input, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap();
    writeln!(input, "{}", json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}))
        .unwrap();
    assert_eq!(hear()["result"]["structuredContent"]["data"]["greeting"], "Hello, World!");
    drop(input);
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}
