//! Attempts, dead letters, and starting anew.

use std::sync::atomic::Ordering;

use serde_json::json;

use crate::fixture::{Machine, caller};

#[tokio::test(start_paused = true)]
async fn three_attempts_run_at_0_5_and_15_seconds_and_then_the_task_is_a_dead_letter() {
    let machine = Machine::new();
    machine.world.failures.store(3, Ordering::SeqCst);
    let server = machine.worker("serve");
    let id = server.hand_over("flaky", json!({})).await;
    let ended = server.end(&id, 60).await;
    assert_eq!((ended.status.as_str(), ended.dead_letter, ended.attempt), ("failed", true, 3));
    let starts: Vec<i64> = machine.starts().iter().map(|start| start / 1000).collect();
    assert_eq!(starts, [0, 5, 15]);

    let dead = server.tasks.dead_letter(&caller("user:1"), &id).await.unwrap();
    assert_eq!(
        (dead.original_job_id.as_str(), dead.failure_reason.kind.as_str()),
        (&*id, "CONNECTION_FAILED")
    );

    let retried = server.tasks.retry_dead(&caller("user:1"), Some(&id)).await.unwrap().retried;
    let again = server.end(&retried[0], 60).await;
    assert_eq!(
        (again.status.as_str(), again.retried_from.as_deref(), again.retry_count),
        ("completed", Some(&*id), 1)
    );
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(server.tasks.dead_letters(&caller("user:1"), 10, None).await.unwrap().count, 0);
    assert_eq!(server.status(&id).await, "failed");
}

#[tokio::test(start_paused = true)]
async fn a_task_is_started_anew_three_times_at_most() {
    let machine = Machine::new();
    machine.world.failures.store(u32::MAX, Ordering::SeqCst);
    let server = machine.worker("serve");
    let mut id = server.hand_over("flaky", json!({})).await;
    for _ in 0..3 {
        server.end(&id, 60).await;
        id = server.tasks.retry_one(&caller("user:1"), &id).await.unwrap().id;
    }
    server.end(&id, 60).await;
    let refused = server.tasks.retry_one(&caller("user:1"), &id).await.unwrap_err();
    assert_eq!(refused.kind().code(), "RETRY_LIMIT_EXCEEDED");
}

#[tokio::test(start_paused = true)]
async fn work_whose_owner_is_nobody_any_more_fails_without_a_start() {
    let machine = Machine::new();
    let client = machine.process("cli", gabier_task::Role::Client);
    let id = client.hand_over("flaky", json!({})).await;
    machine.gate.is_revoked.store(true, Ordering::SeqCst);
    let server = machine.worker("serve");
    let ended = server.end(&id, 60).await;
    assert_eq!((ended.status.as_str(), &ended.error.unwrap()["code"]), ("failed", &json!("UNAUTHENTICATED")));
    assert!(machine.starts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn work_that_may_start_once_waits_where_the_store_is_away_before_its_start() {
    for failing in [1, 2] {
        let machine = Machine::new();
        let client = machine.process("cli", gabier_task::Role::Client);
        let id = client.hand_over("work", json!({"ms": 1, "background": true})).await;
        machine.gate.failing.store(failing, Ordering::SeqCst);
        let server = machine.worker("serve");
        let ended = server.end(&id, 60).await;
        assert_eq!((ended.status.as_str(), ended.attempt), ("completed", 1), "look-up {failing} fails");
        assert_eq!(machine.starts().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn work_that_may_start_once_waits_where_its_tool_says_that_it_has_begun_nothing_without_the_store() {
    for (tells, status, starts) in [(true, "completed", 1), (false, "failed", 0)] {
        let machine = Machine::new();
        machine.world.away.store(3, Ordering::SeqCst);
        let server = machine.worker("serve");
        let id = server.hand_over("work", json!({"ms": 1, "tells": tells, "background": true})).await;
        let ended = server.end(&id, 60).await;
        assert_eq!((ended.status.as_str(), machine.starts().len()), (status, starts), "told: {tells}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_and_no_task_hangs() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let answer = server.ask("work", json!({"ms": 1, "panics": true})).await;
    assert_eq!(answer["code"], "INTERNAL");
    let stats = server.tasks.stats(&caller("user:1")).await.unwrap();
    assert_eq!((stats.running, stats.by_status.get("failed")), (0, Some(&1)));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_no_worker_knows_makes_a_dead_letter_at_once() {
    let machine = Machine::new();
    let client = machine.process("cli", gabier_task::Role::Client);
    let id = client.hand_over("flaky", json!({})).await;
    let other = machine.process_with("worker", gabier_task::Role::Worker, &[]);
    other.start();
    let ended = client.end(&id, 5).await;
    assert_eq!((ended.status.as_str(), ended.dead_letter), ("failed", true));
    assert_eq!(ended.error.unwrap()["code"], "NOT_FOUND");
}
