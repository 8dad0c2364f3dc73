//! Cancelling.

use serde_json::json;

use super::Trial;
use super::support::{
    LONG, SHORT, add, claim, claim_ids, claim_one, end, ended, finish, fresh, get, repeatable, state, task,
    worker,
};
use crate::queue::{CancelAck, End, Filter, Held, NewTask, State};

pub(super) async fn a_cancel_meets_every_state(trial: &dyn Trial) {
    let queue = trial.open().await;
    assert_eq!(queue.cancel(&fresh(), "why").await.expect("cancel"), CancelAck::Unknown);
    let later = queue.now().await.expect("now") + LONG;
    let asking = add(&*queue, task()).await;
    let held = claim_one(&*queue, LONG).await;
    let questions = json!({"color": {}}).as_object().cloned().unwrap_or_default();
    assert!(end(&*queue, &asking, held.fence, End::Ask(questions)).await);
    let pending = add(&*queue, task()).await;
    let delayed = add(&*queue, NewTask { run_at: Some(later), ..task() }).await;
    for id in [&asking, &pending, &delayed] {
        assert_eq!(queue.cancel(id, "enough").await.expect("cancel"), CancelAck::Ended);
        let got = get(&*queue, id).await;
        assert_eq!((got.state, got.cancel.as_deref(), got.due), (State::Cancelled, Some("enough"), None));
        assert!(got.finished.is_some());
        let again = queue.cancel(id, "again").await.expect("cancel");
        assert_eq!(again, CancelAck::Before(State::Cancelled));
        assert_eq!(get(&*queue, id).await, got);
    }
    assert!(claim_ids(&*queue, 10).await.is_empty());

    let running = add(&*queue, task()).await;
    let held = claim_one(&*queue, LONG).await;
    assert_eq!(trial.open().await.cancel(&running, "stop").await.expect("cancel"), CancelAck::Told);
    assert_eq!(queue.cancel(&running, "later reason").await.expect("cancel"), CancelAck::Told);
    let got = get(&*queue, &running).await;
    assert_eq!((got.state, got.cancel.as_deref()), (State::Running, Some("stop")));
    let told = queue.beat(&worker("w1"), vec![(running.clone(), held.fence)], LONG).await.expect("beat");
    assert_eq!(told, [Held::Yes { cancel: Some("stop".to_owned()) }]);
    assert!(end(&*queue, &running, held.fence, finish(State::Cancelled)).await);
    assert_eq!(state(&*queue, &running).await, State::Cancelled);
    let completed = ended(&*queue, task(), State::Completed).await;
    let before = queue.cancel(&completed, "why").await.expect("cancel");
    assert_eq!(before, CancelAck::Before(State::Completed));
    assert_eq!(get(&*queue, &completed).await.cancel, None);
}

pub(super) async fn what_was_cancelled_does_not_wait_again(trial: &dyn Trial) {
    let queue = trial.open().await;
    let questions = json!({"color": {}}).as_object().cloned().unwrap_or_default();
    for how in [End::Release, End::Retry { at: 0, error: json!(1) }, End::Ask(questions)] {
        let id = add(&*queue, repeatable()).await;
        let held = claim_one(&*queue, LONG).await;
        queue.cancel(&id, "stop").await.expect("cancel");
        assert!(end(&*queue, &id, held.fence, how).await);
        assert_eq!(state(&*queue, &id).await, State::Cancelled);
    }
    let (safe, other) = (add(&*queue, repeatable()).await, add(&*queue, task()).await);
    claim(&*queue, 2, SHORT).await;
    queue.cancel(&safe, "stop").await.expect("cancel");
    queue.cancel(&other, "stop").await.expect("cancel");
    trial.pass(SHORT + 100).await;
    assert_eq!(queue.reap().await.expect("reap"), 2);
    assert_eq!(state(&*queue, &safe).await, State::Cancelled);
    assert_eq!(state(&*queue, &other).await, State::Crashed, "how far it came is not known");
    let id = add(&*queue, task()).await;
    let held = claim_one(&*queue, LONG).await;
    queue.cancel(&id, "stop").await.expect("cancel");
    assert!(end(&*queue, &id, held.fence, finish(State::Completed)).await);
    assert_eq!(state(&*queue, &id).await, State::Completed, "it was done before it heard");
}

pub(super) async fn a_filter_cancels_all_that_has_not_ended(trial: &dyn Trial) {
    let queue = trial.open().await;
    let running = add(&*queue, task()).await;
    claim_one(&*queue, LONG).await;
    ended(&*queue, task(), State::Completed).await;
    let batch = (0..300).map(|_| task()).collect();
    queue.enqueue(batch, 0).await.expect("enqueue");
    let other = add(&*queue, NewTask { owner: "bob".to_owned(), ..task() }).await;
    assert_eq!(queue.cancel_all(Filter::owned_by(Some("ann")), "all").await.expect("cancel"), 301);
    assert_eq!(claim_ids(&*queue, 1_000).await, [other]);
    let got = get(&*queue, &running).await;
    assert_eq!((got.state, got.cancel.as_deref()), (State::Running, Some("all")));
    let cancelled = Filter { states: vec![State::Cancelled], ..Filter::default() };
    assert_eq!(queue.list(cancelled, None, 1_000).await.expect("list").items.len(), 300);
    let completed = Filter { states: vec![State::Completed], ..Filter::default() };
    assert_eq!(queue.cancel_all(completed, "all").await.expect("cancel"), 0);
}
