//! Every kind of failure that this version can come to, reached where a caller would reach it.

use std::net::IpAddr;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::disagreement;
use super::face::Seen;
use crate::harness::{Home, Request, Running, Server, Trap, Web, expire, mint, post, silent};

/// A request that fails with this code and the status of the table.
#[track_caller]
fn check(server: &Server, request: Request, code: &str) -> Value {
    let answer = server.send(request);
    let seen = Seen { envelope: answer.json(), is_error: None, http: Some(answer.status), exit: None };
    assert_eq!(seen.envelope["code"], code, "{answer:?}");
    assert_eq!(disagreement(&seen), None, "{answer:?}");
    for key in ["message", "details", "retriable", "timestamp"] {
        assert!(seen.envelope.get(key).is_some(), "no {key} in {answer:?}");
    }
    seen.envelope
}

/// A command that fails with this code and the exit code of the table.
#[track_caller]
fn check_command(home: &Home, words: &[&str], code: &str) -> Value {
    let done = home.run(&[words, &["--json"]].concat());
    let seen = Seen { envelope: done.json(), is_error: None, http: None, exit: Some(done.code) };
    assert_eq!(seen.envelope["code"], code, "{done:?}");
    assert_eq!(disagreement(&seen), None, "{done:?}");
    seen.envelope
}

fn tool(name: &str, arguments: &Value) -> Request {
    post(&format!("/api/v1/tools/{name}"), arguments)
}

#[test]
fn what_http_refuses_before_any_tool_has_its_code_and_status() {
    let home = Home::new();
    let server = home.serve(&[]);
    let path = "/api/v1/tools/calculator";
    let json_body =
        |body: &str| Request::new("POST", path).with("Content-Type", "application/json").bytes(body);
    check(&server, json_body("{\"expression\": "), "BAD_REQUEST");
    check(&server, json_body("[1]"), "INVALID_ARGUMENT");
    check(
        &server,
        Request::new("POST", path).with("Content-Type", "text/plain").bytes("{}"),
        "UNSUPPORTED_MEDIA_TYPE",
    );
    check(&server, Request::new("DELETE", path), "METHOD_NOT_ALLOWED");
    check(&server, json_body(&" ".repeat(1024 * 1024 + 1)), "PAYLOAD_TOO_LARGE");
    check(&server, post("/api/v1/tools/no_such_tool", &json!({})), "NOT_FOUND");
    check(&server, Request::new("GET", "/nowhere"), "NOT_FOUND");
    check(&server, tool("calculator", &json!({"expression": "1/0"})), "INVALID_ARGUMENT");
    check(&server, tool("check_service", &json!({"service": "ssh"})), "NOT_AVAILABLE");
    server.assert_alive();
}

#[test]
fn what_rights_and_rules_refuse_is_forbidden_or_unauthenticated() {
    let home = Home::new();
    let reader = mint(&home, "reader", &["read"]);
    let server = home.serve(&[]);
    let refused = check(&server, tool("calculator", &json!({"expression": "1"})), "UNAUTHENTICATED");
    assert!(refused["next"].as_str().is_some_and(|next| !next.is_empty()), "{refused}");
    let server = server.with_token(reader["token"].as_str().unwrap());
    check(&server, tool("admin_list_tokens", &json!({})), "FORBIDDEN");
    check(&server, tool("port_scan", &json!({"host": "127.0.0.1", "ports": "1"})), "FORBIDDEN");
    check(&server, tool("read_file", &json!({"file_path": "/etc/hostname"})), "FORBIDDEN");
}

#[test]
fn a_world_that_does_not_answer_is_connection_failed_or_timeout() {
    let home = Home::new();
    let url = format!("http://{}/", silent());
    check_command(
        &home,
        &["call", "http_request", "--input", &json!({"url": url, "timeout_s": 1}).to_string()],
        "TIMEOUT",
    );
    let closed = json!({"url": "http://127.0.0.1:1/", "timeout_s": 5}).to_string();
    check_command(&home, &["call", "http_request", "--input", &closed], "CONNECTION_FAILED");
}

