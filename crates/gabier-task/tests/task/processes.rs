//! Several processes over one store.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use gabier_store::queue::{End, Ended, Queue as _, State, Step, WorkerId};
use gabier_task::Role;
use gabier_tool::{Feedback, Level, Progress};
use serde_json::json;

use crate::fixture::{Machine, request};

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Feedback for Heard {
    fn progress(&self, progress: Progress) {
        self.0.lock().unwrap().push(progress.message.unwrap_or_default());
    }

    fn log(&self, _: Level, message: &str) {
        self.0.lock().unwrap().push(message.to_owned());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_client_runs_in_the_worker_and_is_heard_by_the_client() {
    let machine = Machine::new();
    let (client, _server) = (machine.process("mcp", Role::Substitute), machine.worker("serve"));
    client.sees_worker.store(true, Ordering::SeqCst);
    let heard = Arc::new(Heard::default());
    let mut call = request("work", json!({"ms": 5_000}));
    call.feedback = Arc::clone(&heard) as _;
    let answer = client.dispatch.call(call).await.envelope.to_value();
    assert_eq!(answer["data"]["ms"], 5_000);
    assert_eq!(*heard.0.lock().unwrap(), ["at work", "begun"]);
    let page = machine.memory.list(gabier_store::queue::Filter::default(), None, 10).await.unwrap();
    assert_eq!(page.items[0].asked.queue, "calls");
}

#[tokio::test(start_paused = true)]
async fn a_client_without_workers_runs_its_own_calls() {
    let machine = Machine::new();
    let client = machine.process("cli", Role::Client);
    assert_eq!(client.ask("work", json!({"ms": 5_000})).await["data"]["ms"], 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_run_once_each_over_three_workers() {
    let machine = Machine::new();
    let client = machine.process("cli", Role::Client);
    for _ in 0..500 {
        client.hand_over("flaky", json!({"ms": 10})).await;
    }
    let _workers = ["one", "two", "three"].map(|name| machine.worker(name));
    for _ in 0..500 {
        client.hand_over("flaky", json!({"ms": 10})).await;
    }
    let caller = crate::fixture::caller("user:1");
    for _ in 0..600 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        if client.tasks.stats(&caller).await.unwrap().by_status.get("completed") == Some(&1000) {
            break;
        }
    }
    assert_eq!(client.tasks.stats(&caller).await.unwrap().by_status.get("completed"), Some(&1000));
    assert_eq!(machine.starts().len(), 1000);
}

#[tokio::test(start_paused = true)]
async fn long_work_is_held_by_beats() {
    let machine = Machine::new();
    let (server, _other) = (machine.worker("one"), machine.worker("two"));
    let id = server.hand_over("flaky", json!({"ms": 300_000})).await;
    let ended = server.end(&id, 400).await;
    assert_eq!((ended.status.as_str(), ended.attempt), ("completed", 1));
    assert_eq!(machine.starts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_silent_worker_held_is_repeated_elsewhere_only_where_that_is_safe() {
    let machine = Machine::new();
    let client = machine.process("cli", Role::Client);
    let safe = client.hand_over("flaky", json!({})).await;
    let once = client.hand_over("work", json!({"ms": 1, "background": true})).await;
    let silent = Step {
        worker: WorkerId("silent".to_owned()),
        done: Vec::new(),
        queue: "async-tasks".to_owned(),
        want: 2,
        lease: 30_000,
    };
    let held = machine.memory.step(silent.clone()).await.unwrap().claimed;
    assert_eq!(held.len(), 2);
    let server = machine.worker("serve");
    let (safe, once) = (server.end(&safe, 40).await, server.end(&once, 40).await);
    assert_eq!((safe.status.as_str(), safe.attempt), ("completed", 2));
    assert_eq!((once.status.as_str(), once.can_retry), ("crashed", true));
    let starts = machine.starts();
    assert!(starts.len() == 1 && (30_000..32_000).contains(&starts[0]), "{starts:?}");

    let how = End::Finish { state: State::Completed, result: None, error: None, dead_letter: false };
    let late =
        held.iter().map(|task| Ended { id: task.asked.id.clone(), fence: task.fence, how: how.clone() });
    let stepped = machine.memory.step(Step { done: late.collect(), want: 0, ..silent }).await.unwrap();
    assert_eq!(stepped.taken, [false, false], "a late result is refused");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_when_to_try_again() {
    let machine = Machine::new();
    let client = machine.process("cli", Role::Client);
    for _ in 0..1000 {
        client.hand_over("flaky", json!({})).await;
    }
    let refused = client.ask("flaky", json!({})).await;
    assert_eq!(
        (&refused["code"], &refused["details"]["retry_after_ms"]),
        (&json!("QUEUE_FULL"), &json!(5000))
    );
}
