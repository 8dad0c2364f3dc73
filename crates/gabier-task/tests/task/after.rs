//! What follows a task, and what the clock starts.

use std::time::Duration;

use gabier_task::manage::Selection;
use gabier_task::{NewSchedule, Role, When};
use serde_json::{Map, json};

use crate::fixture::{BEGIN, Machine, caller};

#[tokio::test(start_paused = true)]
async fn a_follower_starts_once_after_its_outcome() {
    let machine = Machine::new();
    let (server, _other) = (machine.worker("one"), machine.worker("two"));
    let then = json!([
        {"on": "completed", "tool": "work", "arguments": {"ms": 7}},
        {"on": "failed", "tool": "work", "arguments": {"ms": 8}},
    ]);
    let id = server.hand_over("flaky", json!({"then": then})).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let page = server.tasks.list(&caller("user:1"), &Selection::default(), 10, None).await.unwrap();
    let followers: Vec<_> = page.tasks.iter().filter(|task| task.parent.as_deref() == Some(&*id)).collect();
    assert_eq!(followers.len(), 1);
    assert_eq!(followers[0].result, Some(json!({"ms": 7})));
}

fn every(seconds: u64) -> NewSchedule {
    NewSchedule {
        name: "tick".to_owned(),
        tool: "flaky".to_owned(),
        arguments: Map::new(),
        when: When::Every { every_s: seconds },
    }
}

#[tokio::test(start_paused = true)]
async fn each_time_of_a_schedule_starts_once_over_two_workers() {
    let machine = Machine::new();
    let (server, _other) = (machine.worker("one"), machine.worker("two"));
    let next = server.tasks.schedule(&caller("user:1"), every(60)).await.unwrap();
    assert_eq!(next.timestamp_millis(), BEGIN + 60_000);
    tokio::time::sleep(Duration::from_secs(185)).await;
    let starts: Vec<i64> = machine.starts().iter().map(|start| start / 1000).collect();
    assert_eq!(starts, [60, 120, 180]);
    let shown = server.tasks.schedules(&caller("user:1")).await.unwrap();
    assert_eq!(shown[0].last_status.as_deref(), Some("completed"));
    assert!(server.tasks.unschedule(&caller("user:1"), "tick").await.unwrap());
    assert!(!server.tasks.unschedule(&caller("user:1"), "tick").await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn starts_that_were_missed_collapse_into_one() {
    let machine = Machine::new();
    let client = machine.process("cli", Role::Client);
    client.tasks.schedule(&caller("user:1"), every(1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(600_500)).await;
    let _server = machine.worker("serve");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(machine.starts().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn work_for_later_starts_at_its_time() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let id = server.hand_over("work", json!({"ms": 1, "run_at": "2026-01-02T03:04:50Z"})).await;
    assert_eq!(server.status(&id).await, "scheduled");
    server.end(&id, 100).await;
    let starts = machine.starts();
    assert!((45_000..45_050).contains(&starts[0]), "{starts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_that_passed_before_the_start_expires_the_task() {
    let machine = Machine::new();
    let client = machine.process("cli", Role::Client);
    let id = client.hand_over("flaky", json!({"deadline": "2026-01-02T03:05:00Z"})).await;
    tokio::time::sleep(Duration::from_secs(90)).await;
    let server = machine.worker("serve");
    assert_eq!(server.end(&id, 10).await.status, "expired");
    assert!(machine.starts().is_empty());
}
