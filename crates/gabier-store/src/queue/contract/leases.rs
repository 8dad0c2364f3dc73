//! Leases, deadlines and what is due.

use serde_json::json;

use super::Trial;
use super::support::{
    LONG, SHORT, add, claim, claim_ids, claim_one, end, finish, get, repeatable, state, task, worker,
};
use crate::queue::{End, Held, NewTask, State};

pub(super) async fn a_beat_keeps_what_is_held(trial: &dyn Trial) {
    let queue = trial.open().await;
    let (beaten, left) = (add(&*queue, task()).await, add(&*queue, task()).await);
    let held = claim(&*queue, 2, SHORT).await;
    trial.pass(SHORT - 500).await;
    let before = queue.now().await.expect("now");
    let kept = queue.beat(&worker("w1"), vec![(beaten.clone(), held[0].fence)], LONG).await.expect("beat");
    assert_eq!(kept, [Held::Yes { cancel: None }]);
    assert!(get(&*queue, &beaten).await.lease_until.expect("a lease") >= before + LONG);
    trial.pass(700).await;
    assert_eq!(queue.reap().await.expect("reap"), 1);
    assert_eq!(state(&*queue, &beaten).await, State::Running);
    assert_eq!(state(&*queue, &left).await, State::Crashed);
    let both = held.iter().map(|task| (task.asked.id.clone(), task.fence)).collect();
    let kept = queue.beat(&worker("w1"), both, LONG).await.expect("beat");
    assert_eq!(kept, [Held::Yes { cancel: None }, Held::Lost]);
}

pub(super) async fn a_lost_task_goes_where_the_table_says(trial: &dyn Trial) {
    let queue = trial.open().await;
    let unsafe_one = add(&*queue, NewTask { max_attempts: 3, ..task() }).await;
    let safe = add(&*queue, NewTask { max_attempts: 2, ..repeatable() }).await;
    let held = claim(&*queue, 2, SHORT).await;
    trial.pass(SHORT + 100).await;
    assert_eq!(queue.reap().await.expect("reap"), 2);
    assert_eq!(queue.reap().await.expect("reap"), 0);
    let crashed = get(&*queue, &unsafe_one).await;
    assert_eq!((crashed.state, crashed.dead_letter), (State::Crashed, false));
    assert!(crashed.error.is_some() && crashed.finished.is_some() && crashed.worker.is_none());
    for task in &held {
        assert!(!end(&*queue, &task.asked.id, task.fence, finish(State::Completed)).await);
    }
    assert_eq!(state(&*queue, &safe).await, State::Pending);
    assert_eq!(claim_one(&*queue, SHORT).await.attempt, 2);
    trial.pass(SHORT + 100).await;
    assert_eq!(queue.reap().await.expect("reap"), 1);
    let failed = get(&*queue, &safe).await;
    assert_eq!((failed.state, failed.dead_letter, failed.attempt), (State::Failed, true, 2));
    assert!(failed.error.is_some());
    assert!(claim_ids(&*queue, 10).await.is_empty());
}

pub(super) async fn a_claim_takes_over_what_was_lost(trial: &dyn Trial) {
    let queue = trial.open().await;
    let id = add(&*queue, repeatable()).await;
    let old = claim_one(&*queue, SHORT).await;
    assert_eq!(claim(&*queue, 10, SHORT).await, []);
    trial.pass(SHORT + 100).await;
    let new = claim_one(&*trial.open().await, LONG).await;
    assert!(new.asked.id == id && new.fence > old.fence && new.attempt == 2);
    assert!(!end(&*queue, &id, old.fence, finish(State::Completed)).await, "the result of a zombie");
    assert!(end(&*queue, &id, new.fence, finish(State::Completed)).await);
}

pub(super) async fn what_waits_beyond_its_deadline_expires(trial: &dyn Trial) {
    let queue = trial.open().await;
    let now = queue.now().await.expect("now");
    let deadline = Some(now + SHORT);
    let asking = add(&*queue, NewTask { deadline, ..repeatable() }).await;
    let held = claim_one(&*queue, LONG).await;
    let questions = json!({"color": {}}).as_object().cloned().unwrap_or_default();
    assert!(end(&*queue, &asking, held.fence, End::Ask(questions)).await);
    let retrying = add(&*queue, NewTask { deadline, ..repeatable() }).await;
    let held = claim_one(&*queue, LONG).await;
    assert!(end(&*queue, &retrying, held.fence, End::Retry { at: now + SHORT + 50, error: json!(1) }).await);
    let pending = add(&*queue, NewTask { deadline, ..task() }).await;
    let delayed = add(&*queue, NewTask { deadline, run_at: Some(now + SHORT + 50), ..task() }).await;
    let unbound = add(&*queue, NewTask { deadline: Some(now + LONG), ..task() }).await;
    trial.pass(SHORT + 200).await;
    assert_eq!(claim_ids(&*queue, 10).await, [unbound]);
    queue.reap().await.expect("reap");
    for id in [asking, retrying, pending, delayed] {
        let got = get(&*queue, &id).await;
        assert_eq!((got.state, got.dead_letter, got.due), (State::Expired, false, None));
        assert!(got.finished.is_some() && got.error.is_some());
    }
}

pub(super) async fn a_deadline_does_not_touch_what_runs(trial: &dyn Trial) {
    let queue = trial.open().await;
    let deadline = Some(queue.now().await.expect("now") + SHORT);
    let id = add(&*queue, NewTask { deadline, ..task() }).await;
    let held = claim_one(&*queue, LONG).await;
    trial.pass(SHORT + 100).await;
    queue.reap().await.expect("reap");
    assert!(end(&*queue, &id, held.fence, finish(State::Completed)).await);
    assert_eq!(state(&*queue, &id).await, State::Completed);
}

pub(super) async fn the_store_says_when_something_is_due(trial: &dyn Trial) {
    let queue = trial.open().await;
    assert_eq!(queue.next_due().await.expect("next due"), None);
    let id = add(&*queue, task()).await;
    assert_eq!(queue.next_due().await.expect("next due"), None, "what can start needs no time");
    let now = queue.now().await.expect("now");
    add(&*queue, NewTask { run_at: Some(now + LONG), ..task() }).await;
    assert_eq!(queue.next_due().await.expect("next due"), Some(now + LONG));
    let held = claim_one(&*queue, SHORT).await;
    assert_eq!(queue.next_due().await.expect("next due"), held.lease_until);
    assert!(end(&*queue, &id, held.fence, finish(State::Completed)).await);
    assert_eq!(queue.next_due().await.expect("next due"), Some(now + LONG));
    add(&*queue, NewTask { deadline: Some(now + SHORT), ..task() }).await;
    assert_eq!(queue.next_due().await.expect("next due"), Some(now + SHORT));
    let called = NewTask { callback: Some("https://a.example".to_owned()), ..task() };
    let id = add(&*queue, called).await;
    queue.cancel(&id, "enough").await.expect("cancel");
    let due = queue.next_due().await.expect("next due").expect("a delivery");
    assert!(due <= queue.now().await.expect("now"));
}
