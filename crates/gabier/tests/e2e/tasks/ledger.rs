//! What was acknowledged, and the promises that it is held against.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chance::Chance;
use super::doors::Doors;
use super::lines::Lines;
use crate::harness::{Answer, Home, Request, Server, get, post};

/// How long all work may take to end once nobody disturbs it any more.
const QUIET: Duration = Duration::from_secs(90);

/// The states that a task does not leave.
const TERMINAL: [&str; 8] =
    ["completed", "partial", "timed_out", "failed", "crashed", "unknown", "cancelled", "expired"];

/// Where work leaves its traces.
pub(super) struct Places {
    pub(super) doors: Doors,
    lines: Lines,
}

impl Places {
    /// New ones, known to a home.
    pub(super) fn new(home: &Home) -> Self {
        let lines = Lines::new();
        lines.known_to(home);
        Self { doors: Doors::new(), lines }
    }
}

/// One piece of work.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// May start once: a scan of an address of its own.
    Once { address: IpAddr, ports: String },
    /// May start once: a command that writes a line of its own.
    Line { line: u32, command: Value },
    /// May start three times.
    Safe { milliseconds: u64 },
}

impl Order {
    /// Any.
    pub(super) fn any(places: &Places, chance: &mut Chance) -> Self {
        let Places { doors, lines } = places;
        match chance.below(6) {
            0 => Self::Once { address: doors.address(), ports: doors.quick() },
            1 => Self::Once { address: doors.address(), ports: doors.slow() },
            2 | 3 => {
                let line = lines.line();
                Self::Line { line, command: lines.command(line, chance.below(500)) }
            }
            _ => Self::Safe { milliseconds: 100 + chance.below(400) },
        }
    }

    pub(super) fn tool(&self) -> &'static str {
        match self {
            Self::Once { .. } => "port_scan",
            Self::Line { .. } => "task_exec",
            Self::Safe { .. } => "asynchronousTaskSimulatorEnhanced",
        }
    }

    /// The arguments of a call that does not wait.
    pub(super) fn arguments(&self) -> Value {
        match self {
            Self::Once { address, ports } => json!({"host": address, "ports": ports, "background": true}),
            Self::Line { command, .. } => {
                let mut arguments = command.clone();
                arguments["background"] = true.into();
                arguments
            }
            Self::Safe { milliseconds } => json!({"duration_ms": milliseconds, "value1": 20, "value2": 22}),
        }
    }
}

/// The tasks whose ids were given to somebody.
#[derive(Default)]
pub(super) struct Ledger {
    orders: Mutex<Vec<(String, Order)>>,
    ends: Mutex<HashMap<String, Value>>,
}

/// How often what happened.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) acknowledged: usize,
    pub(crate) ends: BTreeMap<String, usize>,
    pub(crate) most_attempts: u64,
}

impl Figures {
    /// Says them to whoever asked for a long run.
    #[expect(clippy::print_stderr, reason = "a person reads them, with --nocapture")]
    pub(crate) fn tell(&self, rounds: u32, seed: u64) {
        eprintln!("{rounds} rounds, seed {seed:x}: {self:?}");
    }
}

impl Ledger {
    /// Writes down the id that an envelope gives; false when the store was away and nothing was acknowledged.
    #[track_caller]
    pub(super) fn note(&self, envelope: &Value, order: &Order) -> bool {
        let id = envelope["data"]["id"].as_str().or_else(|| envelope["details"]["task_id"].as_str());
        if let Some(id) = id {
            self.orders.lock().unwrap().push((id.to_owned(), order.clone()));
        }
        // A key that was used before, whose task has ended, gives the result without the id.
        let is_taken = id.is_some() || envelope["status"] == "ok";
        assert!(is_taken || envelope["code"] == "UNAVAILABLE", "{envelope}");
        is_taken
    }

    /// Any id.
    pub(super) fn any(&self, chance: &mut Chance) -> Option<String> {
        let orders = self.orders.lock().unwrap();
        let index = usize::try_from(chance.below(orders.len().max(1) as u64)).unwrap();
        orders.get(index).map(|(id, _)| id.clone())
    }

