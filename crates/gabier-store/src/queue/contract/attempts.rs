//! How attempts end.

use serde_json::{Map, Value, json};

use super::Trial;
use super::support::{
    LONG, SHORT, add, claim, claim_ids, claim_one, end, ended, finish, finished, fresh, get, repeatable,
    state, step, task, worker,
};
use crate::queue::{End, Ended, Fence, Held, Notes, OutputRange, Progress, State, Step, Stream};

pub(super) async fn an_end_is_written_once(trial: &dyn Trial) {
    let queue = trial.open().await;
    let id = add(&*queue, task()).await;
    let held = claim_one(&*queue, LONG).await;
    let how = End::Finish {
        state: State::Failed,
        result: Some(json!({"exit_code": 3})),
        error: Some(json!({"message": "no"})),
        dead_letter: true,
    };
    let done = |how: End| Ended { id: id.clone(), fence: held.fence, how };
    let step = Step { done: vec![done(how), done(finish(State::Completed))], ..step(0, LONG) };
    assert_eq!(queue.step(step).await.expect("step").taken, [true, false]);
    let got = get(&*queue, &id).await;
    assert_eq!((got.state, got.dead_letter), (State::Failed, true));
    assert_eq!(got.result, Some(json!({"exit_code": 3})));
    assert_eq!(got.error, Some(json!({"message": "no"})));
    assert_eq!((got.worker.clone(), got.lease_until, got.fence), (None, None, held.fence));
    assert!(got.finished.expect("it ended") >= got.started.expect("it started"));

    for how in [finish(State::Completed), End::Release, End::Retry { at: 0, error: json!(1) }] {
        assert!(!end(&*queue, &id, held.fence, how).await);
    }
    assert!(!end(&*queue, &fresh(), Fence(1), finish(State::Completed)).await, "an unknown task");
    assert_eq!(get(&*queue, &id).await, got, "nothing follows a terminal state");
    assert!(claim_ids(&*queue, 10).await.is_empty());
}

pub(super) async fn every_terminal_state_but_expired_ends_an_attempt(trial: &dyn Trial) {
    let queue = trial.open().await;
    for end in State::ALL.into_iter().filter(|end| State::Running.may_become(*end) && end.is_terminal()) {
        let id = ended(&*queue, task(), end).await;
        assert_eq!(state(&*queue, &id).await, end);
    }
    let id = add(&*queue, task()).await;
    let held = claim_one(&*queue, LONG).await;
    for wrong in [State::Expired, State::Pending, State::Running] {
        let done = vec![Ended { id: id.clone(), fence: held.fence, how: finish(wrong) }];
        queue.step(Step { done, ..step(0, LONG) }).await.expect_err("no end of an attempt");
    }
    assert_eq!(get(&*queue, &id).await, held);
}

pub(super) async fn a_stale_fence_is_refused(trial: &dyn Trial) {
    let queue = trial.open().await;
    let id = add(&*queue, repeatable()).await;
    let old = claim_one(&*queue, LONG).await;
    assert!(end(&*queue, &id, old.fence, End::Release).await);
    let new = claim_one(&*queue, LONG).await;
    assert!(new.fence > old.fence);
    for fence in [old.fence, Fence(new.fence.0 + 1), Fence(0)] {
        assert!(!end(&*queue, &id, fence, finish(State::Completed)).await);
        assert!(!end(&*queue, &id, fence, End::Release).await);
        let held = queue.beat(&worker("w1"), vec![(id.clone(), fence)], LONG).await.expect("beat");
        assert_eq!(held, [Held::Lost]);
        let progress = Some(Progress { done: 1.0, total: None, message: None });
        let notes =
            Notes { progress, output: vec![(Stream::Stdout, b"zombie".to_vec())], ..Notes::default() };
        queue.note(&id, fence, notes).await.expect("note");
    }
    let got = get(&*queue, &id).await;
    assert_eq!((got.state, got.fence, got.progress), (State::Running, new.fence, None));
    let range = OutputRange { from: 0, length: 100 };
    assert_eq!(queue.output(&id, Stream::Stdout, range).await.expect("output").total_bytes, 0);
}

