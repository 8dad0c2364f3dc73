//! Servers and workers that die at any moment, under load. `GABIER_KILL_ROUNDS` says how often, `--nocapture` shows the
//! figures.

use std::thread::{scope, sleep};

use super::chance::Chance;
use super::fleet::{Counter, Fleet, busy};
use super::lines::Lines;
use crate::harness::{Home, number};
use crate::redis::Redis;

/// The variable that asks for more rounds.
const ROUNDS: &str = "GABIER_KILL_ROUNDS";

#[test]
fn what_was_acknowledged_survives_kills_and_starts_as_often_as_it_may() {
    check(Home::new(), 12);
}

#[test]
fn the_same_holds_on_redis() {
    let redis = Redis::start();
    let home = Home::new().with("GABIER_STORE_URL", &redis.url()).with("GABIER_TASKS_LEASE_S", "3");
    check(home, 6);
}

#[track_caller]
fn check(home: Home, rounds: u32) {
    let rounds = number(ROUNDS, rounds);
    let mut chance = Chance::new();
    let seed = chance.seed();
    let (home, token) = busy(Lines::settings(home));
    let counter = Counter::new(&home, token);
    let mut fleet = Fleet::start(&home, &counter, 1, 2);
    scope(|clients| {
        let _closing = counter.closing();
        for name in 0..4 {
            let (counter, chance) = (&counter, chance.fork());
            clients.spawn(move || counter.client(name, chance));
        }
        for _ in 0..rounds {
            sleep(chance.millis(20, 400));
            fleet.kill_some(&mut chance);
            fleet.complete();
        }
    });
    let figures = counter.check(fleet.server());
    assert!(figures.acknowledged > rounds as usize, "{figures:?}");
    figures.tell(rounds, seed);
}
