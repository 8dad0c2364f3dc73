//! The figures as tables on stdout, and as JSON in a file.

use std::io::{Write as _, stdout};
use std::path::Path;

use anyhow::{Context as _, Result};
use comfy_table::Table;
use serde::Serialize;

use super::book::{Figure, Who};
use crate::goals::Goal;
use crate::report::{goals_table, table};

/// Everything one run found.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) figures: Vec<Figure>,
    /// Peers that took no part, and why.
    pub(super) missing: Vec<String>,
    pub(super) goals: Vec<Goal>,
}

impl Report {
    /// Writes the tables, in Markdown, so that they can be kept in RESULTS.md.
    pub(super) fn print(&self) -> Result<()> {
        let mut out = stdout().lock();
        writeln!(out, "\nHosts over SSH, medians of alternating rounds\n\n{}", self.figures())?;
        for line in &self.missing {
            writeln!(out, "\n{line}")?;
        }
        writeln!(out, "\nGoals\n\n{}", goals_table(&self.goals))?;
        Ok(())
    }

    /// Writes all of it as JSON.
    pub(super) fn save(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))
    }

    fn figures(&self) -> Table {
        let mut header = vec!["what", "figure"];
        header.extend(Who::ALL.map(Who::name));
        let mut table = table(&header, 2);
        let mut lines: Vec<(_, &str)> = self.figures.iter().map(|figure| (figure.row, figure.what)).collect();
        lines.dedup();
        let mut seen = Vec::new();
        for line in lines {
            if seen.contains(&line) {
                continue;
            }
            seen.push(line);
            let of = |who| {
                let mut all = self.figures.iter();
                let figure =
                    all.find(|figure| (figure.row, figure.what, figure.who) == (line.0, line.1, who));
                figure.map_or_else(|| "–".to_owned(), |figure| rounded(figure.median))
            };
            let words = [line.0.title().to_owned(), line.1.to_owned()];
            table.add_row(words.into_iter().chain(Who::ALL.map(of)));
        }
        table
    }
}

/// Three digits that count.
fn rounded(figure: f64) -> String {
    match figure.abs() {
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}