pub(super) async fn a_release_does_not_count(trial: &dyn Trial) {
    let queue = trial.open().await;
    let id = add(&*queue, task()).await;
    let mut fence = Fence(0);
    for _ in 0..3 {
        let held = claim_one(&*queue, LONG).await;
        assert!(held.attempt == 1 && held.fence > fence);
        fence = held.fence;
        assert!(end(&*queue, &id, fence, End::Release).await);
        let got = get(&*queue, &id).await;
        assert_eq!((got.state, got.attempt), (State::Pending, 0));
        assert_eq!((got.worker, got.lease_until, got.finished), (None, None, None));
    }
}

pub(super) async fn a_retry_waits_for_its_time(trial: &dyn Trial) {
    let queue = trial.open().await;
    let id = add(&*queue, repeatable()).await;
    let held = claim_one(&*queue, LONG).await;
    let at = queue.now().await.expect("now") + SHORT;
    assert!(end(&*queue, &id, held.fence, End::Retry { at, error: json!("try again") }).await);
    let got = get(&*queue, &id).await;
    assert_eq!((got.state, got.due, got.attempt), (State::Scheduled, Some(at), 1));
    assert_eq!((got.error, got.worker), (Some(json!("try again")), None));
    assert!(claim_ids(&*queue, 1).await.is_empty());
    trial.pass(SHORT + 100).await;
    let held = claim_one(&*queue, LONG).await;
    assert_eq!((held.attempt, held.due), (2, None));
    assert!(end(&*queue, &id, held.fence, End::Retry { at: 0, error: json!("now") }).await);
    assert_eq!(claim_one(&*queue, LONG).await.attempt, 3, "a time that has come waits for nothing");
}

pub(super) async fn questions_free_the_place_and_answers_bring_it_back(trial: &dyn Trial) {
    let queue = trial.open().await;
    let object = |value: Value| value.as_object().cloned().unwrap_or_default();
    let id = add(&*queue, repeatable()).await;
    let held = claim_one(&*queue, LONG).await;
    let questions = object(json!({"color": {"type": "string"}, "size": {"type": "number"}}));
    assert!(end(&*queue, &id, held.fence, End::Ask(questions.clone())).await);
    let got = get(&*queue, &id).await;
    assert_eq!((got.state, got.worker), (State::InputRequired, None));
    assert_eq!((got.questions, got.answers), (questions, Map::new()));
    assert_eq!(claim(&*queue, 10, LONG).await, []);

    let first = object(json!({"color": "red", "taste": "sweet"}));
    assert!(queue.input(&id, first).await.expect("input"));
    let got = get(&*queue, &id).await;
    assert_eq!(got.state, State::InputRequired);
    assert_eq!(Value::Object(got.questions), json!({"size": {"type": "number"}}));
    assert_eq!(Value::Object(got.answers), json!({"color": "red"}));

    let second = object(json!({"color": "blue", "size": 2}));
    assert!(queue.input(&id, second).await.expect("input"));
    let got = get(&*queue, &id).await;
    assert_eq!((got.state, got.questions), (State::Pending, Map::new()));
    assert_eq!(Value::Object(got.answers.clone()), json!({"color": "red", "size": 2}));
    let held = claim_one(&*queue, LONG).await;
    assert_eq!(held.answers, got.answers);
    assert!(queue.input(&id, object(json!({"color": "late"}))).await.expect("input"));
    assert_eq!(get(&*queue, &id).await.answers, got.answers);
    assert!(!queue.input(&fresh(), Map::new()).await.expect("input"), "an unknown task");
    assert!(end(&*queue, &id, held.fence, End::Ask(Map::new())).await);
    let held = claim_one(&*queue, LONG).await;
    finished(&*queue, &held, State::Completed).await;
}
