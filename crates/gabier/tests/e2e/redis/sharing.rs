//! Two servers and three workers on one Redis.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::PATIENCE;

use super::{Redis, TOKEN, Worker, look, submit, until, until_status};

/// How long a worker may be silent in these tests.
const LEASE: Duration = Duration::from_secs(3);

#[test]
fn what_one_server_takes_any_worker_runs_and_the_other_server_shows() {
    let redis = Redis::start();
    let home = redis.home();
    let [one, two] = [(), ()].map(|()| home.serve(&["--no-worker"]).with_token(TOKEN));
    // Nobody is there to run it: it waits.
    let first = submit(&one, 1);
    assert_eq!(look(&two, &first)["status"], "pending");
    let workers = [(), (), ()].map(|()| Worker::start(&home));
    let ids: Vec<String> = (0..12).map(|at| submit(if at % 2 == 0 { &one } else { &two }, 1)).collect();
    for id in ids.iter().chain([&first]) {
        let task = until_status(&two, id, "completed");
        assert_eq!((&task["result"]["elementsTraites"], &task["attempt"]), (&json!(1), &json!(1)), "{task}");
        assert_eq!(look(&one, id)["result"], task["result"]);
    }
    for worker in workers {
        worker.signal(Signal::TERM);
        assert_eq!(worker.end(), Some(0));
    }
}

#[test]
fn who_ended_when_asked_to_is_counted_among_the_processes_no_more() {
    let redis = Redis::start();
    let home = redis.home();
    let listed = || String::from_utf8(redis.ask(&["ZRANGE", "gabier:{p}:processes", "0", "-1"])).unwrap();
    for _ in 0..5 {
        let (server, worker) = (home.serve(&[]).with_token(TOKEN), Worker::start(&home));
        let end = Instant::now() + PATIENCE;
        while !["serve", "worker"].iter().all(|role| listed().contains(role)) {
            assert!(Instant::now() < end, "{}", listed());
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(server.end_by_signal(), Some(0));
        worker.signal(Signal::TERM);
        assert_eq!(worker.end(), Some(0));
        assert_eq!(listed().trim(), "");
    }
}

#[test]
fn a_call_of_the_command_line_runs_at_a_worker_where_one_is() {
    let redis = Redis::start();
    let home = redis.home();
    let worker = Worker::start(&home);
    // The first word of the worker reaches Redis a moment after its start; tasks need not wait for it.
    let arguments = json!({"durationMs": 200, "value1": 2, "value2": 40, "background": true});
    let answer = home.call("asynchronousTaskSimulatorEnhanced", &arguments);
    let id = answer["data"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let waited = home.call("task_wait", &json!({"id": id}));
    assert_eq!(waited["data"]["status"], "completed", "{waited}");
    assert_eq!(waited["data"]["result"]["calcRes"].as_f64(), Some(42.0), "{waited}");
    drop(worker);
}

#[test]
fn a_worker_that_is_killed_loses_its_tasks_to_another_within_its_lease() {
    let redis = Redis::start();
    let home = redis.home().with("GABIER_TASKS_LEASE_S", "3");
    let server = home.serve(&["--no-worker"]).with_token(TOKEN);
    let doomed = Worker::start(&home);
    let id = submit(&server, 3);
    until(&server, &id, "under way", |task| task["progress"]["done"] == 1.0);
    let heir = Worker::start(&home);
    doomed.signal(Signal::KILL);
    let killed = Instant::now();
    until(&server, &id, "taken over", |task| task["attempt"] == 2);
    let took = killed.elapsed();
    assert!(took <= LEASE + Duration::from_secs(2), "it took {took:?}");
    let task = until_status(&server, &id, "completed");
    assert_eq!(task["result"]["elementsTraites"], 3, "{task}");
    drop(heir);
}

#[test]
fn a_worker_that_was_frozen_beyond_its_lease_changes_nothing_when_it_wakes() {
    let redis = Redis::start();
    let home = redis.home().with("GABIER_TASKS_LEASE_S", "3");
    let server = home.serve(&["--no-worker"]).with_token(TOKEN);
    let frozen = Worker::start(&home);
    let id = submit(&server, 3);
    until(&server, &id, "under way", |task| task["progress"]["done"] == 1.0);
    let heir = Worker::start(&home);
    frozen.signal(Signal::STOP);
    let since = Instant::now();
    until(&server, &id, "taken over", |task| task["attempt"] == 2);
    assert!(since.elapsed() <= LEASE + Duration::from_secs(2), "it took {:?}", since.elapsed());
    frozen.signal(Signal::CONT);
    let task = until_status(&server, &id, "completed");
    assert_eq!(task["attempt"], 2, "{task}");
    // What wakes up has lost its task, and runs the next ones like any other.
    drop(heir);
    let next = submit(&server, 1);
    let after = until_status(&server, &next, "completed");
    assert_eq!(after["attempt"], 1, "{after}");
    assert_eq!(look(&server, &id), task, "the zombie's result was taken");
}
