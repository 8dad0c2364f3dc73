//! The figures as tables on stdout, and as JSON in a file.

use std::io::{Write, stdout};
use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::goals::Goal;
use crate::measure::{HttpFigures, ShippedFigures, StdioFigures};

/// Everything one run found.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) http: Vec<HttpFigures>,
    pub(crate) stdio: Vec<StdioFigures>,
    pub(crate) shipped: ShippedFigures,
    pub(crate) goals: Vec<Goal>,
}

impl Report {
    /// Writes the tables, in Markdown, so that they can be kept in RESULTS.md.
    pub(crate) fn print(&self) -> Result<()> {
        let mut out = stdout().lock();
        writeln!(out, "\nHTTP, tools/call echo, medians of alternating rounds\n\n{}", self.http_table())?;
        writeln!(
            out,
            "\nstdio, one call after the other, a fresh process per round\n\n{}",
            self.stdio_table()
        )?;
        writeln!(out, "\nThe shipped binary with all its tools\n\n{}", self.shipped_table())?;
        writeln!(out, "\nGoals\n\n{}", self.goals_table())?;
        Ok(())
    }

    /// Writes all of it as JSON.
    pub(crate) fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }

    fn http_table(&self) -> Table {
        let mut table = table(
            &["server", "era", "calls/s", "p50 ms", "p99 ms", "CPU µs/call", "memory MB", "start ms"],
            2,
        );
        for row in &self.http {
            table.add_row([
                row.server.to_owned(),
                row.era.to_owned(),
                format!("{:.0}", row.calls_per_s),
                format!("{:.3}", row.p50_ms),
                format!("{:.2}", row.p99_ms),
                format!("{:.0}", row.cpu_us_per_call),
                format!("{:.1}", row.memory_mb),
                format!("{:.1}", row.start_ms),
            ]);
        }
        table
    }

    fn stdio_table(&self) -> Table {
        let mut table =
            table(&["server", "first answer ms", "p50 ms", "p99 ms", "idle MB", "EOF to end ms"], 1);
        for row in &self.stdio {
            table.add_row([
                row.server.to_owned(),
                format!("{:.1}", row.first_answer_ms),
                format!("{:.3}", row.p50_ms),
                format!("{:.2}", row.p99_ms),
                format!("{:.1}", row.idle_mb),
                format!("{:.1}", row.leave_ms),
            ]);
        }
        table
    }

    fn shipped_table(&self) -> Table {
        let mut table = table(&["command", "first answer ms", "idle MB"], 1);
        let shipped = &self.shipped;
        for (command, first_answer, idle) in [
            ("gabier mcp", shipped.stdio_first_answer_ms, shipped.stdio_idle_mb),
            ("gabier serve", shipped.serve_first_answer_ms, shipped.serve_idle_mb),
        ] {
            table.add_row([command.to_owned(), format!("{first_answer:.1}"), format!("{idle:.1}")]);
        }
        table
    }

    fn goals_table(&self) -> Table {
        goals_table(&self.goals)
    }
}

/// The goals with what was found.
pub(crate) fn goals_table(goals: &[Goal]) -> Table {
    let mut table = table(&["what", "goal", "found", "reached"], 1);
    for goal in goals {
        table.add_row([goal.what, goal.bound, &goal.found, if goal.reached { "yes" } else { "NO" }]);
    }
    table
}

/// A Markdown table whose first columns are words and the others numbers.
pub(crate) fn table(header: &[&str], words: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(words) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
