//! A server, workers, stdio servers and the command line on one data directory, killed and stopped at any moment.
//! `GABIER_SHARING_ROUNDS` says how often, `--nocapture` shows the figures.

use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chance::Chance;
use super::doors::Doors;
use super::fleet::{Counter, Fleet, busy, busy_home};
use super::ledger::Order;
use super::lines::Lines;
use crate::harness::{Home, PATIENCE, Pipe, Running, Server, get, number};
use crate::redis::Redis;

/// The variable that asks for more rounds.
const ROUNDS: &str = "GABIER_SHARING_ROUNDS";

/// How long the lease of a task is here; the shortest that can be set.
const LEASE: Duration = Duration::from_secs(3);

#[test]
fn processes_of_all_kinds_share_a_directory_while_they_are_killed_and_stopped() {
    check(Home::new(), 6);
}

#[test]
fn they_share_a_redis_in_the_same_way() {
    let redis = Redis::start();
    check(Home::new().with("GABIER_STORE_URL", &redis.url()), 4);
}

#[track_caller]
fn check(home: Home, rounds: u32) {
    let rounds = number(ROUNDS, rounds);
    let mut chance = Chance::new();
    let seed = chance.seed();
    let (home, token) = busy(Lines::settings(home));
    let home = home.with("GABIER_TASKS_LEASE_S", &LEASE.as_secs().to_string());
    let counter = Counter::new(&home, token);
    let mut fleet = Fleet::start(&home, &counter, 1, 2);
    scope(|clients| {
        let _closing = counter.closing();
        let (home, counter) = (&home, &counter);
        let mut fork = || chance.fork();
        let chances = [fork(), fork(), fork(), fork()];
        let [rest, first, second, words] = chances;
        clients.spawn(move || counter.client(0, rest));
        clients.spawn(move || stdio_clients(home, counter, first));
        clients.spawn(move || stdio_clients(home, counter, second));
        clients.spawn(move || commands(home, counter, words));
        for round in 0..rounds {
            sleep(chance.millis(100, 900));
            if round % 3 == 1 {
                fleet.stop_one(&mut chance, LEASE + Duration::from_millis(1500));
            } else {
                fleet.kill_some(&mut chance);
                sleep(chance.millis(0, 300));
                fleet.complete();
            }
        }
    });
    let figures = counter.check(fleet.server());
    assert!(figures.acknowledged > rounds as usize, "{figures:?}");
    figures.tell(rounds, seed);
}

/// Stdio servers one after the other: some leave when they should, some die, some with a call under way.
fn stdio_clients(home: &Home, counter: &Counter, mut chance: Chance) {
    while !counter.is_closed() {
        let mut pipe = home.mcp(&[]);
        pipe.initialize("2025-11-25");
        for _ in 0..chance.below(5) {
            let order = Order::any(&counter.places, &mut chance);
            let result = pipe.call(order.tool(), &order.arguments());
            counter.ledger.note(&result["structuredContent"], &order);
        }
        match chance.below(3) {
            0 => assert_eq!(pipe.leave().2, Some(0)),
            1 => drop(pipe),
            _ => {
                let order = Order::any(&counter.places, &mut chance);
                pipe.begin("tools/call", &json!({"name": order.tool(), "arguments": order.arguments()}));
                sleep(chance.millis(0, 20));
            }
        }
    }
}

/// The command line, again and again; some die at their work.
fn commands(home: &Home, counter: &Counter, mut chance: Chance) {
    while !counter.is_closed() {
        let order = Order::any(&counter.places, &mut chance);
        let arguments = order.arguments();
        if chance.below(3) > 0 {
            counter.ledger.note(&home.call(order.tool(), &arguments), &order);
            continue;
        }
        let words = ["call", order.tool(), "--input", &arguments.to_string(), "--yes"];
        let dying = Running::start(&mut home.command(&words));
        sleep(chance.millis(20, 250));
        drop(dying);
    }
}

#[test]
fn a_call_over_stdio_runs_in_the_server_and_survives_the_end_of_its_client() {
    let (home, token) = busy_home();
    let doors = Doors::new();
    let server = home.serve(&[]).with_token(&token);
    let begun = |pipe: &mut Pipe| {
        let address = doors.address();
        let arguments = json!({"host": address, "ports": doors.slow()});
        pipe.begin("tools/call", &json!({"name": "port_scan", "arguments": arguments}));
        wait(|| doors.knocks(address) == 1);
        address
    };
    for dies in [true, false] {
        let mut pipe = home.mcp(&[]);
        pipe.initialize("2025-11-25");
        let address = begun(&mut pipe);
        if dies {
            drop(pipe);
        } else {
            assert_eq!(pipe.leave().2, Some(0));
        }
        wait(|| newest(&server)["status"] != "running");
        let task = newest(&server);
        assert_eq!(
            (&task["status"], &task["result"]["host"]),
            (&json!("completed"), &json!(address)),
            "{task}"
        );
        assert_eq!(doors.knocks(address), 1);
    }
}

fn newest(server: &Server) -> Value {
    server.send(get("/api/v1/tasks?limit=1")).json()["data"]["tasks"][0].clone()
}

#[track_caller]
fn wait(is_so: impl Fn() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "it did not come to that");
        sleep(Duration::from_millis(5));
    }
}
