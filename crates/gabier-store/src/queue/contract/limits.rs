//! What keeps tasks from starting.

use super::Trial;
use super::support::{LONG, QUEUE, add, claim, claim_ids, claim_one, finished, task};
use crate::queue::{Limit, NewTask, Queue, Scope, State};

pub(super) async fn a_paused_queue_starts_nothing(trial: &dyn Trial) {
    let queue = trial.open().await;
    add(&*queue, task()).await;
    let held = claim_one(&*queue, LONG).await;
    trial.open().await.pause(QUEUE, true).await.expect("pause");
    let waiting = add(&*queue, task()).await;
    assert!(claim_ids(&*queue, 10).await.is_empty());
    assert_eq!(queue.stats(None).await.expect("stats").paused, [QUEUE]);
    finished(&*queue, &held, State::Completed).await;
    queue.pause("other", true).await.expect("pause");
    queue.pause(QUEUE, true).await.expect("pause");
    queue.pause(QUEUE, false).await.expect("resume");
    assert_eq!(queue.stats(None).await.expect("stats").paused, ["other"]);
    assert_eq!(claim_ids(&*queue, 10).await, [waiting]);
}

pub(super) async fn no_more_run_at_once_than_may(trial: &dyn Trial) {
    let queue = trial.open().await;
    let bound = |running| Some(Limit { running: Some(running), per_second: None });
    let scopes =
        [Scope::Queue(QUEUE.to_owned()), Scope::Tool("demo".to_owned()), Scope::Alias("web1".to_owned())];
    for scope in scopes {
        let other = match &scope {
            Scope::Queue(_) => NewTask { queue: "other".to_owned(), ..task() },
            Scope::Tool(_) => NewTask { tool: "other".to_owned(), priority: 90, ..task() },
            Scope::Alias(_) => NewTask { alias: Some("web2".to_owned()), priority: 90, ..task() },
        };
        trial.open().await.limit(scope.clone(), bound(2)).await.expect("limit");
        for _ in 0..5 {
            add(&*queue, NewTask { alias: Some("web1".to_owned()), ..task() }).await;
        }
        let is_other_queue = other.queue != QUEUE;
        let other = add(&*queue, other).await;
        let mut held = claim(&*queue, 10, LONG).await;
        let outsider = held.iter().position(|task| task.asked.id == other);
        assert_eq!(outsider.is_none(), is_other_queue, "what is not meant is not held up");
        if let Some(outsider) = outsider {
            finished(&*queue, &held.remove(outsider), State::Completed).await;
        }
        assert_eq!(held.len(), 2, "{scope:?}");
        assert!(claim_ids(&*queue, 10).await.is_empty());
        finished(&*queue, &held[0], State::Completed).await;
        let next = claim_one(&*queue, LONG).await;
        queue.limit(scope, None).await.expect("limit");
        let rest = claim(&*queue, 10, LONG).await;
        assert_eq!(rest.len(), 2, "the limit is lifted");
        for task in rest.iter().chain([&held[1], &next]) {
            finished(&*queue, task, State::Completed).await;
        }
    }
}

pub(super) async fn no_more_start_in_a_second_than_may(trial: &dyn Trial) {
    let queue = trial.open().await;
    for scope in [Scope::Queue(QUEUE.to_owned()), Scope::Tool("demo".to_owned())] {
        let limit = Limit { running: None, per_second: Some(50.0) };
        queue.limit(scope.clone(), Some(limit)).await.expect("limit");
        queue.enqueue((0..200).map(|_| task()).collect(), 0).await.expect("enqueue");
        let started = starts_within(trial, &*queue, 2_000).await;
        queue.limit(scope, None).await.expect("limit");
        let rest = claim(&*queue, 1_000, LONG).await.len();
        assert_eq!(started + rest, 200);
        assert!((85..=115).contains(&started), "{started} started within 2 s at 50 a second");
    }
}

pub(super) async fn a_rate_that_is_set_again_gives_no_start_twice(trial: &dyn Trial) {
    let queue = trial.open().await;
    let scope = Scope::Tool("demo".to_owned());
    let set = async |per_second: Option<f64>| {
        let limit = per_second.map(|rate| Limit { running: None, per_second: Some(rate) });
        // As another worker does that starts.
        trial.open().await.limit(scope.clone(), limit).await.expect("limit");
    };
    set(Some(0.4)).await;
    queue.enqueue((0..5).map(|_| task()).collect(), 0).await.expect("enqueue");
    assert_eq!(claim(&*queue, 10, LONG).await.len(), 1);
    for rate in [0.4, 0.2, 0.4] {
        set(Some(rate)).await;
        assert!(claim_ids(&*queue, 10).await.is_empty(), "{rate}");
    }
    trial.pass(2_600).await;
    set(Some(0.4)).await;
    assert_eq!(claim(&*queue, 10, LONG).await.len(), 1, "what time has brought is there");
    set(None).await;
    set(Some(0.4)).await;
    assert_eq!(claim(&*queue, 10, LONG).await.len(), 1, "a rate after none begins anew");
    queue.limit(scope, None).await.expect("limit");
}

/// Claims all that may start until the time is over.
async fn starts_within(trial: &dyn Trial, queue: &dyn Queue, time: i64) -> usize {
    let end = queue.now().await.expect("now") + time;
    let mut started = 0;
    loop {
        started += claim(queue, 1_000, LONG).await.len();
        let now = queue.now().await.expect("now");
        if now >= end {
            return started;
        }
        let due = queue.next_due().await.expect("next due").expect("a start is due");
        trial.pass((due - now).clamp(1, 50)).await;
    }
}