#[test]
fn what_must_exist_and_does_not_is_not_found_with_the_nearest_name() {
    let home = Home::new();
    let failure = check_command(&home, &["call", "calculater"], "NOT_FOUND");
    assert!(failure.to_string().contains("calculator"), "{failure}");
    let missing = json!({"file_path": home.text_path("absent.txt")}).to_string();
    check_command(&home, &["call", "read_file", "--input", &missing], "NOT_FOUND");
    let unknown =
        json!({"token_hash_prefix": "0123456789abcdef", "set_email": "a@gabier.example"}).to_string();
    check_command(&home, &["call", "admin_update_token", "--input", &unknown], "NOT_FOUND");
}

#[test]
fn destroying_without_a_yes_is_confirmation_required() {
    let home = Home::new();
    let spare = mint(&home, "spare", &["read"]);
    let input = json!({"token_hash_prefix": spare["token_hash_prefix"]}).to_string();
    check_command(
        &home,
        &["call", "admin_revoke_token", "--input", &input, "--no-input"],
        "CONFIRMATION_REQUIRED",
    );
    let tokens = home.call("admin_list_tokens", &json!({}));
    assert!(!tokens.to_string().contains("\"revoked\""), "{tokens}");
}

#[test]
fn too_many_calls_are_rate_limited_and_say_when_to_come_again() {
    let home = Home::with_config("[access.rates.tools.calculator]\ncalls = 1\nburst = 2\n");
    let server = home.serve(&[]);
    let request = || tool("calculator", &json!({"expression": "1 + 1"}));
    server.send(request());
    server.send(request());
    let failure = check(&server, request(), "RATE_LIMITED");
    assert!(failure["details"]["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{failure}");
    assert!(server.send(request()).header("retry-after").is_some());
}

#[test]
fn an_address_that_guesses_tokens_is_turned_away_and_a_valid_token_is_not() {
    let home = Home::new();
    let good = mint(&home, "good", &["read"]);
    let server = home.serve(&[]);
    let guesser: IpAddr = [127, 0, 9, 9].into();
    let guess = || tool("calculator", &json!({"expression": "1"})).from(guesser);
    for _ in 0..10 {
        check(&server, guess().bearer("guess"), "UNAUTHENTICATED");
    }
    check(&server, guess().bearer("guess"), "RATE_LIMITED");
    let answer = server.send(guess().bearer(good["token"].as_str().unwrap()));
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn a_dead_server_is_connection_failed_for_the_remote_command_line() {
    let home = Home::new();
    for words in [&["call", "system_health"][..], &["system", "health"]] {
        let done = home.run(&[words, &["--url", "http://127.0.0.1:1"]].concat());
        assert_eq!((done.code, done.stdout.as_str()), (5, ""), "{done:?}");
        assert!(!done.stderr.is_empty());
    }
}

#[test]
fn ctrl_c_ends_a_call_with_130() {
    let home = Home::new();
    let trap = silent();
    let url = json!({"url": format!("http://{trap}/"), "timeout_s": 10}).to_string();
    let running =
        Running::start(&mut home.command(&["call", "http_request", "--input", &url, "--json", "-v"]));
    // Nothing tells from outside that the call has begun; until it has, the signal ends the process all the same.
    std::thread::sleep(Duration::from_secs(1));
    running.signal(Signal::INT);
    let done = running.finish(b"");
    assert_eq!(done.code, 130, "{done:?}");
}

#[test]
fn an_expired_and_a_revoked_token_are_unauthenticated() {
    let home = Home::new();
    let expired = mint(&home, "expired", &["read"]);
    let revoked = mint(&home, "revoked", &["read"]);
    expire(&home, "expired");
    home.call("admin_revoke_token", &json!({"token_hash_prefix": revoked["token_hash_prefix"]}));
    let server = home.serve(&[]);
    for token in [expired, revoked] {
        let request =
            tool("calculator", &json!({"expression": "1"})).bearer(token["token"].as_str().unwrap());
        let answer = server.send(request.clone());
        assert!(answer.header("www-authenticate").is_some(), "{answer:?}");
        check(&server, request, "UNAUTHENTICATED");
    }
}

#[test]
fn an_http_caller_without_an_opening_reaches_no_loopback_address() {
    let home = Home::new();
    let server = home.serve(&[]);
    let (web, trap) = (Web::start("text/plain", "secret"), Trap::set());
    check(&server, tool("http_request", &json!({"url": web.url()})), "FORBIDDEN");
    let url = format!("http://localhost:{}/", trap.port);
    check(&server, tool("http_request", &json!({"url": url})), "FORBIDDEN");
    assert_eq!(trap.caught(), 0);
}
