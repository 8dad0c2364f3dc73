//! What each engine does in a round, and the medians of all rounds.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::Plan;
use crate::figures::{median, percentile};

/// An engine under measurement. Rates are tasks per second.
pub(super) trait Lane {
    /// Adds tasks that nobody runs yet.
    async fn add(&mut self, number: u32, at_once: u32) -> Result<f64>;
    /// Runs what waits.
    async fn drain(&mut self, number: u32, slots: u32) -> Result<f64>;
    /// Adds and runs at the same time.
    async fn flow(&mut self, number: u32, at_once: u32, slots: u32) -> Result<f64>;
    /// The times from the call that adds a task to its start, one after the other.
    async fn latencies(&mut self, number: u32) -> Result<Vec<Duration>>;
    /// Ends the round.
    async fn close(&mut self) -> Result<()>;
}

/// What one round gave.
#[derive(Clone, Copy)]
pub(super) struct Phases {
    add: f64,
    add_50: f64,
    slots_1: f64,
    slots_10: f64,
    slots_50: f64,
    flow_50: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// The medians of all rounds of one engine.
#[derive(Clone, Serialize)]
pub(crate) struct Figures {
    pub(super) engine: &'static str,
    pub(super) add: f64,
    pub(super) add_50: f64,
    pub(super) slots_1: f64,
    pub(super) slots_10: f64,
    pub(super) slots_50: f64,
    pub(super) flow_50: f64,
    pub(super) start_p50_ms: f64,
    pub(super) start_p99_ms: f64,
}

impl Figures {
    pub(super) fn of(engine: &'static str, rounds: &[Phases]) -> Self {
        let of = |figure: fn(&Phases) -> f64| median(rounds.iter().map(figure).collect());
        Self {
            engine,
            add: of(|round| round.add),
            add_50: of(|round| round.add_50),
            slots_1: of(|round| round.slots_1),
            slots_10: of(|round| round.slots_10),
            slots_50: of(|round| round.slots_50),
            flow_50: of(|round| round.flow_50),
            start_p50_ms: of(|round| round.p50_ms),
            start_p99_ms: of(|round| round.p99_ms),
        }
    }
}

/// One round of one engine.
pub(super) async fn measure(lane: &mut impl Lane, plan: &Plan) -> Result<Phases> {
    let (many, few) = (plan.tasks, plan.tasks / 10);
    let add = lane.add(few, 1).await?;
    let slots_1 = lane.drain(few, 1).await?;
    let add_50 = lane.add(many, 50).await?;
    let slots_10 = lane.drain(many, 10).await?;
    lane.add(many, 50).await?;
    let slots_50 = lane.drain(many, 50).await?;
    let flow_50 = lane.flow(many, 50, 50).await?;
    let mut latencies = lane.latencies(300).await?;
    lane.close().await?;
    let (p50_ms, p99_ms) = (percentile(&mut latencies, 50), percentile(&mut latencies, 99));
    Ok(Phases { add, add_50, slots_1, slots_10, slots_50, flow_50, p50_ms, p99_ms })
}