    /// Takes in how a task stands; how it ended must be what was seen before.
    pub(super) fn see(&self, id: &str, task: &Value) {
        if !TERMINAL.contains(&task["status"].as_str().unwrap_or_default()) {
            assert!(!self.ends.lock().unwrap().contains_key(id), "an ended task moves again: {task}");
            return;
        }
        let end =
            json!([task["status"], task["finished_at"], task["attempt"], task["result"], task["error"]]);
        let mut ends = self.ends.lock().unwrap();
        let before = ends.entry(id.to_owned()).or_insert_with(|| end.clone());
        assert_eq!(*before, end, "a task ended twice: {task}");
    }

    /// Waits until all work has ended, then looks at each task. What may start once has failed only where it did not
    /// start: the rights of its owner could not be asked of a store that was away.
    #[track_caller]
    pub(super) fn check(&self, server: &Server, places: &Places) -> Figures {
        wait_until_quiet(server);
        let Places { doors, lines } = places;
        assert_eq!(doors.twice(), Vec::<IpAddr>::new(), "started twice");
        let starts = lines.starts();
        let twice: Vec<_> = starts.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "started twice: lines {twice:?}");
        let mut figures = Figures::default();
        for (id, order) in &*self.orders.lock().unwrap() {
            let answer = settled(server, &get(&format!("/api/v1/tasks/{id}")));
            assert_eq!(answer.status, 200, "{id} was acknowledged and is lost: {answer:?}");
            let task = answer.json()["data"].clone();
            self.see(id, &task);
            let status = task["status"].as_str().unwrap();
            let attempt = task["attempt"].as_u64().unwrap_or(0);
            match order {
                Order::Once { address, .. } => {
                    let knocks = doors.knocks(*address);
                    assert!(
                        matches!((status, knocks), ("completed", 1) | ("crashed", 0 | 1) | ("failed", 0)),
                        "{knocks}: {task}"
                    );
                    assert_eq!(attempt, 1, "{task}");
                }
                Order::Line { line, .. } => {
                    let times = starts.get(line).copied().unwrap_or(0);
                    assert!(
                        matches!(
                            (status, times),
                            ("completed", 1) | ("crashed" | "unknown", 0 | 1) | ("failed", 0)
                        ),
                        "{times}: {task}"
                    );
                }
                Order::Safe { .. } => {
                    assert!(matches!(status, "completed" | "crashed" | "failed"), "{task}");
                    assert!((1..=3).contains(&attempt), "{task}");
                    assert!(status == "completed" || attempt == 3, "it had attempts left: {task}");
                }
            }
            figures.acknowledged += 1;
            figures.most_attempts = figures.most_attempts.max(attempt);
            *figures.ends.entry(format!("{} {status}", order.tool())).or_default() += 1;
        }
        figures
    }
}

/// What a server answers once its store does.
#[track_caller]
fn settled(server: &Server, request: &Request) -> Answer {
    let until = Instant::now() + QUIET;
    loop {
        let answer = server.send(request.clone());
        if answer.status != 503 {
            return answer;
        }
        assert!(Instant::now() < until, "the store is away after {QUIET:?}: {answer:?}");
        sleep(Duration::from_millis(100));
    }
}

#[track_caller]
fn wait_until_quiet(server: &Server) {
    let until = Instant::now() + QUIET;
    loop {
        let answer = settled(server, &post("/api/v1/tools/queue_stats", &json!({})));
        assert_eq!(answer.status, 200, "{answer:?}");
        let stats = answer.json()["data"].clone();
        let is_open = |status| stats["byStatus"][status].as_u64().unwrap_or(0) > 0;
        if !["pending", "scheduled", "running"].into_iter().any(is_open) {
            return;
        }
        assert!(Instant::now() < until, "work goes on after {QUIET:?}: {stats}");
        sleep(Duration::from_millis(100));
    }
}
