//! What the engine sets out to reach beside BullMQ, and whether this run did.

use super::history::History;
use super::phases::Figures;
use crate::goals::{Goal, at_least, at_most};

pub(super) const EMBEDDED: &str = "gabier, embedded";
pub(super) const ON_REDIS: &str = "gabier, Redis";
pub(super) const BULLMQ: &str = "BullMQ on Node";

/// The goals over the figures of one run; those of engines that took no part are left out.
pub(super) fn weigh(engines: &[Figures], history: Option<&History>) -> Vec<Goal> {
    let of = |name| engines.iter().find(|row| row.engine == name);
    let mut goals = Vec::new();
    if let (Some(own), Some(peer)) = (of(EMBEDDED), of(BULLMQ)) {
        let times = |figure: fn(&Figures) -> f64| figure(own) / figure(peer);
        goals.extend([
            at_least("embedded: add, times BullMQ", "≥ 1.3", times(|row| row.add), 1.3),
            at_least("embedded: add, 50 at once", "≥ 3", times(|row| row.add_50), 3.0),
            at_least("embedded: 1 slot", "≥ 1.2", times(|row| row.slots_1), 1.2),
            at_least("embedded: 10 slots", "≥ 1.5", times(|row| row.slots_10), 1.5),
            at_least("embedded: 50 slots", "≥ 2", times(|row| row.slots_50), 2.0),
            at_least("embedded: add and run, 50", "≥ 2", times(|row| row.flow_50), 2.0),
            at_most("embedded: add to start, p50", "≤ 0.8", times(|row| row.start_p50_ms), 0.8),
        ]);
    }
    if let (Some(own), Some(peer)) = (of(ON_REDIS), of(BULLMQ)) {
        let times = |figure: fn(&Figures) -> f64| figure(own) / figure(peer);
        goals.extend([
            at_least("Redis: add, times BullMQ", "≥ 1.2", times(|row| row.add), 1.2),
            at_least("Redis: add, 50 at once", "≥ 1", times(|row| row.add_50), 1.0),
            at_least("Redis: 1 slot", "≥ 1.3", times(|row| row.slots_1), 1.3),
            at_least("Redis: 10 slots", "≥ 1.5", times(|row| row.slots_10), 1.5),
            at_least("Redis: 50 slots", "≥ 1.1", times(|row| row.slots_50), 1.1),
            at_least("Redis: add and run, 50", "≥ 1.1", times(|row| row.flow_50), 1.1),
            at_most("Redis: add to start, p50", "≤ 0.9", times(|row| row.start_p50_ms), 0.9),
        ]);
    }
    if let Some(history) = history {
        goals.extend([
            at_most("history: a page, p99 ms", "< 20", history.page_p99_ms, 20.0),
            at_most("history: one task, p99 ms", "< 20", history.task_p99_ms, 20.0),
            at_most("history: statistics, p99 ms", "< 5", history.statistics_p99_ms, 5.0),
            at_most("history: start, ms", "< 500", history.start_ms, 500.0),
            at_most("history: memory, MB", "< 60", history.memory_mb, 60.0),
            at_most("history: disk, MB", "< 500", history.disk_mb, 500.0),
        ]);
    }
    goals
}
