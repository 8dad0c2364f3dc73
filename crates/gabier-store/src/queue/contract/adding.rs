//! Adding tasks.

use futures::future::join_all;
use serde_json::json;

use super::Trial;
use super::support::{LONG, QUEUE, add, claim_ids, claim_one, ended, fresh, get, task, worker};
use crate::ErrorKind;
use crate::queue::{End, Ended, Enqueued, Fence, Limit, NewTask, Offered, Scope, State, Step, Then, ThenOn};

const DAY: i64 = 86_400_000;

pub(super) async fn what_was_added_is_got(trial: &dyn Trial) {
    let queue = trial.open().await;
    assert_eq!(queue.get(&fresh()).await.expect("get"), None);
    let before = queue.now().await.expect("now");
    let asked = NewTask {
        alias: Some("web1".to_owned()),
        label: Some("uptime; été 𝄞".to_owned()),
        idempotency_key: Some("quote ' \" ;--".to_owned()),
        priority: 3,
        deadline: Some(before + LONG),
        ttl: Some(5_000),
        max_attempts: 4,
        retry_safe: true,
        arguments: json!({"z": 1, "a": [0.1, null, "nul \0, quote \""], "": {"deep": u64::MAX}}),
        context: json!({"caller": "ann"}),
        callback: Some("https://receiver.example/hook".to_owned()),
        then: vec![Then {
            on: ThenOn::Any,
            tool: "next".to_owned(),
            arguments: json!({"n": 1}).as_object().cloned().unwrap_or_default(),
        }],
        retried_from: Some(fresh()),
        retry_count: 2,
        parent: Some(fresh()),
        ..task()
    };
    let id = add(&*queue, asked.clone()).await;
    let got = get(&*trial.open().await, &id).await;
    let after = queue.now().await.expect("now");
    assert!((before..=after).contains(&got.created) && got.updated == got.created);
    assert_eq!((got.state, got.attempt, got.worker, got.lease_until), (State::Pending, 0, None, None));
    assert_eq!((got.started, got.finished, got.due, got.cancel), (None, None, None, None));
    assert_eq!((got.progress, got.result, got.error, got.dead_letter), (None, None, None, false));
    assert!(got.questions.is_empty() && got.answers.is_empty());
    assert_eq!(got.asked, asked);
}

pub(super) async fn a_batch_is_added_as_a_whole_or_not_at_all(trial: &dyn Trial) {
    let queue = trial.open().await;
    assert_eq!(queue.enqueue(Vec::new(), 0).await.expect("enqueue"), []);
    let batch: Vec<_> = (0..20).map(|_| task()).collect();
    let ids: Vec<_> = batch.iter().map(|task| task.id.clone()).collect();
    let added = queue.enqueue(batch, 0).await.expect("enqueue");
    assert_eq!(added, ids.iter().cloned().map(Enqueued::New).collect::<Vec<_>>());

    let (new, again) = (task(), NewTask { id: ids[0].clone(), ..task() });
    let id = new.id.clone();
    let refused = queue.enqueue(vec![new, again], 0).await.expect_err("the id is taken");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    assert_eq!(queue.get(&id).await.expect("get"), None);
    assert_eq!(claim_ids(&*queue, 100).await, ids, "in the order of the batch");
}

pub(super) async fn the_same_key_means_the_same_task(trial: &dyn Trial) {
    let queue = trial.open().await;
    let keyed = || NewTask { idempotency_key: Some("k".to_owned()), ..task() };
    let first = keyed();
    let id = first.id.clone();
    let added = queue.enqueue(vec![first, keyed()], 0).await.expect("enqueue");
    assert_eq!(added, [Enqueued::New(id.clone()), Enqueued::Existing(id.clone())]);
    assert_eq!(queue.enqueue(vec![keyed()], 0).await.expect("enqueue"), [Enqueued::Existing(id.clone())]);
    add(&*queue, NewTask { owner: "bob".to_owned(), ..keyed() }).await;
    add(&*queue, NewTask { tool: "other".to_owned(), ..keyed() }).await;
    add(&*queue, NewTask { idempotency_key: Some("K".to_owned()), ..keyed() }).await;
    assert_eq!(claim_ids(&*queue, 100).await.len(), 4);
    let done = vec![Ended { id: id.clone(), fence: get(&*queue, &id).await.fence, how: End::Release }];
    let step = Step { worker: worker("w1"), done, queue: QUEUE.to_owned(), want: 0, lease: LONG };
    queue.step(step).await.expect("step");
    queue.cancel(&id, "enough").await.expect("cancel");
    let added = queue.enqueue(vec![keyed()], 0).await.expect("enqueue");
    assert_eq!(added, [Enqueued::Existing(id)], "an ended task keeps its key");
}

