//! Several processes on one data directory, at the same time.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::harness::{Home, Pipe, Running, Server, mint, post};

fn revoke(home: &Home, token: &Value) {
    let prefix = token["token_hash_prefix"].as_str().unwrap();
    home.run(&["token", "revoke", prefix, "--yes"]).success();
}

fn secret(token: &Value) -> &str {
    token["token"].as_str().unwrap()
}

#[track_caller]
fn status(server: &Server, token: &Value) -> u16 {
    server.send(post("/call/calculator", &json!({"expression": "1"})).bearer(secret(token))).status
}

#[test]
fn two_clients_a_server_and_the_command_line_work_at_once() {
    let home = Home::new();
    let admin = mint(&home, "admin", &["read", "net", "write", "admin"]);
    let (mut first, mut second) = (home.mcp(&[]), home.mcp(&["--profile", "all"]));
    let server = home.serve(&[]).with_token(secret(&admin));
    first.initialize("2025-11-25");
    second.initialize("2024-11-05");
    for round in 0..5 {
        let made = [
            second.call("admin_create_token", &json!({"client_name": format!("second {round}")}))["structuredContent"].clone(),
            server.call("admin_create_token", &json!({"client_name": format!("server {round}")})).json(),
            home.call("admin_create_token", &json!({"client_name": format!("command {round}")})),
        ];
        for answer in &made {
            assert_eq!(answer["status"], "created", "{answer}");
        }
        let seen = [
            first.call("admin_list_tokens", &json!({}))["structuredContent"]["data"]["count"].clone(),
            server.call("admin_list_tokens", &json!({})).json()["data"]["count"].clone(),
            home.call("admin_list_tokens", &json!({}))["data"]["count"].clone(),
        ];
        assert_eq!(
            seen,
            [json!(1 + 3 * (round + 1)), json!(1 + 3 * (round + 1)), json!(1 + 3 * (round + 1))]
        );
    }
}

#[test]
fn many_processes_may_write_at_the_same_moment() {
    let home = Home::new();
    let started: Vec<Running> = (0..8)
        .map(|number| {
            Running::start(&mut home.command(&["token", "create", &format!("t{number}"), "--json"]))
        })
        .collect();
    for running in started {
        running.finish(b"").success();
    }
    assert_eq!(home.call("admin_list_tokens", &json!({}))["data"]["count"], 8);
}

#[test]
fn a_token_made_on_the_command_line_opens_a_running_server_at_once() {
    let home = Home::new();
    mint(&home, "first", &["read"]);
    let server = home.serve(&[]);
    for number in 0..5 {
        let made = home.json(&["token", "create", &format!("t{number}"), "--permissions", "read"]);
        assert_eq!(status(&server, &made["data"]), 200, "{number}");
    }
}

#[test]
fn the_first_token_closes_a_server_that_was_open() {
    let home = Home::new();
    let server = home.serve(&[]);
    server.assert_alive();
    let made = home.json(&["admin", "init"]);
    let answer = server.call("calculator", &json!({"expression": "1"}));
    assert_eq!((answer.status, answer.code()), (401, "UNAUTHENTICATED".to_owned()));
    assert_eq!(status(&server, &made["data"]), 200);
}

#[test]
fn a_revoked_token_is_refused_at_the_next_request_everywhere() {
    let home = Home::new();
    mint(&home, "other", &["read"]);
    for _ in 0..3 {
        let token = mint(&home, "short-lived", &["read"]);
        let server = home.serve(&[]);
        assert_eq!(status(&server, &token), 200);
        let mut pipe = Pipe::start(home.command(&["mcp"]).env("GABIER_TOKEN", secret(&token)));
        pipe.initialize("2025-11-25");
        let result = pipe.call("calculator", &json!({"expression": "1"}));
        assert_eq!(result["isError"], false, "{result}");

        revoke(&home, &token);
        assert_eq!(status(&server, &token), 401);
        let result = pipe.call("calculator", &json!({"expression": "1"}));
        assert_eq!(result["structuredContent"]["code"], "UNAUTHENTICATED", "{result}");
        let done =
            Running::start(home.command(&["calculator", "1", "--json"]).env("GABIER_TOKEN", secret(&token)))
                .finish(b"");
        assert_eq!((done.code, done.json()["code"].as_str()), (7, Some("UNAUTHENTICATED")), "{done:?}");
    }
}

#[test]
fn a_session_of_a_revoked_token_ends_with_it() {
    let home = Home::new();
    mint(&home, "other", &["read"]);
    let token = mint(&home, "short-lived", &["read"]);
    let server = home.serve(&[]);
    let client = json!({"name": "e2e", "version": "1"});
    let params = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client});
    let accept = "application/json, text/event-stream";
    let open = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params});
    let answer = server.send(post("/mcp", &open).with("Accept", accept).bearer(secret(&token)));
    let session = answer.header("mcp-session-id").unwrap().to_owned();
    let list = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"});
    let ask = || post("/mcp", &list).with("Accept", accept).with("Mcp-Session-Id", &session);
    assert_eq!(server.send(ask().bearer(secret(&token))).status, 200);
    let other = mint(&home, "stranger", &["read"]);
    assert_eq!(server.send(ask().bearer(secret(&other))).status, 404, "a session is its owner's");
    assert_eq!(server.send(ask()).status, 401);
    revoke(&home, &token);
    assert_eq!(server.send(ask().bearer(secret(&token))).status, 401);
}

#[test]
fn a_server_starts_on_a_store_that_cannot_be_read_and_says_so() {
    let home = Home::new();
    let token = mint(&home, "any", &["read"]);
    std::fs::write(
        home.data_dir().join("gabier.db"),
        "this is no database, but it is long enough to look at",
    )
    .unwrap();
    let server = home.serve(&[]);
    assert_eq!(server.get("/health").status, 200, "it is alive");
    let ready = server.get("/ready");
    assert_eq!((ready.status, &ready.json()["ready"]), (503, &json!(false)), "{ready:?}");
    // Whether tokens exist cannot be known: nobody is let in as if there were none.
    for answer in [status(&server, &token), server.call("calculator", &json!({"expression": "1"})).status] {
        assert!(matches!(answer, 401 | 503), "{answer}");
    }
    let health = home.run(&["system", "health", "--json"]);
    let envelope = health.json();
    assert_eq!((health.code, envelope["code"].as_str()), (5, Some("UNAVAILABLE")), "{health:?}");
    assert_eq!(envelope["services"]["store"]["status"], "error", "{envelope}");
    let doctor = home.run(&["doctor", "--json"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.stdout.contains("store"), "{doctor:?}");
}

#[test]
fn a_store_in_order_is_ready() {
    let home = Home::new();
    let server = home.serve(&[]);
    let ready = server.get("/ready");
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &json!(true)), "{ready:?}");
    let health = server.call("system_health", &json!({})).json();
    assert_eq!(
        (&health["status"], &health["services"]["store"]["status"]),
        (&json!("ok"), &json!("ok")),
        "{health}"
    );
    assert_eq!(health["services"], health["data"]["services"], "the keys stand beside the data too");
}

#[test]
fn the_data_directory_is_the_users_alone() {
    let home = Home::new();
    mint(&home, "any", &["read"]);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.data_dir()), 0o700);
    for entry in std::fs::read_dir(home.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{} is open to others", path.display());
    }
}
