//! What the claims are written with.

use std::hash::{BuildHasher as _, RandomState};

use crate::queue::{
    End, Ended, Enqueued, Fence, Ms, NewTask, Queue, State, Step, Stepped, Task, TaskId, WorkerId,
};

/// The queue of all claims that need one alone.
pub(super) const QUEUE: &str = "async-tasks";
/// A lease that does not end within a claim.
pub(super) const LONG: Ms = 600_000;
/// A lease that ends soon.
pub(super) const SHORT: Ms = 1_500;

/// An id that nobody used before.
pub(super) fn fresh() -> TaskId {
    let (high, low) = (RandomState::new().hash_one(1), RandomState::new().hash_one(2));
    let text = format!("{high:016x}4{:03x}8{low:015x}", high & 0xfff, low = low >> 4);
    TaskId::new(format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[16..20],
        &text[20..24],
        &text[24..]
    ))
}

/// A task that says no more than it must.
pub(super) fn task() -> NewTask {
    NewTask::new(fresh(), QUEUE, "demo", "ann")
}

/// A task that may be started three times.
pub(super) fn repeatable() -> NewTask {
    NewTask { max_attempts: 3, retry_safe: true, ..task() }
}

pub(super) async fn add(queue: &dyn Queue, task: NewTask) -> TaskId {
    let id = task.id.clone();
    let added = queue.enqueue(vec![task], 0).await.expect("enqueue");
    assert_eq!(added, [Enqueued::New(id.clone())]);
    id
}

pub(super) async fn get(queue: &dyn Queue, id: &TaskId) -> Task {
    queue.get(id).await.expect("get").expect("the task is there")
}

pub(super) async fn state(queue: &dyn Queue, id: &TaskId) -> State {
    get(queue, id).await.state
}

pub(super) fn worker(name: &str) -> WorkerId {
    WorkerId(name.to_owned())
}

/// A step that ends nothing.
pub(super) fn step(want: usize, lease: Ms) -> Step {
    Step { worker: worker("w1"), done: Vec::new(), queue: QUEUE.to_owned(), want, lease }
}

pub(super) async fn claim(queue: &dyn Queue, want: usize, lease: Ms) -> Vec<Task> {
    queue.step(step(want, lease)).await.expect("step").claimed
}

/// Claims the one task that can be claimed.
pub(super) async fn claim_one(queue: &dyn Queue, lease: Ms) -> Task {
    let mut claimed = claim(queue, 10, lease).await;
    assert_eq!(claimed.len(), 1, "one task can be claimed: {claimed:?}");
    claimed.remove(0)
}

/// The ids of what a claim of many gives.
pub(super) async fn claim_ids(queue: &dyn Queue, want: usize) -> Vec<TaskId> {
    claim(queue, want, LONG).await.into_iter().map(|task| task.asked.id).collect()
}

/// Ends one attempt; gives whether that was taken.
pub(super) async fn end(queue: &dyn Queue, id: &TaskId, fence: Fence, how: End) -> bool {
    let done = vec![Ended { id: id.clone(), fence, how }];
    let Stepped { taken, claimed } = queue.step(Step { done, ..step(0, LONG) }).await.expect("step");
    assert!(claimed.is_empty(), "nothing was wanted");
    assert_eq!(taken.len(), 1);
    taken[0]
}

/// An end that leaves nothing.
pub(super) fn finish(state: State) -> End {
    End::Finish { state, result: None, error: None, dead_letter: false }
}

/// Ends a claimed task.
pub(super) async fn finished(queue: &dyn Queue, task: &Task, state: State) {
    assert!(end(queue, &task.asked.id, task.fence, finish(state)).await, "the end is taken");
}

/// Adds a task and brings it to an end.
pub(super) async fn ended(queue: &dyn Queue, task: NewTask, state: State) -> TaskId {
    let claim = Some((worker("w1"), LONG));
    let id = add(queue, NewTask { claim, ..task }).await;
    let running = get(queue, &id).await;
    finished(queue, &running, state).await;
    id
}
