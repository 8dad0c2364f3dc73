//! Whatever ends a command early leaves no process of it on the host.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{home_with, serve};
use crate::harness::PATIENCE;
use crate::sshd::{Sshd, processes_with};

/// Waits until no process carries the word.
#[track_caller]
fn assert_gone(word: &str) {
    let begun = Instant::now();
    while !processes_with(word).is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{word} is left: {:?}", processes_with(word));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_command_out_of_time_leaves_no_process() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let server = serve(&home);
    for (tool, word, script) in [
        ("task_exec", "7101.11", "sleep 7101.11"),
        ("task_exec", "7101.12", "sleep 7101.12 & sleep 7101.12"),
        ("task_exec", "7101.13", "trap '' TERM; sleep 7101.13; sleep 7101.13"),
        ("task_exec_interactive", "7101.14", "sleep 7101.14"),
    ] {
        let begun = Instant::now();
        let answer = server.call(tool, &json!({"alias": "web1", "cmd": script, "timeout": 1})).json();
        assert_eq!(answer["code"], "COMMAND_TIMEOUT", "{script}: {answer}");
        assert_eq!(answer["details"]["stopped"], "verified", "{script}: {answer}");
        assert!(processes_with(word).is_empty(), "{script}: told to be verified");
        assert!(begun.elapsed() < Duration::from_secs(20), "{script}");
    }
    let again = server.call("task_exec", &json!({"alias": "web1", "cmd": "echo on"})).json();
    assert_eq!(again["data"]["stdout"], "on\n", "the shared connection goes on: {again}");
}

#[test]
fn a_cancelled_command_is_stopped_and_says_so() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let server = serve(&home);
    for (tool, key, value) in [
        ("task_exec", "cmd", json!("echo begun; sleep 7102.11")),
        ("task_exec_interactive", "cmd", json!("echo begun; sleep 7102.12")),
        ("task_exec_sequence", "commands", json!(["echo begun", "sleep 7102.13"])),
    ] {
        let mut arguments = json!({"alias": "web1", "background": true});
        arguments[key] = value;
        let id = server.call(tool, &arguments).json()["data"]["id"].clone();
        server.call("task_wait", &json!({"id": id, "until": "begun", "timeout": 20}));
        server.call("task_cancel", &json!({"id": id}));
        let ended: Value = server.call("task_wait", &json!({"id": id, "timeout": 20})).json();
        assert_eq!(
            (&ended["data"]["status"], &ended["data"]["stopped"]),
            (&json!("cancelled"), &json!("verified")),
            "{tool}: {ended}"
        );
        assert_gone("7102.1");
    }
}

#[test]
fn a_client_that_leaves_takes_its_command_along() {
    let sshd = Sshd::new().start();
    let home = home_with(&[("web1", &sshd)]);
    let client =
        crate::harness::Running::start(&mut home.command(&["task", "exec", "web1", "sleep 7103.11"]));
    let begun = Instant::now();
    // The client's own command line holds the word too.
    while processes_with("7103.11").len() < 2 {
        assert!(begun.elapsed() < PATIENCE, "the command does not begin");
        std::thread::sleep(Duration::from_millis(20));
    }
    client.signal(Signal::INT);
    let done = client.finish(b"");
    assert_eq!(done.code, 130, "{done:?}");
    assert_gone("7103.11");
}
