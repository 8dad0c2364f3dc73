//! Two servers and three workers on one Redis, as on machines of their own: processes die and freeze, and so does Redis.
//! `GABIER_KILL_ROUNDS` says how often, `GABIER_LONG_ROUNDS=1` lets Redis stop for 20 s; `--nocapture` shows the figures.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use super::{Redis, TOKEN, Worker, until, until_status};
use crate::harness::{Home, is_set, number};
use crate::tasks::{Chance, Counter, Fleet, Lines, busy};

/// How long a worker may be silent in these tests.
const LEASE: Duration = Duration::from_secs(3);

/// How long Redis stops.
fn pause() -> Duration {
    Duration::from_secs(if is_set("GABIER_LONG_ROUNDS") { 20 } else { 4 })
}

#[test]
fn what_was_acknowledged_survives_the_death_and_the_sleep_of_machines_and_of_redis() {
    let rounds = number("GABIER_KILL_ROUNDS", 8);
    let mut redis = Redis::start();
    let mut chance = Chance::new();
    let seed = chance.seed();
    let home = Home::new().with("GABIER_STORE_URL", &redis.url());
    let (home, token) = busy(Lines::settings(home));
    let home = home.with("GABIER_TASKS_LEASE_S", &LEASE.as_secs().to_string());
    let counter = Counter::new(&home, token);
    let mut fleet = Fleet::start(&home, &counter, 2, 3);
    scope(|clients| {
        let _closing = counter.closing();
        for name in 0..4 {
            let (counter, chance) = (&counter, chance.fork());
            clients.spawn(move || counter.client(name, chance));
        }
        for round in 0..rounds {
            sleep(chance.millis(100, 900));
            match round % 4 {
                0 => fleet.kill_some(&mut chance),
                1 => fleet.stop_one(&mut chance, LEASE + Duration::from_millis(1500)),
                2 => {
                    redis.kill();
                    sleep(chance.millis(100, 2_000));
                    redis.restart();
                }
                _ => {
                    redis.signal(Signal::STOP);
                    sleep(pause());
                    redis.signal(Signal::CONT);
                }
            }
            fleet.complete();
        }
    });
    let figures = counter.check(fleet.server());
    assert!(figures.acknowledged > rounds as usize, "{figures:?}");
    figures.tell(rounds, seed);
}

#[test]
fn what_must_not_start_twice_ends_when_its_machine_freezes_and_its_late_result_is_refused() {
    let redis = Redis::start();
    let home = Lines::settings(redis.home()).with("GABIER_TASKS_LEASE_S", "3");
    let lines = Lines::new();
    lines.known_to(&home);
    let servers = [(), ()].map(|()| home.serve(&["--no-worker"]).with_token(TOKEN));
    let frozen = Worker::start(&home);
    let line = lines.line();
    let mut order = lines.command(line, 2_000);
    order["background"] = true.into();
    let answer = servers[0].call("task_exec", &order);
    let id = answer.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned();
    let until_line = Instant::now() + crate::harness::PATIENCE;
    while !lines.starts().contains_key(&line) {
        assert!(Instant::now() < until_line, "it does not start");
        sleep(Duration::from_millis(20));
    }
    frozen.signal(Signal::STOP);
    let since = Instant::now();
    let heirs = [(), ()].map(|()| Worker::start(&home));
    let task = until(&servers[1], &id, "given up", |task| task["status"] == "crashed");
    assert!(since.elapsed() <= LEASE + Duration::from_secs(2), "it took {:?}", since.elapsed());
    // The command has ended meanwhile; its worker wakes up with the result in its hands.
    frozen.signal(Signal::CONT);
    let next = servers[1].call("monOutilAsync", &json!({"parametreEssentiel": "x"})).json();
    until_status(&servers[0], next["data"]["id"].as_str().unwrap(), "completed");
    assert_eq!(super::look(&servers[0], &id), task, "the zombie's result was taken");
    assert_eq!(lines.starts()[&line], 1);
    drop(heirs);
}

#[test]
fn a_redis_that_stops_beyond_the_lease_costs_no_task_and_no_second_start() {
    let redis = Redis::start();
    let home =
        Lines::settings(redis.home()).with("GABIER_TASKS_LEASE_S", "3").with("WORKER_CONCURRENCY", "20");
    let lines = Lines::new();
    lines.known_to(&home);
    let servers = [(), ()].map(|()| home.serve(&["--no-worker"]).with_token(TOKEN));
    let workers = [(), (), ()].map(|()| Worker::start(&home));
    let once: Vec<(u32, String)> = (0..6)
        .map(|at| {
            let line = lines.line();
            let mut order = lines.command(line, 1_500);
            order["background"] = true.into();
            let answer = servers[at % 2].call("task_exec", &order);
            (line, answer.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned())
        })
        .collect();
    let safe: Vec<String> = (0..6).map(|at| super::submit(&servers[at % 2], 1)).collect();
    until(&servers[0], &once[0].1, "under way", |task| task["status"] == "running");
    redis.signal(Signal::STOP);
    sleep(pause());
    redis.signal(Signal::CONT);
    let back = Instant::now();
    let new = loop {
        let answer = servers[0].call(
            "asynchronousTaskSimulatorEnhanced",
            &json!({"duration_ms": 100, "value1": 1, "value2": 1}),
        );
        if answer.status == 202 {
            break answer.json()["data"]["id"].as_str().unwrap().to_owned();
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(back.elapsed() < Duration::from_secs(3), "{answer:?}");
        sleep(Duration::from_millis(20));
    };
    until(&servers[1], &new, "started", |task| task["status"] != "pending");
    assert!(back.elapsed() <= Duration::from_secs(3), "it took {:?}", back.elapsed());
    for id in &safe {
        until_status(&servers[1], id, "completed");
    }
    for (line, id) in &once {
        let task = until(&servers[1], id, "ended", |task| {
            matches!(task["status"].as_str(), Some("completed" | "crashed" | "unknown"))
        });
        let times = lines.starts().get(line).copied().unwrap_or(0);
        assert!(times == 1 || times == 0 && task["status"] != "completed", "{times}: {task}");
    }
    drop(workers);
}
