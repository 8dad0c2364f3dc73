//! Records: small JSON documents by kind and key, changed by compare-and-set.

use std::fmt;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::{Error, ErrorKind, Result};

/// Where records rest. The futures do nothing until they are polled; a write whose future is dropped afterwards may
/// still take place.
pub trait Records: Send + Sync + 'static {
    /// The record of a kind under a key, as of the last commit.
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>>>;

    /// All records of a kind at one moment, ordered by the bytes of their keys.
    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<Record>>>;

    /// The kinds of which there is a record, in the order of their bytes.
    fn kinds(&self) -> BoxFuture<'_, Result<Vec<String>>>;

    /// Writes one record if it is as expected, and gives its new version. Durable when resolved.
    ///
    /// Fails with [`ErrorKind::Conflict`] when the record is not as expected.
    fn put<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        value: Value,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version>>;

    /// Removes one record if it is as expected; false when there was none. Durable when resolved.
    ///
    /// Fails with [`ErrorKind::Conflict`] when the record is not as expected.
    fn remove<'a>(&'a self, kind: &'a str, key: &'a str, expect: Expect) -> BoxFuture<'a, Result<bool>>;

    /// Makes several changes in their order, all of them or none. Durable when resolved.
    ///
    /// Fails with [`ErrorKind::Conflict`] when one record is not as expected.
    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<()>>;

    /// A number that grows with every change of any record by any process, and stays the same otherwise.
    ///
    /// It is current at once: once a write of another process has resolved, this differs. Meant to be asked on every
    /// request (microseconds, no disk write). Whoever caches reads the generation *before* the records, and reads
    /// them again when it differs.
    fn generation(&self) -> Result<u64>;

    /// The generation as it moves, in whichever process the change was made. Steps may be skipped; the newest never
    /// is. Other processes' changes are seen at once when both hold a presence, else within 50 ms.
    fn changes(&self) -> watch::Receiver<u64>;

    /// Examines the stored data in full and gives one sentence per fault, none when it is sound. Slow: for `doctor`.
    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>>;
}

/// One stored document.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its name, unique within the kind.
    pub key: String,
    /// What was put.
    pub value: Value,
    /// Which write it is from.
    pub version: Version,
}

/// Which write a record is from. Never used twice by a store, so a record that was removed and put again is told
/// from the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u64);

impl Version {
    /// The version with this number.
    pub fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number, 1 or more in what a store gives.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a record must be for a change to take place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Whatever it is, or is not.
    Any,
    /// Not there.
    Absent,
    /// There, and of this version.
    Version(Version),
}

impl Expect {
    /// Refuses with a conflict unless the record's present version is as expected.
    pub fn check(self, kind: &str, key: &str, present: Option<Version>) -> Result<()> {
        let state = match (self, present) {
            (Self::Any, _) | (Self::Absent, None) => return Ok(()),
            (Self::Version(expected), Some(version)) if expected == version => return Ok(()),
            (Self::Absent, Some(_)) => "it exists already",
            (Self::Version(_), None) => "it is gone",
            (Self::Version(_), Some(_)) => "it was changed meanwhile",
        };
        Err(Error::new(ErrorKind::Conflict, format!("change the {kind} record {key}: {state}")))
    }
}

/// One change among those of [`Records::apply`].
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Writes a record.
    Put {
        /// Which sort of record.
        kind: String,
        /// Its name, unique within the kind.
        key: String,
        /// What it becomes.
        value: Value,
        /// What it must be before.
        expect: Expect,
    },
    /// Removes a record; one that is not there is no fault unless a version was expected.
    Remove {
        /// Which sort of record.
        kind: String,
        /// Its name, unique within the kind.
        key: String,
        /// What it must be before.
        expect: Expect,
    },
}

impl Change {
    /// A write of a record.
    pub fn put(kind: impl Into<String>, key: impl Into<String>, value: Value, expect: Expect) -> Self {
        Self::Put { kind: kind.into(), key: key.into(), value, expect }
    }

    /// A removal of a record.
    pub fn remove(kind: impl Into<String>, key: impl Into<String>, expect: Expect) -> Self {
        Self::Remove { kind: kind.into(), key: key.into(), expect }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expect: Expect, present: Option<u64>) -> String {
        match expect.check("host", "web1", present.map(Version)) {
            Ok(()) => "ok".into(),
            Err(error) => format!("{:?}: {error}", error.kind()),
        }
    }

    #[test]
    fn a_conflict_names_the_record_and_what_it_met() {
        assert_eq!(check(Expect::Any, Some(1)), "ok");
        assert_eq!(check(Expect::Absent, None), "ok");
        assert_eq!(check(Expect::Version(Version(3)), Some(3)), "ok");
        assert_eq!(
            check(Expect::Absent, Some(1)),
            "Conflict: change the host record web1: it exists already"
        );
        assert_eq!(
            check(Expect::Version(Version(1)), None),
            "Conflict: change the host record web1: it is gone"
        );
        assert_eq!(
            check(Expect::Version(Version(1)), Some(2)),
            "Conflict: change the host record web1: it was changed meanwhile"
        );
    }
}
