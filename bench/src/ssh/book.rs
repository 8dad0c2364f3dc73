//! What the rounds gave, and the medians.

use serde::Serialize;

use super::Row;
use crate::figures::median;

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Who {
    Gabier,
    /// `gabier task exec` as a command of its own.
    GabierCli,
    /// `ssh`; with a master where the row is warm.
    Ssh,
    Sftp,
    Scp,
    Rsync,
    Node,
    AsyncSsh,
}

impl Who {
    pub(super) const ALL: [Self; 8] = [
        Self::Gabier,
        Self::GabierCli,
        Self::Ssh,
        Self::Sftp,
        Self::Scp,
        Self::Rsync,
        Self::Node,
        Self::AsyncSsh,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gabier => "gabier",
            Self::GabierCli => "gabier CLI",
            Self::Ssh => "ssh",
            Self::Sftp => "sftp -b",
            Self::Scp => "scp",
            Self::Rsync => "rsync",
            Self::Node => "node ssh2",
            Self::AsyncSsh => "asyncssh",
        }
    }
}

/// The median of one figure.
#[derive(Clone, Serialize)]
pub(super) struct Figure {
    pub(super) row: Row,
    /// What of the row, with its unit.
    pub(super) what: &'static str,
    pub(super) who: Who,
    pub(super) median: f64,
    rounds: Vec<f64>,
}

/// All figures of a run.
#[derive(Default)]
pub(super) struct Book(Vec<Figure>);

impl Book {
    /// Notes what one round gave.
    pub(super) fn note(&mut self, row: Row, what: &'static str, who: Who, value: f64) {
        let known =
            self.0.iter_mut().find(|figure| (figure.row, figure.what, figure.who) == (row, what, who));
        match known {
            Some(figure) => figure.rounds.push(value),
            None => self.0.push(Figure { row, what, who, median: 0.0, rounds: vec![value] }),
        }
    }

    /// The median over the rounds; none when it was not measured.
    pub(super) fn median(&self, row: Row, what: &str, who: Who) -> Option<f64> {
        let figure =
            self.0.iter().find(|figure| (figure.row, figure.what, figure.who) == (row, what, who))?;
        Some(median(figure.rounds.clone()))
    }

    /// All of them with their medians, in the order in which they were first noted.
    pub(super) fn medians(&self) -> Vec<Figure> {
        let mut figures = self.0.clone();
        for figure in &mut figures {
            figure.median = median(figure.rounds.clone());
        }
        figures
    }
}