pub(super) async fn a_key_counts_for_a_day_and_as_long_as_its_task_lives(trial: &dyn Trial) {
    if !trial.is_quick() {
        return;
    }
    let queue = trial.open().await;
    let keyed = |key: &str| NewTask { idempotency_key: Some(key.to_owned()), ..task() };
    let over = ended(&*queue, keyed("over"), State::Completed).await;
    let alive = add(&*queue, keyed("alive")).await;
    trial.pass(DAY - 1_000).await;
    assert_eq!(queue.enqueue(vec![keyed("over")], 0).await.expect("enqueue"), [Enqueued::Existing(over)]);
    trial.pass(2_000).await;
    let second = add(&*queue, keyed("over")).await;
    let added = queue.enqueue(vec![keyed("alive"), keyed("over")], 0).await.expect("enqueue");
    assert_eq!(added, [Enqueued::Existing(alive), Enqueued::Existing(second)]);
}

pub(super) async fn of_racing_calls_with_one_key_one_adds(trial: &dyn Trial) {
    let queues = [trial.open().await, trial.open().await];
    let calls = (0..50).map(|number| {
        let keyed = NewTask { idempotency_key: Some("k".to_owned()), ..task() };
        queues[number % 2].enqueue(vec![keyed], 0)
    });
    let added: Vec<_> = join_all(calls).await.into_iter().map(|added| added.expect("enqueue")).collect();
    let new: Vec<_> = added.iter().filter(|added| matches!(added[0], Enqueued::New(_))).collect();
    assert_eq!(new.len(), 1);
    for added in &added {
        let (Enqueued::New(id) | Enqueued::Existing(id)) = &added[0];
        assert_eq!(*new[0], [Enqueued::New(id.clone())]);
    }
    assert_eq!(claim_ids(&*queues[0], 100).await.len(), 1);
}

pub(super) async fn a_full_queue_takes_nothing(trial: &dyn Trial) {
    let queue = trial.open().await;
    let later = queue.now().await.expect("now") + LONG;
    ended(&*queue, task(), State::Completed).await;
    add(&*queue, NewTask { run_at: Some(later), ..task() }).await;
    add(&*queue, NewTask { claim: Some((worker("w1"), LONG)), ..task() }).await;
    let keyed = || NewTask { idempotency_key: Some("k".to_owned()), ..task() };
    let existing = add(&*queue, keyed()).await;

    let refused = queue.enqueue(vec![task(), task()], 4).await.expect_err("one too many");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    assert_eq!(queue.enqueue(vec![task()], 4).await.expect("enqueue").len(), 1);
    let refused = queue.enqueue(vec![task()], 4).await.expect_err("one too many");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    assert_eq!(queue.enqueue(vec![keyed()], 4).await.expect("enqueue"), [Enqueued::Existing(existing)]);
    let elsewhere = NewTask { queue: "other".to_owned(), ..task() };
    assert_eq!(queue.enqueue(vec![elsewhere], 4).await.expect("enqueue").len(), 1);
    assert_eq!(claim_ids(&*queue, 100).await.len(), 2, "what was refused left nothing");
}

pub(super) async fn a_task_may_start_claimed(trial: &dyn Trial) {
    let queue = trial.open().await;
    let id = add(&*queue, NewTask { claim: Some((worker("mine"), LONG)), ..task() }).await;
    let got = get(&*queue, &id).await;
    assert_eq!((got.state, got.attempt, got.worker.clone()), (State::Running, 1, Some(worker("mine"))));
    assert!(got.fence > Fence(0) && got.started == Some(got.created));
    assert_eq!(got.lease_until, Some(got.created + LONG));
    assert!(claim_ids(&*queue, 10).await.is_empty());
    super::support::finished(&*queue, &got, State::Completed).await;
    assert_eq!(get(&*queue, &id).await.state, State::Completed);
}

