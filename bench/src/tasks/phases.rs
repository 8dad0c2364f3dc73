//! What each engine does in a round, and the medians of all rounds.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::Plan;
use super::redis::Redis;
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
    /// CPU time that the engine's process used so far.
    fn cpu(&self) -> Result<Duration>;
    /// Ends the round.
    async fn close(&mut self) -> Result<()>;
}

/// What one phase of a round gave.
#[derive(Clone, Copy)]
struct Phase {
    /// Tasks per second.
    rate: f64,
    /// CPU time of the engine's process, microseconds per task.
    own_us: f64,
    /// CPU time of the Redis server.
    redis_us: f64,
}

/// What one round gave.
#[derive(Clone, Copy)]
pub(super) struct Phases {
    add: Phase,
    add_50: Phase,
    slots_1: Phase,
    slots_10: Phase,
    slots_50: Phase,
    flow_50: Phase,
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
    /// CPU time per task, in microseconds: of the engine's process and of the Redis server.
    pub(super) add_50_cpu_us: [f64; 2],
    pub(super) slots_50_cpu_us: [f64; 2],
    pub(super) flow_50_cpu_us: [f64; 2],
}

impl Figures {
    pub(super) fn of(engine: &'static str, rounds: &[Phases]) -> Self {
        let of = |figure: fn(&Phases) -> f64| median(rounds.iter().map(figure).collect());
        let cpu = |phase: fn(&Phases) -> Phase| {
            let of = |figure: fn(Phase) -> f64| median(rounds.iter().map(phase).map(figure).collect());
            [of(|phase| phase.own_us), of(|phase| phase.redis_us)]
        };
        Self {
            engine,
            add: of(|round| round.add.rate),
            add_50: of(|round| round.add_50.rate),
            slots_1: of(|round| round.slots_1.rate),
            slots_10: of(|round| round.slots_10.rate),
            slots_50: of(|round| round.slots_50.rate),
            flow_50: of(|round| round.flow_50.rate),
            start_p50_ms: of(|round| round.p50_ms),
            start_p99_ms: of(|round| round.p99_ms),
            add_50_cpu_us: cpu(|round| round.add_50),
            slots_50_cpu_us: cpu(|round| round.slots_50),
            flow_50_cpu_us: cpu(|round| round.flow_50),
        }
    }
}

/// One round of one engine.
pub(super) async fn measure(lane: &mut impl Lane, redis: &Redis, plan: &Plan) -> Result<Phases> {
    let (many, few) = (plan.tasks, plan.tasks / 10);
    let add = meter(lane, redis, few, async |lane| lane.add(few, 1).await).await?;
    let slots_1 = meter(lane, redis, few, async |lane| lane.drain(few, 1).await).await?;
    let add_50 = meter(lane, redis, many, async |lane| lane.add(many, 50).await).await?;
    let slots_10 = meter(lane, redis, many, async |lane| lane.drain(many, 10).await).await?;
    lane.add(many, 50).await?;
    let slots_50 = meter(lane, redis, many, async |lane| lane.drain(many, 50).await).await?;
    let flow_50 = meter(lane, redis, many, async |lane| lane.flow(many, 50, 50).await).await?;
    let mut latencies = lane.latencies(300).await?;
    lane.close().await?;
    let (p50_ms, p99_ms) = (percentile(&mut latencies, 50), percentile(&mut latencies, 99));
    Ok(Phases { add, add_50, slots_1, slots_10, slots_50, flow_50, p50_ms, p99_ms })
}

/// Runs a phase of so many tasks and says what it cost.
async fn meter<L: Lane>(
    lane: &mut L,
    redis: &Redis,
    tasks: u32,
    phase: impl AsyncFnOnce(&mut L) -> Result<f64>,
) -> Result<Phase> {
    let (own, server) = (lane.cpu()?, redis.cpu()?);
    let rate = phase(lane).await?;
    let per_task = |now: Duration, before| now.saturating_sub(before).as_secs_f64() * 1e6 / f64::from(tasks);
    Ok(Phase { rate, own_us: per_task(lane.cpu()?, own), redis_us: per_task(redis.cpu()?, server) })
}
