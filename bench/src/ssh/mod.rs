//! Hosts: the shipped binary over MCP beside OpenSSH's programs, rsync, ssh2 on Node and asyncssh, in one alternating
//! run against an `sshd` of its own.

mod book;
mod content;
mod field;
mod goals;
mod line;
mod openssh;
mod product;
mod program;
mod report;
mod rows;
mod script;
mod sshd;

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::Serialize;

use self::book::Book;
use self::field::Field;
use self::report::Report;

/// How often and what.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Commands of one round where they follow each other; slow peers run fewer.
    pub(crate) calls: u32,
    pub(crate) rows: Vec<Row>,
}

impl Plan {
    /// Rounds of what takes the slowest peer minutes.
    fn few_rounds(&self) -> usize {
        self.rounds.div_ceil(3)
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Row {
    /// `true` on a warm connection, one after the other.
    Exec,
    /// 300 commands of 50 callers on one host.
    Burst,
    /// Connect, login, `true`.
    Cold,
    /// One file of 256 MiB.
    Large,
    /// One file of 64 MiB at 50 ms round trip.
    Far,
    /// 2,000 files of 4 KiB.
    Small,
    /// 200 files of 4 KiB at 50 ms round trip.
    SmallFar,
    /// 100 MB of output to a slow reader.
    Output,
    /// 200 idle connections.
    Idle,
    /// Commands on a link of 20 Mbit/s beside an upload.
    Narrow,
    /// 50 commands in one sequence.
    Sequence,
}

impl Row {
    fn title(self) -> &'static str {
        match self {
            Self::Exec => "exec true, warm",
            Self::Burst => "300 commands, 50 callers",
            Self::Cold => "connect, login, true",
            Self::Large => "256 MiB",
            Self::Far => "64 MiB at 50 ms",
            Self::Small => "2,000 × 4 KiB",
            Self::SmallFar => "200 × 4 KiB at 50 ms",
            Self::Output => "100 MB of output, slow reader",
            Self::Idle => "200 idle connections",
            Self::Narrow => "20 Mbit/s beside an upload",
            Self::Sequence => "50 trivial commands",
        }
    }
}

impl ValueEnum for Row {
    fn value_variants<'a>() -> &'a [Self] {
        &[
            Self::Exec,
            Self::Burst,
            Self::Cold,
            Self::Sequence,
            Self::Large,
            Self::Far,
            Self::Small,
            Self::SmallFar,
            Self::Output,
            Self::Idle,
            Self::Narrow,
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let name = match self {
            Self::Exec => "exec",
            Self::Burst => "burst",
            Self::Cold => "cold",
            Self::Sequence => "sequence",
            Self::Large => "large",
            Self::Far => "far",
            Self::Small => "small",
            Self::SmallFar => "small-far",
            Self::Output => "output",
            Self::Idle => "idle",
            Self::Narrow => "narrow",
        };
        Some(PossibleValue::new(name).help(self.title()))
    }
}

/// Runs the rows and prints them; true when every goal was reached.
pub(crate) async fn run(plan: &Plan, home: &Path, json: Option<&Path>) -> Result<bool> {
    let field = Field::open(home).await?;
    let mut book = Book::default();
    for row in &plan.rows {
        rows::measure(*row, &field, plan, &mut book).await?;
    }
    let goals = goals::weigh(&book, &plan.rows);
    let report = Report { figures: book.medians(), missing: field.missing(), goals };
    report.print()?;
    if let Some(file) = json {
        report.save(file)?;
    }
    Ok(report.goals.iter().all(|goal| goal.reached))
}
