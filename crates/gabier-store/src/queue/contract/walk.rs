//! Random operations, each step of which the table of states must allow.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::Trial;
use super::reading::recount;
use super::support::{QUEUE, repeatable, task, worker};
use crate::queue::{
    End, Ended, Fence, Filter, Ms, NewTask, Notes, Order, Progress, Queue, State, Step, Stream, Task, TaskId,
};

const LEASE: Ms = 400;

/// A number after another, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, among: &'a [T]) -> Option<&'a T> {
        let bound = u64::try_from(among.len()).expect("small");
        (bound > 0).then(|| &among[usize::try_from(self.below(bound)).expect("small")])
    }
}

/// What was seen of the store, and what its answers promised.
#[derive(Default)]
struct Seen {
    tasks: HashMap<TaskId, Task>,
    /// What was claimed, ever.
    held: Vec<(TaskId, Fence)>,
    issued: HashSet<(TaskId, Fence)>,
    ends: HashSet<(TaskId, Fence)>,
}

pub(super) async fn no_walk_leaves_the_table(trial: &dyn Trial, seed: u64) {
    let queues = [trial.open().await, trial.open().await];
    let (mut dice, mut seen) = (Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)), Seen::default());
    let steps = if trial.is_quick() { 250 } else { 60 };
    for number in 0..steps {
        let queue = &*queues[usize::from(dice.chance(30))];
        if dice.chance(15) {
            trial.pass(Ms::try_from(dice.below(300)).expect("small")).await;
        }
        operate(queue, &mut dice, &mut seen).await;
        seen.look(&*queues[0]).await;
        if number % 50 == 0 {
            recount(&*queues[0], None).await;
        }
    }
    for owner in [None, Some("ann"), Some("bob")] {
        recount(&*queues[0], owner).await;
    }
}

async fn operate(queue: &dyn Queue, dice: &mut Dice, seen: &mut Seen) {
    let now = queue.now().await.expect("now");
    let known: Vec<_> = seen.tasks.keys().cloned().collect();
    match dice.below(10) {
        0 | 1 => {
            queue.enqueue(vec![draft(dice, now)], 0).await.expect("enqueue");
        }
        2..=5 => step(queue, dice, seen, now).await,
        6 => {
            let Some((id, fence)) = dice.pick(&seen.held).cloned() else { return };
            let progress = Some(Progress { done: 1.0, total: None, message: None });
            let notes =
                Notes { progress, output: vec![(Stream::Log, b"line\n".to_vec())], ..Notes::default() };
            queue.note(&id, fence, notes).await.expect("note");
            queue.beat(&worker("w1"), vec![(id, fence)], LEASE).await.expect("beat");
        }
        7 => {
            let Some(id) = dice.pick(&known) else { return };
            queue.cancel(id, "why").await.expect("cancel");
        }
        8 => {
            let Some(id) = dice.pick(&known) else { return };
            let answers = json!({"color": 1}).as_object().cloned().unwrap_or_default();
            queue.input(id, answers).await.expect("input");
        }
        _ if dice.chance(20) => {
            queue.cancel_all(Filter::owned_by(Some("bob")), "all").await.expect("cancel");
        }
        _ => {
            queue.reap().await.expect("reap");
        }
    }
}

fn draft(dice: &mut Dice, now: Ms) -> NewTask {
    let base = if dice.chance(60) { repeatable() } else { task() };
    let soon = now + Ms::try_from(dice.below(600)).expect("small");
    NewTask {
        owner: if dice.chance(30) { "bob" } else { "ann" }.to_owned(),
        priority: u32::try_from(dice.below(3)).expect("small"),
        run_at: dice.chance(25).then_some(soon),
        deadline: dice.chance(20).then_some(soon + 200),
        claim: dice.chance(10).then(|| (worker("w2"), LEASE)),
        callback: dice.chance(20).then(|| "https://a.example".to_owned()),
        ..base
    }
}

async fn step(queue: &dyn Queue, dice: &mut Dice, seen: &mut Seen, now: Ms) {
    let mut done = Vec::new();
    for _ in 0..dice.below(3) {
        let Some((id, fence)) = dice.pick(&seen.held).cloned() else { break };
        let ends = [State::Completed, State::Failed, State::TimedOut, State::Unknown];
        let how = match dice.below(6) {
            0 => End::Release,
            1 => End::Retry { at: now + Ms::try_from(dice.below(300)).expect("small"), error: json!(1) },
            2 => End::Ask(json!({"color": {}}).as_object().cloned().unwrap_or_default()),
            _ => End::Finish {
                state: *dice.pick(&ends).expect("some"),
                result: Some(json!(fence)),
                error: None,
                dead_letter: dice.chance(30),
            },
        };
        done.push(Ended { id, fence, how });
    }
    let asked = done.clone();
    let want = usize::try_from(dice.below(3)).expect("small");
    let step = Step { worker: worker("w1"), done, queue: QUEUE.to_owned(), want, lease: LEASE };
    let stepped = queue.step(step).await.expect("step");
    assert_eq!(stepped.taken.len(), asked.len());
    for (ended, _) in asked.into_iter().zip(stepped.taken).filter(|(_, taken)| *taken) {
        assert!(seen.ends.insert((ended.id, ended.fence)), "an attempt ends once");
    }
    assert!(stepped.claimed.len() <= want);
    for task in stepped.claimed {
        let claim = (task.asked.id, task.fence);
        assert!(seen.issued.insert(claim.clone()), "a fence is issued once: {claim:?}");
        seen.held.push(claim);
    }
}

impl Seen {
    /// Compares everything with what was seen before.
    async fn look(&mut self, queue: &dyn Queue) {
        let filter = Filter { order: Order::Oldest, ..Filter::default() };
        let tasks = queue.list(filter, None, 10_000).await.expect("list").items;
        assert!(tasks.len() >= self.tasks.len(), "nothing is lost");
        for task in tasks {
            if let Some(before) = self.tasks.get(&task.asked.id) {
                followed(before, &task);
            }
            self.tasks.insert(task.asked.id.clone(), task);
        }
    }
}

/// One operation may end an attempt, or lose it, and start the next.
fn followed(before: &Task, after: &Task) {
    assert_eq!(before.asked, after.asked);
    assert!(after.fence >= before.fence && after.updated >= before.updated);
    assert!(after.attempt <= before.attempt.max(1) + 1);
    if before.state.is_terminal() {
        assert_eq!(before, after, "a terminal task never changes");
        return;
    }
    let (from, to) = (before.state, after.state);
    let is_same = from == to && before.fence == after.fence;
    let by_two = |middle: &State| from.may_become(*middle) && middle.may_become(to);
    let is_allowed = is_same || from.may_become(to) || State::ALL.iter().any(by_two);
    assert!(is_allowed, "{from} became {to}");
    assert_eq!(to == State::Running, after.worker.is_some() && after.lease_until.is_some());
    assert_eq!(to.is_terminal(), after.finished.is_some());
    assert_eq!(to == State::Scheduled, after.due.is_some());
    assert!(!after.dead_letter || to == State::Failed || to.is_terminal());
}
