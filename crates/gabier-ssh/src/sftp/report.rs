//! What a transfer did.

use std::fmt::Display;

use super::attributes::Attributes;
use super::error::Error;
use super::job::Job;

/// What a transfer did.
#[derive(Debug, Default)]
pub struct Report {
    /// Files that arrived.
    pub files: u64,
    /// Bytes that arrived, those of an earlier attempt included.
    pub bytes: u64,
    /// Bytes of those that an earlier attempt had brought.
    pub resumed: u64,
    /// The SHA-256 of a single file.
    pub sha256: Option<[u8; 32]>,
    /// What was left out on purpose.
    pub skipped: Vec<Skipped>,
    /// What did not arrive.
    pub failed: Vec<Failed>,
    /// What a reader of the result should know, one sentence each.
    pub notes: Vec<String>,
}

/// A file that was left out on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The file, made printable.
    pub path: String,
    /// Why.
    pub why: &'static str,
}

/// A file that did not arrive.
#[derive(Debug)]
pub struct Failed {
    /// The file where it comes from, made printable.
    pub source: String,
    /// The file where it was to go, made printable.
    pub target: String,
    /// Why.
    pub error: Error,
}

impl Report {
    pub(super) fn skip(&mut self, path: impl Into<String>, why: &'static str) {
        self.skipped.push(Skipped { path: path.into(), why });
    }

    /// A file that is there as it should be: brought by an earlier attempt, or left out on purpose.
    pub(super) fn leave(&mut self, job: &Job, path: impl Display, attributes: &Attributes) {
        let bytes = attributes.size.unwrap_or(0);
        job.meter.arrived(bytes);
        job.meter.finished_file();
        if job.goes_on() {
            self.add(Arrived { bytes, resumed: bytes, ..Arrived::default() });
        } else {
            self.skip(path.to_string(), "unchanged");
        }
    }

    pub(super) fn fail(&mut self, source: impl Into<String>, target: impl Into<String>, error: Error) {
        self.failed.push(Failed { source: source.into(), target: target.into(), error });
    }

    /// What ended a transfer of so many files, with what had arrived by then.
    pub(super) fn ended_by(&self, error: Error, planned: usize) -> Error {
        let settled = self.files + self.skipped.len() as u64;
        error.after(self.files, self.bytes, (planned as u64).saturating_sub(settled).max(1))
    }

    /// Adds the outcome of another file.
    pub(super) fn add(&mut self, arrived: Arrived) {
        self.files += 1;
        self.bytes += arrived.bytes;
        self.resumed += arrived.resumed;
        self.notes.extend(arrived.notes);
    }

    /// Adds the report of another transfer.
    pub fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.resumed += other.resumed;
        self.skipped.extend(other.skipped);
        self.failed.extend(other.failed);
        self.notes.extend(other.notes);
        self.sha256 = if self.files == 1 { self.sha256.or(other.sha256) } else { None };
    }
}

/// One file that arrived.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    pub(super) bytes: u64,
    pub(super) resumed: u64,
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) notes: Vec<String>,
}

/// SHA-256 as people write it.
pub fn hex(hash: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    hash.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
