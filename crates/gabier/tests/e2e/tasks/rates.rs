//! How much starts and runs at once over all workers of a store.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::fleet::{Worker, busy, busy_home};
use crate::harness::{Home, PATIENCE, Server};
use crate::redis::Redis;

/// How many tasks are given to the workers.
const TASKS: u32 = 120;

/// Starts a second.
const RATE: f64 = 20.0;

/// The tasks of the server once all have ended.
#[track_caller]
fn ended(server: &Server, tasks: usize) -> Vec<Value> {
    let until = Instant::now() + PATIENCE;
    loop {
        let page = server.call("task_queue", &json!({"limit": 200, "status": "completed"})).json();
        let page = page["data"]["tasks"].as_array().unwrap_or_else(|| panic!("{page}")).clone();
        if page.len() == tasks {
            return page;
        }
        assert!(Instant::now() < until, "{} of {tasks} have ended", page.len());
        sleep(Duration::from_millis(100));
    }
}

/// Milliseconds of an ISO time within its day.
fn milliseconds(time: &Value) -> u32 {
    let clock = time.as_str().unwrap().split_once('T').unwrap().1.trim_end_matches('Z');
    let parts: Vec<u32> = clock.split([':', '.']).map(|part| part.parse().unwrap()).collect();
    ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1_000 + parts[3]
}

#[track_caller]
fn check((home, token): (Home, String)) {
    let limits = json!({"asynchronousTaskSimulatorEnhanced": {"per_second": RATE}});
    let home = home.with("GABIER_TASKS_LIMITS_TOOLS", &limits.to_string());
    let server = home.serve(&["--no-worker"]).with_token(&token);
    for _ in 0..TASKS {
        let order = json!({"duration_ms": 100, "value1": 1, "value2": 2});
        let answer = server.call("asynchronousTaskSimulatorEnhanced", &order);
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let workers = [(), (), ()].map(|()| Worker::start(&home));
    let tasks = ended(&server, TASKS as usize);
    let mut starts: Vec<u32> = tasks.iter().map(|task| milliseconds(&task["started_at"])).collect();
    starts.sort_unstable();
    let (first, last) = (starts[0], starts[starts.len() - 1]);
    assert!(last - first < 60_000, "the test ran over midnight, or for a minute");
    let rate = f64::from(TASKS - 1) * 1_000.0 / f64::from(last - first);
    assert!((RATE * 0.8..=RATE * 1.1).contains(&rate), "{rate} a second");
    // Nor is any second of it much above the rate.
    for (at, from) in starts.iter().enumerate() {
        let within = starts[at..].iter().take_while(|start| *start - from < 1_000).count();
        let within = f64::from(u32::try_from(within).unwrap());
        assert!(within <= RATE * 1.25, "{within} within a second");
    }
    drop(workers);
}

#[test]
fn three_workers_together_start_no_more_in_a_second_than_may() {
    check(busy_home());
}

#[test]
fn the_same_holds_of_three_workers_on_redis() {
    let redis = Redis::start();
    check(busy(Home::new().with("GABIER_STORE_URL", &redis.url())));
}

#[test]
fn a_limit_that_is_no_longer_set_is_lifted_by_the_next_worker() {
    let (home, token) = busy_home();
    let queue = |home: Home, bound: &Value| home.with("GABIER_TASKS_LIMITS_QUEUES", &bound.to_string());
    let home = queue(home, &json!({"async-tasks": {"running": 1}}));
    let server = home.serve(&[]).with_token(&token);
    let order = json!({"duration_ms": 300, "value1": 1, "value2": 2});
    for _ in 0..6 {
        assert_eq!(server.call("asynchronousTaskSimulatorEnhanced", &order).status, 202);
    }
    let tasks = ended(&server, 6);
    let moves: BTreeMap<u32, i32> = tasks
        .iter()
        .flat_map(|task| [(&task["started_at"], 1), (&task["finished_at"], -1)])
        .fold(BTreeMap::new(), |mut moves, (time, by)| {
            *moves.entry(milliseconds(time)).or_default() += by;
            moves
        });
    let mut running = 0;
    for (time, by) in moves {
        running += by;
        assert!(running <= 1, "{running} at {time}");
    }
    drop(server);
    let home = queue(home, &json!({}));
    let server = home.serve(&[]).with_token(&token);
    let since = Instant::now();
    for _ in 0..20 {
        assert_eq!(server.call("asynchronousTaskSimulatorEnhanced", &order).status, 202);
    }
    ended(&server, 26);
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}
