//! What happens to work when its Redis is killed or stops for a while.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Redis, TOKEN, Worker, submit, until, until_status};

#[test]
fn workers_fetch_again_soon_after_redis_was_killed_and_came_back() {
    let mut redis = Redis::start();
    let home = redis.home();
    let server = home.serve(&["--no-worker"]).with_token(TOKEN);
    let worker = Worker::start(&home);
    let running = submit(&server, 2);
    until(&server, &running, "under way", |task| task["progress"]["done"] == 1.0);
    let waiting: Vec<String> = (0..5).map(|_| submit(&server, 1)).collect();
    redis.kill();
    std::thread::sleep(Duration::from_secs(4));
    redis.restart();
    let back = Instant::now();
    let new = submit_again(&server);
    until(&server, &new, "started", |task| task["status"] != "pending");
    let took = back.elapsed();
    assert!(took <= Duration::from_secs(3), "it took {took:?}");
    for id in waiting.iter().chain([&running, &new]) {
        let task = until_status(&server, id, "completed");
        assert_eq!(task["attempt"], 1, "{task}");
    }
    drop(worker);
}

/// The first calls may still meet the lost connection.
#[track_caller]
fn submit_again(server: &crate::harness::Server) -> String {
    let end = Instant::now() + Duration::from_secs(3);
    loop {
        let answer = server.call("monOutilAsync", &serde_json::json!({"parametreEssentiel": "x"}));
        if answer.status == 202 {
            return answer.json()["data"]["id"].as_str().unwrap().to_owned();
        }
        assert!(Instant::now() < end, "{answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_redis_that_stops_for_a_while_costs_no_task_a_second_start() {
    let redis = Redis::start();
    let home = redis.home();
    let server = home.serve(&["--no-worker"]).with_token(TOKEN);
    let workers = [(), ()].map(|()| Worker::start(&home));
    let ids: Vec<String> = (0..6).map(|_| submit(&server, 2)).collect();
    until(&server, &ids[0], "under way", |task| task["progress"]["done"] == 1.0);
    redis.signal(Signal::STOP);
    // Nothing is acknowledged that may be lost, and the caller hears within seconds that it may try again.
    let asked = Instant::now();
    let refused = server.call("monOutilAsync", &serde_json::json!({"parametreEssentiel": "x"}));
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(refused.json()["retriable"], true, "{refused:?}");
    std::thread::sleep(Duration::from_secs(5));
    redis.signal(Signal::CONT);
    for id in &ids {
        let task = until_status(&server, id, "completed");
        assert_eq!(task["attempt"], 1, "{task}");
    }
    drop(workers);
}
