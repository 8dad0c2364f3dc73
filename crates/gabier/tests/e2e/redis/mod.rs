//! Servers and workers that share a Redis.

mod faults;
mod machines;
mod opening;
mod server;
mod sharing;
mod worker;

pub(crate) use server::Redis;
pub(crate) use worker::Worker;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{PATIENCE, Server};

/// The token of the tests' servers.
pub(crate) const TOKEN: &str = "J2K9x4Qp77aBz1-J2K9x4Qp77aBz1-99";

/// Asks a server for background work of so many iterations of 2 s; gives the task.
#[track_caller]
pub(crate) fn submit(server: &Server, iterations: u32) -> String {
    let arguments = json!({"parametreEssentiel": "x", "nombreIterations": iterations});
    let answer = server.call("monOutilAsync", &arguments);
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.json()["data"]["id"].as_str().unwrap().to_owned()
}

/// A task as a server shows it.
#[track_caller]
pub(crate) fn look(server: &Server, id: &str) -> Value {
    let answer = server.get(&format!("/api/v1/tasks/{id}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"].clone()
}

/// Waits until a task is as wanted; gives it as it was then.
#[track_caller]
pub(crate) fn until(server: &Server, id: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let task = look(server, id);
        if is_so(&task) {
            return task;
        }
        assert!(Instant::now() < end, "{id} is not {what}: {task}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until a task is in that state.
#[track_caller]
pub(crate) fn until_status(server: &Server, id: &str, status: &str) -> Value {
    until(server, id, status, |task| task["status"] == status)
}
