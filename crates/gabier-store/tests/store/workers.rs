//! Processes that work on the tasks of one data directory, killed and stopped while they do.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use gabier_store::Store;
use gabier_store::queue::{
    End, Ended, NewTask, OutputRange, Queue, State, Step, Stream, Task, TaskId, WorkerId,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::processes::{Other, open};

/// A task of the queue `q` that says no more than it must.
pub(crate) fn draft(id: &str) -> NewTask {
    NewTask::new(TaskId::new(id), "q", "demo", "ann")
}

pub(crate) fn id() -> String {
    let (high, low) = (RandomState::new().hash_one(1), RandomState::new().hash_one(2));
    format!("{high:016x}-{low:016x}")
}

pub(crate) async fn claim(queue: &dyn Queue, worker: &str, want: usize, lease: i64) -> Vec<Task> {
    let worker = WorkerId(worker.to_owned());
    queue.step(Step { worker, done: Vec::new(), queue: "q".to_owned(), want, lease }).await.unwrap().claimed
}

pub(crate) async fn finish(queue: &dyn Queue, task: &Task, result: Value) -> bool {
    let how = End::Finish { state: State::Completed, result: Some(result), error: None, dead_letter: false };
    let done = vec![Ended { id: task.asked.id.clone(), fence: task.fence, how }];
    let worker = WorkerId("w".to_owned());
    queue.step(Step { worker, done, queue: "q".to_owned(), want: 0, lease: 0 }).await.unwrap().taken[0]
}

fn told(task: &Task) -> String {
    format!("{} {}", task.asked.id, task.fence.0)
}

/// What a child does with tasks.
pub(crate) async fn obey(
    store: &Store,
    (order, rest): (&str, &str),
    held: &mut Option<Task>,
    answer: &dyn Fn(String),
) {
    let (queue, me) = (&*store.queue, store.presence.as_ref().unwrap().id());
    match order {
        "add" => {
            for _ in 0..rest.parse().unwrap() {
                let id = id();
                queue.enqueue(vec![draft(&id)], 0).await.unwrap();
                answer(format!("added {id}"));
            }
            answer("done".to_owned());
        }
        "add-together" => {
            let adds = (0..rest.parse().unwrap()).map(|_| queue.enqueue(vec![draft(&id())], 0));
            futures::future::join_all(adds).await;
            answer("done".to_owned());
        }
        "work" => loop {
            let claimed = claim(queue, me, 3, 600_000).await;
            for task in &claimed {
                answer(format!("started {}", told(task)));
            }
            for task in &claimed {
                assert!(finish(queue, task, json!(me)).await);
            }
            if claimed.is_empty() {
                if rest == "until-empty" {
                    answer("done".to_owned());
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        },
        "hold" => {
            *held = claim(queue, me, 1, rest.parse().unwrap()).await.pop();
            answer(held.as_ref().map_or("none".to_owned(), told));
        }
        "finish" => {
            let held = held.take().unwrap();
            answer(finish(queue, &held, json!(me)).await.to_string());
        }
        _ => panic!("unknown order {order}"),
    }
}

/// Adds tasks, so that nobody runs out of work.
async fn feed(store: Store) {
    loop {
        let repeatable = NewTask { retry_safe: true, max_attempts: 30, ..draft(&id()) };
        store.queue.enqueue(vec![draft(&id()), repeatable], 0).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn child(directory: &std::path::Path) -> Other {
    let mut other = Other::start(directory);
    assert_eq!(other.ask("open"), "opened");
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_workers_lose_no_task_and_start_none_twice_that_may_not_be() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "parent");
    let queue = &*store.queue;
    let feeding = tokio::spawn(feed(store.clone()));
    let mut starts = Vec::new();
    let mut others: Vec<_> = (0..3).map(|_| child(directory.path())).collect();
    for other in &mut others {
        other.tell("work");
    }
    for round in 0..20 {
        let other = &mut others[round % 3];
        starts.extend((0..7 + 3 * round).map_while(|_| other.hear()));
        other.kill();
        starts.extend(std::iter::from_fn(|| other.hear()));
        *other = child(directory.path());
        other.tell("work");
    }
    feeding.abort();
    let _ = feeding.await;
    let all = loop {
        queue.reap().await.unwrap();
        let everything = gabier_store::queue::Filter::default();
        let all = queue.list(everything, None, 100_000).await.unwrap().items;
        if all.iter().all(|task| task.state.is_terminal()) {
            break all;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    for other in &mut others {
        other.kill();
        starts.extend(std::iter::from_fn(|| other.hear()));
    }
    let different: HashSet<_> = starts.iter().collect();
    assert_eq!(different.len(), starts.len(), "a fence was given twice");
    let mut times = HashMap::<TaskId, u32>::new();
    for start in &starts {
        let id = start.split(' ').nth(1).unwrap();
        *times.entry(TaskId::new(id)).or_default() += 1;
    }
    assert!(all.len() > 500);
    for task in &all {
        let times = times.get(&task.asked.id).copied().unwrap_or(0);
        let is_safe = task.asked.retry_safe;
        let is_end = task.state == State::Completed || task.state == State::Crashed && !is_safe;
        assert!(is_end && (is_safe || times <= 1), "{times} starts of {task:?}");
    }
    assert!(times.keys().all(|id| all.iter().any(|task| task.asked.id == *id)), "no task is lost");
    assert_eq!(store.records.check().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn the_leases_of_a_killed_process_are_void_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "parent");
    let (unsafe_one, safe) = (id(), id());
    let batch = vec![draft(&unsafe_one), NewTask { retry_safe: true, max_attempts: 2, ..draft(&safe) }];
    store.queue.enqueue(batch, 0).await.unwrap();
    let mut others = [child(directory.path()), child(directory.path())];
    for other in &mut others {
        other.ask("hold 600000");
    }
    assert_eq!(store.queue.reap().await.unwrap(), 0, "they live");
    for other in &mut others {
        other.kill();
        other.child.wait().unwrap();
    }
    let claimed = loop {
        let claimed = claim(&*store.queue, "mine", 5, 60_000).await;
        if !claimed.is_empty() {
            break claimed;
        }
    };
    assert_eq!(claimed.iter().map(|task| task.asked.id.as_str()).collect::<Vec<_>>(), [safe]);
    let crashed = store.queue.get(&TaskId::new(unsafe_one)).await.unwrap().unwrap();
    assert_eq!(crashed.state, State::Crashed);
}

#[tokio::test]
async fn who_was_stopped_beyond_the_lease_has_lost_its_task() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), "parent");
    let task = NewTask { retry_safe: true, max_attempts: 2, ..draft(&id()) };
    store.queue.enqueue(vec![task], 0).await.unwrap();
    let mut other = child(directory.path());
    other.ask("hold 300");
    let process = Pid::from_child(&other.child);
    kill_process(process, Signal::STOP).unwrap();
    let claimed = loop {
        let mut claimed = claim(&*store.queue, "mine", 1, 60_000).await;
        if let Some(task) = claimed.pop() {
            break task;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!(claimed.attempt, 2);
    kill_process(process, Signal::CONT).unwrap();
    assert_eq!(other.ask("finish"), "false", "the result of a zombie");
    assert!(finish(&*store.queue, &claimed, json!("mine")).await);
    let range = OutputRange { from: 0, length: 1 };
    store.queue.output(&claimed.asked.id, Stream::Log, range).await.unwrap();
}
