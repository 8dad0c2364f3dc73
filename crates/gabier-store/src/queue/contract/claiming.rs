//! Claiming tasks.

use std::collections::HashSet;

use futures::future::join_all;

use super::Trial;
use super::support::{LONG, QUEUE, add, claim, claim_ids, claim_one, finish, get, state, step, task, worker};
use crate::queue::{Ended, NewTask, State, Step};

pub(super) async fn a_claim_shows_who_holds_the_task(trial: &dyn Trial) {
    let queue = trial.open().await;
    let id = add(&*queue, task()).await;
    let before = queue.now().await.expect("now");
    let claimed = claim_one(&*queue, LONG).await;
    let after = queue.now().await.expect("now");
    assert_eq!((claimed.state, claimed.attempt), (State::Running, 1));
    assert_eq!(claimed.worker, Some(worker("w1")));
    let started = claimed.started.expect("it started");
    assert!((before..=after).contains(&started));
    assert!((before + LONG..=after + LONG).contains(&claimed.lease_until.expect("a lease")));
    assert_eq!(get(&*queue, &id).await, claimed);
}

pub(super) async fn claims_come_by_priority_then_by_age(trial: &dyn Trial) {
    let queue = trial.open().await;
    let mut ids = Vec::new();
    for priority in [10, 0, 10, 5, 0, 100_000] {
        ids.push(add(&*queue, NewTask { priority, ..task() }).await);
    }
    let expected = [1, 4, 3, 0, 2, 5].map(|number: usize| ids[number].clone());
    assert_eq!(claim_ids(&*queue, 3).await, expected[..3]);
    assert_eq!(claim_ids(&*queue, 10).await, expected[3..]);
}

pub(super) async fn a_delayed_urgent_task_blocks_nobody(trial: &dyn Trial) {
    let queue = trial.open().await;
    let at = queue.now().await.expect("now") + 1_500;
    let urgent = add(&*queue, NewTask { priority: 0, run_at: Some(at), ..task() }).await;
    let normal = [add(&*queue, task()).await, add(&*queue, task()).await];
    assert_eq!(claim_ids(&*queue, 1).await, normal[..1]);
    trial.pass(1_600).await;
    assert_eq!(claim_ids(&*queue, 10).await, [urgent, normal[1].clone()]);
}

pub(super) async fn a_claim_takes_what_it_wants_of_its_queue(trial: &dyn Trial) {
    let queue = trial.open().await;
    for _ in 0..5 {
        add(&*queue, task()).await;
    }
    let other = add(&*queue, NewTask { queue: "other".to_owned(), ..task() }).await;
    assert_eq!(claim(&*queue, 0, LONG).await, []);
    assert_eq!(claim(&*queue, 3, LONG).await.len(), 3);
    assert_eq!(claim(&*queue, 3, LONG).await.len(), 2);
    assert_eq!(claim(&*queue, 3, LONG).await, []);
    assert_eq!(state(&*queue, &other).await, State::Pending);
}

pub(super) async fn of_racing_claimers_each_task_goes_to_one(trial: &dyn Trial) {
    let queues = [trial.open().await, trial.open().await];
    let batch: Vec<_> = (0..100).map(|_| task()).collect();
    queues[0].enqueue(batch, 0).await.expect("enqueue");
    let claims = (0..40).map(|number| {
        let name = worker(&format!("w{number}"));
        let step = Step { worker: name, done: Vec::new(), queue: QUEUE.to_owned(), want: 3, lease: LONG };
        queues[number % 2].step(step)
    });
    let claimed: Vec<_> =
        join_all(claims).await.into_iter().flat_map(|step| step.expect("step").claimed).collect();
    let different: HashSet<_> = claimed.iter().map(|task| &task.asked.id).collect();
    assert_eq!((claimed.len(), different.len()), (100, 100));
}

pub(super) async fn one_step_ends_and_claims(trial: &dyn Trial) {
    let queue = trial.open().await;
    let ids = [add(&*queue, task()).await, add(&*queue, task()).await, add(&*queue, task()).await];
    let held = claim(&*queue, 2, LONG).await;
    let done = held
        .iter()
        .map(|task| Ended { id: task.asked.id.clone(), fence: task.fence, how: finish(State::Completed) })
        .collect();
    let stepped = queue.step(Step { done, ..step(2, LONG) }).await.expect("step");
    assert_eq!(stepped.taken, [true, true]);
    assert_eq!(stepped.claimed.iter().map(|task| &task.asked.id).collect::<Vec<_>>(), [&ids[2]]);
    assert_eq!(state(&*queue, &ids[0]).await, State::Completed);
}
