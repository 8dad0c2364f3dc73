//! How long a caller waits, and what it gets.

use std::time::Duration;

use gabier_task::Role;
use gabier_task::manage::Selection;
use gabier_tool::{Board as _, Patience, Phase};
use serde_json::json;

use crate::fixture::{Machine, caller, request};

#[tokio::test(start_paused = true)]
async fn work_that_ends_in_time_gives_its_result_and_is_history() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let answer = server.ask("work", json!({"ms": 29_900})).await;
    assert_eq!(answer, json!({"status": "ok", "data": {"ms": 29_900}}));
    let history = server.tasks.history(&caller("user:1"), &Selection::default(), 10, None).await.unwrap();
    let [entry] = &history.entries[..] else { panic!("one entry: {history:?}") };
    assert_eq!((entry.status.as_str(), entry.tool.as_str()), ("completed", "work"));
}

#[tokio::test(start_paused = true)]
async fn work_that_takes_longer_gives_its_task_and_goes_on_once() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let reply = server.call("work", json!({"ms": 30_100})).await;
    assert_eq!(reply.envelope.http_status(), 202);
    let answer = reply.envelope.to_value();
    assert_eq!(answer["data"]["status"], "running");
    let id = answer["data"]["id"].as_str().unwrap();
    assert_eq!(answer["next"], format!("task_wait {{\"id\": \"{id}\"}}"));

    let ended = server.end(id, 10).await;
    assert_eq!((ended.status.as_str(), ended.result), ("completed", Some(json!({"ms": 30_100}))));
    assert_eq!(machine.starts(), [0]);
}

#[tokio::test(start_paused = true)]
async fn endless_patience_waits_to_the_end() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let mut call = request("work", json!({"ms": 600_000}));
    call.patience = Patience::Endless;
    let answer = server.dispatch.call(call).await.envelope.to_value();
    assert_eq!(answer["data"]["ms"], 600_000);
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_before_the_hand_over_cancels_the_work() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let call = request("work", json!({"ms": 20_000}));
    let cancel = call.cancel.clone();
    let (reply, ()) = tokio::join!(server.dispatch.call(call), async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        cancel.cancel();
    });
    let answer = reply.envelope.to_value();
    assert_eq!((&answer["code"], &answer["details"]["stopped"]), (&json!("CANCELLED"), &json!("verified")));
    let id = answer["details"]["task_id"].as_str().unwrap();
    assert_eq!(server.status(id).await, "cancelled");
}

#[tokio::test(start_paused = true)]
async fn a_dropped_call_leaves_its_work_running() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let call = server.call("work", json!({"ms": 20_000}));
    assert!(tokio::time::timeout(Duration::from_secs(5), call).await.is_err());
    let page = server.tasks.list(&caller("user:1"), &Selection::default(), 10, None).await.unwrap();
    let ended = server.end(&page.tasks[0].id, 60).await;
    assert_eq!((ended.status.as_str(), ended.duration_ms), ("completed", Some(20_000)));
}

#[tokio::test(start_paused = true)]
async fn the_same_key_gives_the_first_run() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let arguments = json!({"ms": 100, "idempotency_key": "once"});
    let (first, second) =
        tokio::join!(server.ask("work", arguments.clone()), server.ask("work", arguments.clone()));
    assert_eq!(first, second);
    assert_eq!(server.ask("work", arguments).await, first);
    assert_eq!(machine.starts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn secrets_are_used_and_never_stored() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let answer = server.ask("login", json!({"password": "hunter2hunter2"})).await;
    assert_eq!(answer["data"], json!({"length": 14}));
    let page = server.tasks.list(&caller("user:1"), &Selection::default(), 10, None).await.unwrap();
    let task = server.tasks.find(&caller("user:1"), &page.tasks[0].id).await.unwrap();
    assert!(!serde_json::to_string(&task).unwrap().contains("hunter2"));
    let refused = server.ask("login", json!({"password": "hunter2hunter2", "background": true})).await;
    assert_eq!(refused["code"], "INVALID_ARGUMENT");
}

#[tokio::test(start_paused = true)]
async fn a_background_task_says_when_no_worker_will_run_it() {
    let machine = Machine::new();
    let client = machine.process("cli", Role::Client);
    let answer = client.ask("flaky", json!({})).await;
    assert!(answer["message"].as_str().unwrap().contains("no worker runs"), "{answer}");
    let id = answer["data"]["task_id"].as_str().unwrap();
    assert_eq!(
        (answer["data"]["status"].as_str(), client.status(id).await.as_str()),
        (Some("queued"), "pending")
    );
    let _worker = machine.worker("worker");
    assert_eq!(client.end(id, 60).await.status, "completed");
}

#[tokio::test(start_paused = true)]
async fn another_callers_task_is_as_unknown_as_one_that_never_was() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let id = server.hand_over("flaky", json!({})).await;
    let stranger = caller("user:2");
    let foreign = server.tasks.status(&stranger, &id).await.unwrap_err();
    let never = id.replace(|c: char| c.is_ascii_hexdigit(), "0");
    let unknown = server.tasks.status(&stranger, &never).await.unwrap_err();
    assert_eq!(foreign.message().replace(&id, ""), unknown.message().replace(&never, ""));
    assert_eq!(server.tasks.status(&caller("user:1"), &id[..8]).await.unwrap().id, id);
    assert!(server.tasks.look(&stranger, &id[..8]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_task_is_watched_to_its_end() {
    use futures::StreamExt as _;
    let machine = Machine::new();
    let server = machine.worker("serve");
    let id = server.hand_over("work", json!({"ms": 40_000})).await;
    let states = server.tasks.watch(&caller("user:1"), &id).await.unwrap();
    let phases: Vec<Phase> = states.map(|state| state.phase).collect().await;
    assert_eq!((phases.first(), phases.last()), (Some(&Phase::Working), Some(&Phase::Completed)));
}
