//! Counts of tasks.

use std::collections::BTreeMap;

use gabier_store::queue::{Filter, State};
use gabier_tool::{Caller, Result, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kept::timestamp;
use crate::show::can_retry;
use crate::tasks::{BACKGROUND, DEAD_LETTERS, Tasks, scope};

/// The most crashed tasks that are listed.
const MOST: usize = 100;

/// How many tasks there are and how they went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QueueStats {
    /// All tasks that are kept.
    pub total: u64,
    /// By status.
    #[serde(rename = "byStatus")]
    pub by_status: BTreeMap<String, u64>,
    /// By sort of task.
    #[serde(rename = "byType")]
    pub by_type: BTreeMap<String, u64>,
    /// How long an ended task ran on average, in milliseconds.
    #[serde(rename = "avgDuration")]
    pub avg_duration: f64,
    /// How many of the ended tasks completed, in percent.
    #[serde(rename = "successRate")]
    pub success_rate: f64,
    /// How many run now.
    pub running: u64,
    /// How many crashed.
    pub crashed_jobs: u64,
    /// Crashed tasks that may be started anew, the latest first.
    pub can_retry: Vec<Retryable>,
    /// Tasks that have not ended, by queue; and dead letters.
    pub queues: BTreeMap<String, u64>,
    /// Queues that are paused.
    pub paused: Vec<String>,
}

/// A crashed task that may be started anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Retryable {
    /// The task.
    pub id: String,
    /// What sort of task it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it was found crashed.
    pub crashed_at: String,
}

impl Tasks {
    /// The counts of the caller's tasks (all of them for an admin), from counters: no scan.
    pub async fn stats(&self, caller: &Caller) -> Result<QueueStats> {
        let queue = self.0.queue()?;
        let owner = scope(caller);
        let counted = self.0.ask("counting tasks", queue.stats(owner)).await?;
        let mut stats = QueueStats::default();
        stats.queues.insert(BACKGROUND.to_owned(), 0);
        stats.queues.insert(DEAD_LETTERS.to_owned(), counted.dead_letters);
        stats.paused = counted.paused;
        let (mut ended, mut succeeded, mut ran) = (0_u64, 0_u64, 0_i64);
        for count in &counted.counts {
            stats.total += count.tasks;
            *stats.by_status.entry(count.state.name().to_owned()).or_default() += count.tasks;
            *stats.by_type.entry(count.kind.clone()).or_default() += count.tasks;
            match count.state {
                State::Running => stats.running += count.tasks,
                State::Crashed => stats.crashed_jobs += count.tasks,
                State::Completed => succeeded += count.tasks,
                _ => {}
            }
            if count.state.is_terminal() {
                ended += count.tasks;
                ran += count.ran;
            } else {
                *stats.queues.entry(count.queue.clone()).or_default() += count.tasks;
            }
        }
        stats.avg_duration = ratio(ran.unsigned_abs(), ended).round();
        stats.success_rate = (ratio(succeeded, ended) * 1000.0).round() / 10.0;
        if stats.crashed_jobs > 0 {
            let filter = Filter { states: vec![State::Crashed], ..Filter::owned_by(owner) };
            let page = self.0.ask("listing tasks", queue.list(filter, None, MOST)).await?;
            let retryable = page.items.iter().filter(|task| can_retry(task));
            stats.can_retry = retryable
                .map(|task| Retryable {
                    id: task.asked.id.to_string(),
                    kind: task.asked.kind.clone(),
                    crashed_at: iso(timestamp(task.finished.unwrap_or(task.updated))),
                })
                .collect();
        }
        Ok(stats)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
