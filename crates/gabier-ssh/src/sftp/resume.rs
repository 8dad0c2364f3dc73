//! Going on after a failure: what a journal remembers of a large file, never its size alone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::error::Result;
use super::path::RemotePath;

/// Files below this are simply sent again.
pub(super) const WORTH_RESUMING: u64 = 4 << 20;
/// How much arrives between two entries of the journal.
pub(super) const STEP: u64 = 8 << 20;
/// How much before the gap is compared when the server cannot hash.
pub(super) const COMPARED: u64 = 1 << 20;

/// Where the state of large files and of folders is kept, and for which server.
#[derive(Clone)]
pub struct Resume {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// The server; every file and folder adds its place.
    pub server: String,
}

/// Keeps checkpoints where they outlive the process.
pub trait Journal: Send + Sync {
    /// Takes the page of a file or folder until it is dropped; none while another transfer has it.
    fn take<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Box<dyn Page>>>>;
}

/// The page of one file or folder, which nobody else has.
pub trait Page: Send + Sync {
    /// The last checkpoint.
    fn load(&self) -> BoxFuture<'_, Result<Option<Checkpoint>>>;

    /// Replaces the checkpoint.
    fn save<'a>(&'a self, checkpoint: &'a Checkpoint) -> BoxFuture<'a, Result<()>>;

    /// Forgets what has arrived.
    fn forget(&self) -> BoxFuture<'_, Result<()>>;

    /// Forgets what came to nothing, at once; blocks for no longer than the removal of a file takes.
    fn discard(&self);
}

/// What is known of an unfinished copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The name of the unfinished copy beside its target; the place of a folder. As bytes.
    pub temporary: Vec<u8>,
    /// The source's size in bytes; of a folder the mark of its unfinished copies.
    pub size: u64,
    /// The source's time of change, in seconds since 1970.
    pub modified: u32,
    /// What has arrived, in order; holes lie between.
    pub segments: Vec<Segment>,
    /// The SHA-256 of what the first segment has received.
    pub prefix: [u8; 32],
}

/// A part of a file that is sent in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its first byte.
    pub start: u64,
    /// The end of what has arrived without a hole.
    pub arrived: u64,
    /// Its end.
    pub end: u64,
}

impl Checkpoint {
    /// What is known of a folder on its way: its place, and the mark of its unfinished copies.
    pub(super) fn of_folder(place: &[u8], mark: u32) -> Self {
        Self {
            temporary: place.to_vec(),
            size: mark.into(),
            modified: 0,
            segments: Vec::new(),
            prefix: [0; 32],
        }
    }

    /// The mark of a folder's unfinished copies.
    pub(super) fn mark(&self) -> Option<u32> {
        u32::try_from(self.size).ok().filter(|mark| *mark > 0)
    }
}

impl Segment {
    /// The part that is still to be sent.
    pub(super) fn rest(&self) -> Range<u64> {
        self.arrived..self.end
    }

    /// The end of what has arrived, to be compared.
    pub(super) fn compared(&self) -> Range<u64> {
        self.arrived.saturating_sub(COMPARED).max(self.start)..self.arrived
    }
}

impl Resume {
    /// The page of a file or folder on its way (`up`, `down`) to a place. Without one it is sent from the start.
    pub(super) async fn page(&self, way: &str, place: &[u8]) -> Option<Box<dyn Page>> {
        let key = format!("{} {way} {}", self.server, RemotePath::new(place));
        match self.journal.take(&key).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "a transfer has no journal");
                None
            }
        }
    }
}

/// How far something arrived without a hole, from pieces in any order.
#[derive(Debug)]
pub(super) struct Contiguous {
    end: u64,
    ahead: BTreeMap<u64, u64>,
}

impl Contiguous {
    pub(super) fn from(start: u64) -> Self {
        Self { end: start, ahead: BTreeMap::new() }
    }

    pub(super) fn arrived(&mut self, piece: Range<u64>) {
        self.ahead.insert(piece.start, piece.end);
        while let Some(end) = self.ahead.remove(&self.end) {
            self.end = end;
        }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_contiguous_part_ends_at_the_first_hole(order in Just((0..40_u64).collect::<Vec<_>>()).prop_shuffle(), count in 0..40_usize) {
            let mut contiguous = Contiguous::from(0);
            for piece in &order[..count] {
                contiguous.arrived(piece * 10..piece * 10 + 10);
            }
            let hole = (0..41).find(|piece| !order[..count].contains(piece)).unwrap();
            prop_assert_eq!(contiguous.end(), hole * 10);
        }
    }

    #[test]
    fn the_end_of_what_arrived_is_compared_and_no_more_than_arrived() {
        let segment = Segment { start: 100, arrived: 200, end: 300 };
        assert_eq!((segment.compared(), segment.rest()), (100..200, 200..300));
        let large = Segment { start: 0, arrived: 10 << 20, end: 20 << 20 };
        assert_eq!(large.compared(), 9 << 20..10 << 20);
    }
}
