//! Sessions of the older revisions over streamable HTTP.

use gabier_mcp::{McpOptions, SessionLimits};
use http::Method;
use serde_json::{Value, json};

use crate::fixture::{Bench, call, caller, events, initialize, text};

const EVENTS: &str = "accept: application/json, text/event-stream";
const JSON: &str = "content-type: application/json";

async fn open(bench: &Bench, who: &str, revision: &str) -> String {
    let body = initialize(revision).to_string();
    let response = bench.send_as(caller(who), Method::POST, "/mcp", &[JSON, EVENTS], &body).await;
    let session = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
    let answer = events(&text(response).await).remove(0);
    assert_eq!(answer["result"]["serverInfo"]["name"], "gabier", "{answer}");
    session
}

async fn say(bench: &Bench, who: &str, session: &str, method: Method, body: &str) -> (u16, String) {
    let session = format!("mcp-session-id: {session}");
    let response = bench.send_as(caller(who), method, "/mcp", &[JSON, EVENTS, &session], body).await;
    (response.status().as_u16(), text(response).await)
}

#[tokio::test]
async fn every_older_revision_is_spoken_as_asked_for() {
    let bench = Bench::new();
    for (asked, spoken) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        ("2026-07-28", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let (status, answer) = bench.post(&initialize(asked)).await;
        assert_eq!((status, &answer["result"]["protocolVersion"]), (200, &json!(spoken)), "{asked}");
    }
}

#[tokio::test]
async fn a_session_belongs_to_its_principal_and_ends_with_204() {
    let bench = Bench::new();
    let session = open(&bench, "alice", "2025-11-25").await;
    let body = call(1, "echo", json!({"text": "hi"})).to_string();
    let (status, answer) = say(&bench, "alice", &session, Method::POST, &body).await;
    assert_eq!(status, 200);
    assert_eq!(events(&answer)[0]["result"]["structuredContent"]["data"]["said"], "hi");
    for method in [Method::POST, Method::GET, Method::DELETE] {
        assert_eq!(say(&bench, "bob", &session, method, &body).await.0, 404);
    }
    assert_eq!(say(&bench, "alice", &session, Method::DELETE, "").await, (204, String::new()));
    assert_eq!(say(&bench, "alice", &session, Method::DELETE, "").await.0, 404);
    assert_eq!(say(&bench, "alice", &session, Method::POST, &body).await.0, 404);
}

#[tokio::test]
async fn a_client_of_a_session_that_takes_json_alone_gets_json() {
    let bench = Bench::new();
    let session = format!("mcp-session-id: {}", open(&bench, "alice", "2025-06-18").await);
    let (status, answer) = bench.post_text(&[&session], &call("s", "speak", json!({})).to_string()).await;
    assert_eq!((status, &answer["id"]), (200, &json!("s")));
}

#[tokio::test]
async fn log_lines_and_content_reach_a_session_by_its_level() {
    let bench = Bench::new();
    let session = open(&bench, "alice", "2025-06-18").await;
    let level = |level: &str| {
        json!({"jsonrpc": "2.0", "id": 5, "method": "logging/setLevel", "params": {"level": level}})
            .to_string()
    };
    assert_eq!(say(&bench, "alice", &session, Method::POST, &level("error")).await.0, 200);
    let (_, answer) = say(&bench, "alice", &session, Method::POST, &level("loud")).await;
    assert_eq!(events(&answer)[0]["error"]["code"], -32602);
}

#[tokio::test]
async fn a_batch_in_a_session_follows_the_sessions_revision() {
    let bench = Bench::new();
    let batch =
        json!([call(1, "echo", json!({"text": "a"})), call(2, "echo", json!({"text": "b"}))]).to_string();
    let session = open(&bench, "alice", "2025-03-26").await;
    let (status, answer) = say(&bench, "alice", &session, Method::POST, &batch).await;
    let answers: Vec<Value> = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, answers.len()), (200, 2));
    let session = open(&bench, "alice", "2025-06-18").await;
    assert_eq!(say(&bench, "alice", &session, Method::POST, &batch).await.0, 400);
}

#[tokio::test]
async fn the_oldest_idle_session_makes_room_for_a_new_one() {
    let sessions = SessionLimits { per_principal: 3, ..SessionLimits::default() };
    let bench = Bench::with(McpOptions { sessions, ..McpOptions::default() });
    let first = open(&bench, "alice", "2025-11-25").await;
    let foreign = open(&bench, "bob", "2025-11-25").await;
    for _ in 0..10 {
        open(&bench, "alice", "2025-11-25").await;
    }
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(say(&bench, "alice", &first, Method::POST, ping).await.0, 404);
    assert_eq!(say(&bench, "bob", &foreign, Method::POST, ping).await.0, 200);
}