pub(super) async fn an_offered_task_starts_only_where_it_would_be_the_next(trial: &dyn Trial) {
    let queue = trial.open().await;
    let offer = |task: NewTask, limit| queue.offer(task, limit, &worker("w1"), LONG);
    let keyed = NewTask { idempotency_key: Some("k".to_owned()), ..task() };
    let id = keyed.id.clone();
    let first = offer(keyed.clone(), 0).await.expect("offer");
    assert_eq!(first.added, Enqueued::New(id.clone()));
    let held = if first.is_claimed { get(&*queue, &id).await } else { claim_one(&*queue, LONG).await };
    assert_eq!((held.state, held.attempt, held.fence), (State::Running, 1, Fence(1)));
    assert_eq!((held.worker.clone(), held.asked.clone()), (Some(worker("w1")), keyed));
    assert!(held.lease_until.is_some_and(|until| until >= held.created + LONG));
    assert!(claim_ids(&*queue, 10).await.is_empty(), "it started once");
    let again = NewTask { idempotency_key: Some("k".to_owned()), ..task() };
    let again = offer(again, 0).await.expect("offer");
    assert_eq!(again, Offered { added: Enqueued::Existing(id.clone()), is_claimed: false });
    let refused = offer(task(), 1).await.expect_err("the queue is full");
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    super::support::finished(&*queue, &held, State::Completed).await;

    let older = add(&*queue, task()).await;
    let (younger, later) = (task(), NewTask { run_at: Some(held.created + LONG), ..task() });
    let ids = [older, younger.id.clone()];
    assert!(!offer(younger, 0).await.expect("offer").is_claimed, "another goes first");
    assert!(!offer(later, 0).await.expect("offer").is_claimed, "its time has not come");
    assert_eq!(claim_ids(&*queue, 10).await, ids);
    queue.pause(QUEUE, true).await.expect("pause");
    let paused = task();
    let id = paused.id.clone();
    assert!(!offer(paused, 0).await.expect("offer").is_claimed, "nothing starts now");
    queue.pause(QUEUE, false).await.expect("resume");
    assert_eq!(claim_ids(&*queue, 10).await, [id]);
    let limit = Limit { running: Some(1), per_second: None };
    queue.limit(Scope::Tool("single".to_owned()), Some(limit)).await.expect("limit");
    let single = || NewTask { tool: "single".to_owned(), ..task() };
    let offered = [offer(single(), 0).await.expect("offer"), offer(single(), 0).await.expect("offer")];
    let started = offered.iter().filter(|offered| offered.is_claimed).count();
    assert_eq!(started + claim_ids(&*queue, 10).await.len(), 1, "one may run at once");
}

pub(super) async fn a_task_may_start_later(trial: &dyn Trial) {
    let queue = trial.open().await;
    let now = queue.now().await.expect("now");
    let past = add(&*queue, NewTask { run_at: Some(now - 1), ..task() }).await;
    let later = add(&*queue, NewTask { run_at: Some(now + 1_000), ..task() }).await;
    let got = get(&*queue, &later).await;
    assert_eq!((got.state, got.due), (State::Scheduled, Some(now + 1_000)));
    assert_eq!(claim_ids(&*queue, 10).await, [past]);
    trial.pass(1_100).await;
    assert_eq!(claim_ids(&*queue, 10).await, std::slice::from_ref(&later));
    assert_eq!(get(&*queue, &later).await.due, None);
}

pub(super) async fn big_arguments_and_results_come_back_whole(trial: &dyn Trial) {
    let queue = trial.open().await;
    let arguments = json!({"text": "ä".repeat(150_000)});
    let asked = NewTask { arguments: arguments.clone(), claim: Some((worker("w1"), LONG)), ..task() };
    let id = add(&*queue, asked).await;
    let got = get(&*queue, &id).await;
    assert_eq!(got.asked.arguments, arguments);
    let result = json!({"text": "x".repeat(300_000)});
    let how = End::Finish {
        state: State::Completed,
        result: Some(result.clone()),
        error: Some(json!("e".repeat(100_000))),
        dead_letter: false,
    };
    assert!(super::support::end(&*queue, &id, got.fence, how).await);
    let got = get(&*trial.open().await, &id).await;
    assert_eq!((got.asked.arguments, got.result), (arguments, Some(result)));
    assert_eq!(got.error, Some(json!("e".repeat(100_000))));
}
