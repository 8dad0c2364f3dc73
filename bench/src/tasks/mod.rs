//! Tasks: the engine on its two stores beside BullMQ on Node, in one alternating run, and a long history.

mod bullmq;
mod engine;
mod goals;
mod history;
mod judge;
mod phases;
mod redis;
mod report;

use std::path::Path;

use anyhow::Result;

use self::phases::{Figures, Phases};
use self::report::Report;

/// How often and how much.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Tasks of the phases with many at once; the others take a tenth.
    pub(crate) tasks: u32,
    /// Ended tasks of the history; none = not measured.
    pub(crate) history: u32,
    /// The engines that take part; none named = all.
    pub(crate) engines: Vec<String>,
}

impl Plan {
    fn includes(&self, engine: &str) -> bool {
        self.engines.is_empty() || self.engines.iter().any(|word| engine.to_lowercase().contains(word))
    }
}

/// Runs everything and prints it; true when every goal was reached.
pub(crate) async fn run(plan: &Plan, home: &Path, json: Option<&Path>) -> Result<bool> {
    let engines = engines(plan, home).await?;
    let history = if plan.history > 0 { Some(history::measure(plan.history, home).await?) } else { None };
    let goals = goals::weigh(&engines, history.as_ref());
    let report = Report { engines, history, goals };
    report.print()?;
    if let Some(file) = json {
        report.save(file)?;
    }
    Ok(report.goals.iter().all(|goal| goal.reached))
}

/// All engines, one after the other in every round, so that a busy moment of the machine hits all alike.
async fn engines(plan: &Plan, home: &Path) -> Result<Vec<Figures>> {
    let redis = redis::Redis::start(home).await?;
    let mut lanes: Vec<(&'static str, Vec<Phases>)> = [goals::EMBEDDED, goals::BULLMQ, goals::ON_REDIS]
        .into_iter()
        .filter(|name| plan.includes(name))
        .map(|name| (name, Vec::new()))
        .collect();
    for round in 0..=plan.rounds {
        for (name, rounds) in &mut lanes {
            let phases = match *name {
                goals::EMBEDDED => {
                    let folder = tempfile::tempdir_in(home)?;
                    let store = engine::open(&format!("sqlite:{}", folder.path().display()))?;
                    phases::measure(&mut engine::Engine::new(store), &redis, plan).await?
                }
                goals::ON_REDIS => {
                    redis.clear().await?;
                    let store = engine::open(&redis.url())?;
                    phases::measure(&mut engine::Engine::new(store), &redis, plan).await?
                }
                _ => {
                    redis.clear().await?;
                    let mut peer = bullmq::BullMq::start(redis.port, home)?;
                    phases::measure(&mut peer, &redis, plan).await?
                }
            };
            // Round 0 warms up just-in-time compilers and caches.
            if round > 0 {
                rounds.push(phases);
            }
        }
    }
    Ok(lanes.iter().map(|(name, rounds)| Figures::of(name, rounds)).collect())
}
