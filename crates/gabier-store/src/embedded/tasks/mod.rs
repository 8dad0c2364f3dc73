//! Tasks in the database.

mod blobs;
mod claim;
mod codes;
mod deliveries;
mod enqueue;
mod finish;
mod keeper;
mod limits;
mod lists;
mod notes;
mod output;
mod presences;
mod prune;
mod queue;
mod row;
mod tally;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use tokio::sync::broadcast;

use self::blobs::Blobs;
pub(super) use self::keeper::Bell;
use self::keeper::{Duties, Keeper};
use self::notes::{Gathered, Taken};
use self::presences::Presences;
use self::tally::Tally;
use super::sqlite::Context as _;
use super::writer::Handle;
use super::{Embedded, ended};
use crate::queue::{TaskChange, TaskId};
use crate::{Clock, Presence, Result};

/// How many changes a listener may fall behind.
const BACKLOG: usize = 4_096;

/// What the store keeps for tasks beside its connections.
pub(super) struct Tasks {
    // Ends first: it writes what is left.
    keeper: Keeper,
    clock: Clock,
    blobs: Blobs,
    notes: Gathered,
    presences: Presences,
    changes: broadcast::Sender<TaskChange>,
}

impl Tasks {
    pub(super) fn start(
        file: &Path,
        writer: &Handle,
        presence: Option<Arc<Presence>>,
        clock: Clock,
    ) -> Result<Self> {
        let (changes, notes) = (broadcast::Sender::new(BACKLOG), Gathered::default());
        let duties = Duties {
            writer: writer.clone(),
            notes: notes.clone(),
            changes: changes.clone(),
            clock: clock.clone(),
            has_wakes: presence.is_some(),
        };
        let keeper = Keeper::start(file, duties)?;
        if let Some(presence) = &presence {
            let bell = keeper.bell();
            presence.on_wake(move || bell.another());
        }
        let blobs = Blobs::of(file.parent().unwrap_or(Path::new(".")));
        Ok(Self { keeper, clock, blobs, notes, presences: Presences::of(presence), changes })
    }

    pub(super) fn bell(&self) -> Bell {
        self.keeper.bell()
    }

    /// Removes files that no task names; young ones may be of tasks that are just being added.
    pub(super) fn sweep(connection: &Connection, directory: &Path) -> Result<()> {
        let ids: rusqlite::Result<HashSet<String>> = connection
            .prepare("SELECT id FROM task WHERE files != 0")
            .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect());
        Blobs::of(directory).sweep(&ids.while_doing(|| "look which tasks have files".to_owned())?);
        Ok(())
    }

    /// Takes what lies in the files of a data directory into the rows of a copy.
    pub(super) fn take_in_files(copy: &Connection, directory: &Path) -> Result<()> {
        row::take_in_files(copy, &Blobs::of(directory))
    }

    /// The faults of the tables of tasks.
    pub(super) fn check(connection: &Connection, directory: &Path) -> Result<Vec<String>> {
        lists::check(connection, &Blobs::of(directory)).while_doing(|| "check the tasks".to_owned())
    }
}

impl Embedded {
    /// Changes tasks in one transaction, and tells what changed once it is durable.
    async fn change<T: Send + 'static>(
        &self,
        mut run: impl FnMut(&Connection, &mut Tally) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.change_with_notes(Some(HashSet::new()), move |connection, tally| run(connection, tally)).await
    }

    /// The same, after the notes that wait of these tasks, or of all.
    async fn change_with_notes<T: Send + 'static>(
        &self,
        of: Option<HashSet<TaskId>>,
        mut run: impl FnMut(&Connection, &mut Tally) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (clock, changes) = (self.tasks.clock.clone(), self.tasks.changes.clone());
        let run = move |connection: &Connection, taken: &Taken| {
            let mut tally = Tally::new(clock.now());
            notes::write(connection, taken, &mut tally)?;
            let value = run(connection, &mut tally)?;
            Ok((value, tally.settle(connection)?))
        };
        let tell = move |(_, told): &(T, Vec<TaskChange>)| {
            for change in told {
                // Nobody may listen.
                let _ = changes.send(change.clone());
            }
        };
        let (answer, _) = self.tasks.notes.submit(self.writer.handle()?, of.as_ref(), run, tell)?;
        Ok(answer.await.unwrap_or_else(|_| Err(ended()))?.0)
    }

    /// Waits until what all tasks told is committed.
    pub(super) async fn write_notes(&self) -> Result<()> {
        self.change_with_notes(None, |_, _| Ok(())).await
    }

    /// Waits until what this task told is committed.
    async fn settle_notes(&self, id: &TaskId) -> Result<()> {
        if !self.tasks.notes.concern(id) {
            return Ok(());
        }
        self.change_with_notes(Some(HashSet::from([id.clone()])), |_, _| Ok(())).await
    }

    /// Does what may wait for the disk on a thread that may.
    async fn aside<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Blobs) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let blobs = self.tasks.blobs.clone();
        self.readers.read(move |_| run(&blobs)).await
    }
}
