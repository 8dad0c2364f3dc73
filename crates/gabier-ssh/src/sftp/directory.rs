//! Listings: several requests for names in flight, more while a folder turns out to be large.

use std::collections::VecDeque;

use super::attributes::Entry;
use super::error::Result;
use super::packet::Ask;
use super::path::RemotePath;
use super::session::{Pending, Session};

/// Requests for names in flight at first: one for the names, one for the end.
const IN_FLIGHT_START: usize = 2;
/// Requests for names in flight in a large folder.
const IN_FLIGHT_MAX: usize = 16;

impl Session {
    /// The entries of a folder without `.` and `..`, in the order of the server. Names are as the server gives
    /// them: who makes files of them must [`admit_name`](super::admit_name).
    pub async fn list(&self, path: &RemotePath) -> Result<Vec<Entry>> {
        self.list_all(path).await.map_err(|error| error.doing("listing", path))
    }

    async fn list_all(&self, path: &RemotePath) -> Result<Vec<Entry>> {
        let opening = self.send(Ask::Opendir, |request| request.string(path.as_bytes()));
        let handle = opening.handle().await?;
        let listing = self.read_names(&handle).await;
        drop(self.send(Ask::Close, |request| request.string(&handle)));
        listing
    }

    async fn read_names(&self, handle: &[u8]) -> Result<Vec<Entry>> {
        let ask = || self.send(Ask::Readdir, |request| request.string(handle));
        let mut in_flight: VecDeque<Pending> = std::iter::repeat_with(ask).take(IN_FLIGHT_START).collect();
        let mut wanted = IN_FLIGHT_START;
        let mut entries = Vec::new();
        // The first that has no names is the end: nothing is to be learnt from those behind it.
        while let Some(pending) = in_flight.pop_front()
            && let Some(names) = pending.names().await?
        {
            entries.extend(names.into_iter().filter(|entry| !is_dots(entry)));
            wanted = (wanted * 2).min(IN_FLIGHT_MAX);
            in_flight.extend(std::iter::repeat_with(ask).take(wanted - in_flight.len()));
        }
        Ok(entries)
    }
}

fn is_dots(entry: &Entry) -> bool {
    matches!(&entry.name[..], b"." | b"..")
}
