//! Servers and workers that die at any moment, under load. `GABIER_KILL_ROUNDS` says how often.

use std::io::Write as _;
use std::thread::{scope, sleep};

use super::chance::Chance;
use super::fleet::{Counter, Fleet, busy_home};
use crate::harness::{is_set, number};

/// The variable that asks for more rounds.
const ROUNDS: &str = "GABIER_KILL_ROUNDS";

#[test]
fn what_was_acknowledged_survives_kills_and_starts_as_often_as_it_may() {
    let rounds = number(ROUNDS, 12);
    let mut chance = Chance::new();
    let seed = chance.seed();
    let (home, token) = busy_home();
    let counter = Counter::new(token);
    let mut fleet = Fleet::start(&home, &counter, 2);
    scope(|clients| {
        let _closing = counter.closing();
        for name in 0..4 {
            let (counter, chance) = (&counter, chance.fork());
            clients.spawn(move || counter.client(name, chance));
        }
        for _ in 0..rounds {
            sleep(chance.millis(20, 400));
            fleet.kill(1 + chance.below(7));
            fleet.complete();
        }
    });
    let figures = counter.ledger.check(fleet.server(), &counter.doors);
    assert!(figures.acknowledged > rounds as usize, "{figures:?}");
    if is_set(ROUNDS) {
        writeln!(std::io::stderr(), "{rounds} rounds, seed {seed:x}: {figures:?}").unwrap();
    }
}
