//! What the tests of tasks are written with.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gabier_store::queue::{End, Ended, Fence, NewTask, Queue, State, Step, Stepped, Task, TaskId, WorkerId};
use serde_json::json;

/// The queue of all tests.
pub(crate) const QUEUE: &str = "async-tasks";

/// A task that says no more than it must.
pub(crate) fn task() -> NewTask {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).expect("random bytes");
    let [a, b] = [&bytes[..4], &bytes[4..]]
        .map(|half| half.iter().fold(0_u64, |sum, byte| sum * 256 + u64::from(*byte)));
    let id = TaskId::new(format!("{a:08x}-0000-4000-8000-0000{b:08x}"));
    NewTask { arguments: json!({"number": 7}), ..NewTask::new(id, QUEUE, "demo", "ann") }
}

/// A store of tasks on a server.
pub(crate) fn queue(server: &crate::server::Server) -> gabier_store_redis::Queue {
    gabier_store_redis::Queue::at(&server.url()).expect("a URL")
}

/// A step of a worker that ends some and wants some.
pub(crate) fn step(done: Vec<Ended>, want: usize) -> Step {
    Step { worker: WorkerId("w1".to_owned()), done, queue: QUEUE.to_owned(), want, lease: 30_000 }
}

/// The end of a task that did what it should.
pub(crate) fn completed(task: &Task) -> Ended {
    ended(&task.asked.id, task.fence, State::Completed)
}

/// An end.
pub(crate) fn ended(id: &TaskId, fence: Fence, state: State) -> Ended {
    let how = End::Finish {
        state,
        result: Some(json!({"echo": id})),
        error: None,
        dead_letter: state == State::Failed,
    };
    Ended { id: id.clone(), fence, how }
}

/// Claims one task, waiting until there is one.
pub(crate) async fn claim(queue: &dyn Queue) -> Task {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let Stepped { mut claimed, .. } = queue.step(step(Vec::new(), 1)).await.expect("step");
        if let Some(task) = claimed.pop() {
            return task;
        }
        assert!(Instant::now() < end, "there is nothing to claim");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a task is in a state.
pub(crate) async fn until(queue: &dyn Queue, id: &TaskId, state: State) -> Task {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let task = queue.get(id).await.expect("get").expect("the task is there");
        if task.state == state {
            return task;
        }
        assert!(Instant::now() < end, "{id} is {} and not {state}", task.state);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Ends and claims until nothing is there for a while; gives what was run.
pub(crate) async fn run_all(queue: &dyn Queue, idle: Duration) -> BTreeSet<String> {
    let (mut ran, mut done, mut last) = (BTreeSet::new(), Vec::new(), Instant::now());
    while last.elapsed() < idle || !done.is_empty() {
        let stepped = queue.step(step(std::mem::take(&mut done), 20)).await.expect("step");
        assert!(stepped.taken.iter().all(|taken| *taken), "every end is taken");
        for task in stepped.claimed {
            assert!(ran.insert(task.asked.id.to_string()), "{} was claimed twice", task.asked.id);
            done.push(completed(&task));
            last = Instant::now();
        }
        if done.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    ran
}
