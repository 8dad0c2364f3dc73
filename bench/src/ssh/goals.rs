//! What the product sets out to reach beside its peers, and whether this run did.

use super::Row;
use super::book::{Book, Who};
use crate::goals::{Goal, at_least, at_most};

/// The goals of the rows that were chosen.
pub(super) fn weigh(book: &Book, rows: &[Row]) -> Vec<Goal> {
    rows.iter().flat_map(|row| of(*row, &Figures { book, row: *row })).collect()
}

/// The figures of one row.
struct Figures<'a> {
    book: &'a Book,
    row: Row,
}

impl Figures<'_> {
    /// One figure of the product.
    fn own(&self, what: &str) -> f64 {
        self.of(what, Who::Gabier)
    }

    /// The product's figure in times of a peer's.
    fn times(&self, what: &str, peer: Who) -> f64 {
        self.own(what) / self.of(what, peer)
    }

    fn of(&self, what: &str, who: Who) -> f64 {
        self.book.median(self.row, what, who).unwrap_or(f64::NAN)
    }
}

fn of(row: Row, figures: &Figures<'_>) -> Vec<Goal> {
    let (own, times) = (|what| figures.own(what), |what, peer| figures.times(what, peer));
    let goals = match row {
        Row::Exec => vec![
            at_most("exec true, p50, times ssh -S", "≤ 0.4", times("p50 ms", Who::Ssh), 0.4),
            at_most("exec true, p50, times node ssh2", "≤ 0.1", times("p50 ms", Who::Node), 0.1),
            at_least("commands/s, times ssh -S", "≥ 2.5", times("commands/s", Who::Ssh), 2.5),
            at_most("exec true through MCP, p50 ms", "≤ 10", own("p50 ms"), 10.0),
        ],
        Row::Burst => vec![
            at_least("300 commands, times node 5 × 5", "≥ 1.2", times("commands/s", Who::Node), 1.2),
            at_most("300 commands, errors", "0", own("errors"), 0.0),
            at_most("300 commands, connections", "≤ 5", own("connections"), 5.0),
        ],
        Row::Cold => {
            vec![at_most("connect, login, true, times ssh", "≤ 0.5", times("p50 ms", Who::Ssh), 0.5)]
        }
        Row::Large => vec![
            at_most("256 MiB up, times sftp", "≤ 0.9", times("up, s", Who::Sftp), 0.9),
            at_most("256 MiB down, times sftp", "≤ 0.75", times("down, s", Who::Sftp), 0.75),
            at_most("256 MiB up, CPU, times sftp", "≤ 0.8", times("up, CPU s", Who::Sftp), 0.8),
            at_most("256 MiB down, CPU, times sftp", "≤ 0.8", times("down, CPU s", Who::Sftp), 0.8),
        ],
        Row::Far => vec![
            at_most("64 MiB at 50 ms up, times sftp", "≤ 0.6", times("up, s", Who::Sftp), 0.6),
            at_most("64 MiB at 50 ms down, times sftp", "≤ 0.4", times("down, s", Who::Sftp), 0.4),
        ],
        Row::Small => vec![
            at_most("2,000 × 4 KiB up, times sftp -r", "≤ 0.25", times("up, s", Who::Sftp), 0.25),
            at_most("2,000 × 4 KiB down, times sftp -r", "≤ 0.25", times("down, s", Who::Sftp), 0.25),
            at_most("2,000 × 4 KiB up, times rsync -r", "≤ 0.5", times("up, s", Who::Rsync), 0.5),
            at_most("2,000 × 4 KiB down, times rsync -r", "≤ 0.5", times("down, s", Who::Rsync), 0.5),
        ],
        Row::SmallFar => vec![
            at_most("200 × 4 KiB at 50 ms up, times sftp -r", "≤ 0.05", times("up, s", Who::Sftp), 0.05),
            at_most("200 × 4 KiB at 50 ms down, times sftp -r", "≤ 0.05", times("down, s", Who::Sftp), 0.05),
            at_most("200 × 4 KiB at 50 ms up, times rsync", "≤ 1.0", times("up, s", Who::Rsync), 1.0),
            at_most("200 × 4 KiB at 50 ms down, times rsync", "≤ 1.0", times("down, s", Who::Rsync), 1.0),
        ],
        Row::Output => vec![
            at_most("100 MB of output, memory growth, MB", "≤ 16", own("memory growth, MB"), 16.0),
            at_most(
                "100 MB to a slow reader of the CLI, memory growth, MB",
                "≤ 16",
                figures.of("memory growth, MB", Who::GabierCli),
                16.0,
            ),
            at_most(
                "100 MB of output, others' p50, times unloaded",
                "≤ 3",
                own("beside it, p50 ms") / own("beside nothing, p50 ms"),
                3.0,
            ),
        ],
        Row::Idle => {
            vec![at_most("200 idle connections, MB for them", "≤ 35", own("of it for them, MB"), 35.0)]
        }
        Row::Narrow => vec![at_most("20 Mbit/s beside an upload, p50 ms", "≤ 300", own("p50 ms"), 300.0)],
        Row::Sequence => vec![at_most(
            "50 commands in sequence, times apart",
            "≤ 0.2",
            own("sequence, ms") / own("apart, ms"),
            0.2,
        )],
    };
    goals.into_iter().map(told).collect()
}

/// A goal whose peer took no part says so.
fn told(goal: Goal) -> Goal {
    if goal.found.contains("NaN") { Goal { found: "not measured".to_owned(), ..goal } } else { goal }
}
