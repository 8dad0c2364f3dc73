//! Where the patience of a caller ends: a result or an id, whatever happens to the two of them.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::doors::Doors;
use super::fleet::busy_home;
use crate::harness::{Answer, PATIENCE, Request, Server, get, post};

/// Calls of each kind.
const CALLS: usize = 50;

/// What the calls of one server were given.
struct Given {
    results: usize,
    ids: usize,
}

/// Makes the calls, each a scan that takes one second, of a server whose callers wait so long.
#[track_caller]
fn check(budget: &str) -> Given {
    let (home, token) = busy_home();
    let home = home.with("MCP_SYNC_TIMEOUT_S", budget);
    let doors = Doors::new();
    let server = home.serve(&[]).with_token(&token);
    let line = Line { to: server.address, token: &token };
    let left = Mutex::new(CALLS);
    let given = Mutex::new(Given { results: 0, ids: 0 });
    scope(|callers| {
        for _ in 0..25 {
            callers.spawn(|| {
                while take(&left) {
                    call(line, &doors, &given);
                }
            });
        }
    });
    let stats = server.call("queue_stats", &json!({})).json()["data"].clone();
    assert_eq!(stats["total"], CALLS, "one task each: {stats}");
    given.into_inner().unwrap()
}

/// The way to a server, for many callers at once.
#[derive(Clone, Copy)]
struct Line<'a> {
    to: SocketAddr,
    token: &'a str,
}

impl Line<'_> {
    fn send(self, request: Request) -> Answer {
        request.bearer(self.token).send(self.to)
    }
}

fn take(left: &Mutex<usize>) -> bool {
    let mut left = left.lock().unwrap();
    let is_one = *left > 0;
    *left -= usize::from(is_one);
    is_one
}

fn call(line: Line<'_>, doors: &Doors, given: &Mutex<Given>) {
    let address = doors.address();
    let scan = json!({"host": address, "ports": doors.slow()});
    let answer = line.send(post("/api/v1/tools/port_scan", &scan));
    let data = answer.json()["data"].clone();
    let (has_result, has_id) = (data.get("open").is_some(), data.get("id").is_some());
    assert!(has_result != has_id, "{answer:?}");
    assert_eq!(answer.status, if has_result { 200 } else { 202 }, "{answer:?}");
    if has_id {
        let task = ended(line, data["id"].as_str().unwrap());
        assert_eq!(
            (&task["status"], &task["result"]["host"]),
            (&json!("completed"), &json!(address)),
            "{task}"
        );
    }
    assert_eq!(doors.knocks(address), 1);
    let mut given = given.lock().unwrap();
    given.results += usize::from(has_result);
    given.ids += usize::from(has_id);
}

/// The task once it has ended.
#[track_caller]
fn ended(line: Line<'_>, id: &str) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = line.send(get(&format!("/api/v1/tasks/{id}")));
        assert_eq!(answer.status, 200, "{answer:?}");
        let task = answer.json()["data"].clone();
        if !matches!(task["status"].as_str(), Some("pending" | "scheduled" | "running")) {
            return task;
        }
        assert!(Instant::now() < until, "{task}");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn work_that_ends_in_time_gives_its_result() {
    let given = check("10");
    assert_eq!((given.results, given.ids), (CALLS, 0));
}

#[test]
fn work_that_ends_at_the_last_moment_gives_its_result_or_its_id() {
    for budget in ["1.0", "1.1"] {
        let given = check(budget);
        assert_eq!(given.results + given.ids, CALLS, "{budget}");
    }
}

#[test]
fn work_that_outlasts_patience_gives_its_id() {
    let given = check("0.9");
    assert_eq!((given.results, given.ids), (0, CALLS));
}

#[test]
fn work_ends_and_can_be_read_although_its_caller_is_gone() {
    let (home, token) = busy_home();
    let doors = Doors::new();
    let server = home.serve(&[]).with_token(&token);
    let address = doors.address();
    let call = post("/api/v1/tools/port_scan", &json!({"host": address, "ports": doors.slow()}));
    let stream = call.bearer(&token).write(server.address);
    while doors.knocks(address) == 0 {
        sleep(Duration::from_millis(5));
    }
    drop(stream);
    let id = server.send(get("/api/v1/tasks?limit=1")).json()["data"]["tasks"][0]["id"].clone();
    let task = ended(Line { to: server.address, token: &token }, id.as_str().unwrap());
    assert_eq!((&task["status"], &task["result"]["host"]), (&json!("completed"), &json!(address)), "{task}");
}

#[test]
fn a_task_that_a_client_was_told_of_is_known_after_a_kill() {
    let (home, token) = busy_home();
    let mut told = Vec::new();
    for _ in 0..8 {
        let server = home.serve(&["--no-worker"]).with_token(&token);
        let params = json!({
            "name": "asynchronousTaskSimulatorEnhanced",
            "arguments": {"duration_ms": 300, "value1": 20, "value2": 22},
        });
        let made = ask(&server, "tools/call", params, "asynchronousTaskSimulatorEnhanced");
        // To drop the server is a kill -9.
        drop(server);
        told.push(made["result"]["taskId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned());
    }
    let server = home.serve(&[]).with_token(&token);
    for id in &told {
        let known = ask(&server, "tasks/get", json!({"taskId": id}), id);
        assert_eq!(known["result"]["taskId"], json!(id), "{known}");
        assert_eq!(ended(Line { to: server.address, token: &token }, id)["status"], "completed");
        let known = ask(&server, "tasks/get", json!({"taskId": id}), id);
        assert_eq!(known["result"]["result"]["structuredContent"]["data"]["calcRes"], 42.0, "{known}");
    }
}

/// A request of a client that knows tasks.
#[track_caller]
fn ask(server: &Server, method: &str, mut params: Value, name: &str) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "e2e", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}},
    });
    let request = post("/mcp", &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
        .with("Accept", "application/json, text/event-stream")
        .with("MCP-Protocol-Version", "2026-07-28")
        .with("Mcp-Method", method)
        .with("Mcp-Name", name);
    server.send(request).reply(&json!(1))
}
