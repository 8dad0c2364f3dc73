//! Cancelling, stopping, and questions.

use std::collections::HashMap;
use std::time::Duration;

use gabier_task::Role;
use gabier_tool::{Answer, Board as _, Phase};
use serde_json::json;

use crate::fixture::{Machine, caller};

#[tokio::test(start_paused = true)]
async fn a_cancel_from_another_process_ends_running_work_within_a_second() {
    let machine = Machine::new();
    let (server, other) = (machine.worker("serve"), machine.process("cli", Role::Client));
    let id = server.hand_over("work", json!({"ms": 600_000, "background": true})).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(server.status(&id).await, "running");
    let cancelled = other.tasks.cancel_one(&caller("user:1"), &id).await.unwrap();
    assert_eq!((cancelled.status.as_str(), cancelled.stopped.as_deref()), ("cancelled", Some("verified")));
    assert!(cancelled.duration_ms.unwrap() < 61_000, "{cancelled:?}");
    let again = other.tasks.cancel_one(&caller("user:1"), &id).await.unwrap_err();
    assert_eq!(again.kind().code(), "CONFLICT");
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_cancelled_by_filter_and_never_starts() {
    let machine = Machine::new();
    let client = machine.process("cli", Role::Client);
    for _ in 0..20 {
        client.hand_over("flaky", json!({})).await;
    }
    let selection = gabier_task::manage::Selection { tool: Some("flaky".to_owned()), ..Default::default() };
    assert_eq!(client.tasks.cancel_many(&caller("user:1"), &selection).await.unwrap().cancelled, 20);
    let _server = machine.worker("serve");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(machine.starts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_back_what_may_be_repeated_and_marks_the_rest_as_crashed() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let safe = server.hand_over("flaky", json!({"ms": 600_000})).await;
    let once = server.hand_over("work", json!({"ms": 600_000, "background": true})).await;
    let short = server.hand_over("work", json!({"ms": 15_000, "background": true})).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.shutdown.cancel();
    tokio::time::sleep(Duration::from_secs(25)).await;
    let states = [server.status(&safe).await, server.status(&once).await, server.status(&short).await];
    assert_eq!(states, ["pending", "crashed", "completed"]);
    let given_back = server.tasks.status(&caller("user:1"), &safe).await.unwrap();
    assert_eq!(given_back.attempt, 0, "an attempt that was given back does not count");
    assert!(server.tasks.status(&caller("user:1"), &once).await.unwrap().can_retry);
}

#[tokio::test(start_paused = true)]
async fn a_question_waits_in_the_task_and_its_answer_moves_it_on() {
    let machine = Machine::new();
    let server = machine.worker("serve");
    let id = server.hand_over("careful", json!({})).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let state = server.tasks.look(&caller("user:1"), &id).await.unwrap();
    assert_eq!((state.phase, state.questions[0].text.as_str()), (Phase::InputRequired, "Go on?"));
    let answers = HashMap::from([("go".to_owned(), Answer::Accepted(json!({"go": true})))]);
    server.tasks.answer(&caller("user:1"), &id, answers).await.unwrap();
    assert_eq!(server.end(&id, 10).await.status, "completed");
}
