//! The figures as tables on stdout, and as JSON in a file.

use std::io::{Write as _, stdout};
use std::path::Path;

use anyhow::{Context as _, Result};
use comfy_table::Table;
use serde::Serialize;

use super::history::History;
use super::phases::Figures;
use crate::goals::Goal;
use crate::report::{goals_table, table};

/// Everything one run found.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) engines: Vec<Figures>,
    pub(super) history: Option<History>,
    pub(super) goals: Vec<Goal>,
}

impl Report {
    /// Writes the tables, in Markdown, so that they can be kept in RESULTS.md.
    pub(super) fn print(&self) -> Result<()> {
        let mut out = stdout().lock();
        writeln!(
            out,
            "\nTasks that do nothing, per second, every acknowledgement synced to disk\n\n{}",
            self.engines()
        )?;
        writeln!(out, "\nCPU µs per task, of the engine's process + of Redis\n\n{}", self.cpu())?;
        if let Some(history) = &self.history {
            writeln!(out, "\nThe shipped binary on {} ended tasks\n\n{}", history.tasks, table_of(history))?;
        }
        writeln!(out, "\nGoals\n\n{}", goals_table(&self.goals))?;
        Ok(())
    }

    /// Writes all of it as JSON.
    pub(super) fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }

    fn engines(&self) -> Table {
        let header = [
            "engine",
            "add",
            "add, 50",
            "1 slot",
            "10 slots",
            "50 slots",
            "add + run",
            "start p50 ms",
            "p99 ms",
        ];
        let mut table = table(&header, 1);
        for row in &self.engines {
            let rates = [row.add, row.add_50, row.slots_1, row.slots_10, row.slots_50, row.flow_50];
            let rates = rates.map(|rate| format!("{rate:.0}"));
            let times = [row.start_p50_ms, row.start_p99_ms].map(|time| format!("{time:.2}"));
            table.add_row([row.engine.to_owned()].into_iter().chain(rates).chain(times));
        }
        table
    }

    fn cpu(&self) -> Table {
        let mut table = table(&["engine", "add, 50", "50 slots", "add + run"], 1);
        for row in &self.engines {
            let cpu = [row.add_50_cpu_us, row.slots_50_cpu_us, row.flow_50_cpu_us];
            let cpu = cpu.map(|[own, redis]| format!("{own:.0} + {redis:.0}"));
            table.add_row([row.engine.to_owned()].into_iter().chain(cpu));
        }
        table
    }
}

fn table_of(history: &History) -> Table {
    let header = ["page p99 ms", "one task p99 ms", "statistics p99 ms", "start ms", "memory MB", "disk MB"];
    let mut table = table(&header, 0);
    let figures = [
        history.page_p99_ms,
        history.task_p99_ms,
        history.statistics_p99_ms,
        history.start_ms,
        history.memory_mb,
        history.disk_mb,
    ];
    table.add_row(figures.map(|figure| format!("{figure:.1}")));
    table
}
