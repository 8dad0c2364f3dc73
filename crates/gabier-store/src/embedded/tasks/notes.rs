//! What running tasks tell, gathered in memory and written with the next commit that comes along, or soon.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::oneshot;

use super::super::sqlite::Context as _;
use super::super::writer::Handle;
use super::output;
use super::tally::Tally;
use crate::Result;
use crate::queue::{Fence, Notes, Progress, Skipped, Stream, TaskChange, TaskId};

/// How many bytes of one task wait in memory at most; then its notes wait for the disk.
const MOST_WAITING: usize = 1 << 20;

/// The notes of this process that are not written yet. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Gathered {
    state: Arc<Mutex<State>>,
    /// Held while notes are taken and handed over, so that they arrive in the order in which they were told.
    order: Arc<Mutex<()>>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<(TaskId, Fence), Waiting>,
    /// Handed to the writer and not committed yet, with how many times.
    on_the_way: HashMap<TaskId, usize>,
}

/// What one attempt told.
#[derive(Default, Clone)]
pub(super) struct Waiting {
    progress: Option<Progress>,
    output: Vec<Piece>,
}

/// A part of a stream, and what is left out behind it.
#[derive(Clone)]
struct Piece {
    stream: Stream,
    bytes: Vec<u8>,
    skipped: Skipped,
}

impl Waiting {
    fn add(&mut self, notes: Notes) {
        if notes.progress.is_some() {
            self.progress = notes.progress;
        }
        for (stream, bytes) in notes.output {
            match self.last(stream).filter(|piece| piece.skipped == Skipped::default()) {
                Some(piece) => piece.bytes.extend(bytes),
                None => self.output.push(Piece { stream, bytes, skipped: Skipped::default() }),
            }
        }
        for (stream, skipped) in notes.skipped {
            match self.last(stream) {
                Some(piece) => {
                    piece.skipped.bytes += skipped.bytes;
                    piece.skipped.lines += skipped.lines;
                }
                None => self.output.push(Piece { stream, bytes: Vec::new(), skipped }),
            }
        }
    }

    fn last(&mut self, stream: Stream) -> Option<&mut Piece> {
        self.output.iter_mut().rfind(|piece| piece.stream == stream)
    }

    fn length(&self) -> usize {
        self.output.iter().map(|piece| piece.bytes.len()).sum()
    }
}

/// Notes that are taken to be written.
pub(super) type Taken = Vec<((TaskId, Fence), Waiting)>;

/// What became of notes that were added.
pub(super) enum Added {
    /// They are the first that wait: somebody must see to it that they are written.
    First,
    /// They wait with others.
    Along,
    /// Too much waits: they are to be written now.
    TooMuch,
}

impl Gathered {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, id: &TaskId, fence: Fence, notes: Notes) -> Added {
        let mut state = self.state();
        let is_first = state.waiting.is_empty();
        let waiting = state.waiting.entry((id.clone(), fence)).or_default();
        waiting.add(notes);
        match (waiting.length() > MOST_WAITING, is_first) {
            (true, _) => Added::TooMuch,
            (false, true) => Added::First,
            (false, false) => Added::Along,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// Whether something that this task told is not committed yet.
    pub(super) fn concern(&self, id: &TaskId) -> bool {
        let state = self.state();
        state.on_the_way.contains_key(id) || state.waiting.keys().any(|(other, _)| other == id)
    }

    /// Hands the waiting notes of some tasks, or of all, to the writer together with a request, so that nothing
    /// comes in between. The request gets them to write.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        writer: &Handle,
        of: Option<&HashSet<TaskId>>,
        mut run: impl FnMut(&Connection, &Taken) -> Result<T> + Send + 'static,
        committed: impl FnOnce(&T) + Send + 'static,
    ) -> Result<(oneshot::Receiver<Result<T>>, Arc<Taken>)> {
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = Arc::new(self.take(of));
        let ids = taken.iter().map(|((id, _), _)| id.clone()).collect();
        let (written, arrival) = (Arc::clone(&taken), Arrival { gathered: self.clone(), ids });
        let answer = writer.submit(
            move |connection| {
                // Goes with the request, committed or not.
                let _ = &arrival;
                run(connection, &written)
            },
            committed,
        )?;
        Ok((answer, taken))
    }

    fn take(&self, of: Option<&HashSet<TaskId>>) -> Taken {
        let mut state = self.state();
        if state.waiting.is_empty() {
            return Vec::new();
        }
        let is_meant = |id: &TaskId| of.is_none_or(|ids| ids.contains(id));
        let taken: Taken = state.waiting.extract_if(|(id, _), _| is_meant(id)).collect();
        for ((id, _), _) in &taken {
            *state.on_the_way.entry(id.clone()).or_default() += 1;
        }
        taken
    }

    /// Puts notes back that could not be written.
    pub(super) fn put_back(&self, taken: &Taken) {
        let mut state = self.state();
        for (key, before) in taken {
            let after = state.waiting.remove(key).unwrap_or_default();
            let mut both = before.clone();
            both.progress = after.progress.or(both.progress);
            both.output.extend(after.output);
            state.waiting.insert(key.clone(), both);
        }
    }
}

/// Ends the way of notes to the disk when it is dropped.
struct Arrival {
    gathered: Gathered,
    ids: Vec<TaskId>,
}

impl Drop for Arrival {
    fn drop(&mut self) {
        let mut state = self.gathered.state();
        for id in mem::take(&mut self.ids) {
            match state.on_the_way.get_mut(&id) {
                Some(times) if *times > 1 => *times -= 1,
                _ => {
                    state.on_the_way.remove(&id);
                }
            }
        }
    }
}

/// Writes notes; those of attempts that are over are dropped.
pub(super) fn write(connection: &Connection, taken: &Taken, tally: &mut Tally) -> Result<()> {
    for ((id, fence), waiting) in taken {
        let doing = || format!("note what the task {id} told");
        let task: Option<i64> = connection
            .prepare_cached("SELECT seq FROM task WHERE id = ?1 AND fence = ?2 AND state = 4")
            .and_then(|mut statement| {
                statement.query_row(params![id.as_str(), fence.0.cast_signed()], |row| row.get(0)).optional()
            })
            .while_doing(doing)?;
        let Some(task) = task else { continue };
        let mut stored = 0;
        for Piece { stream, bytes, skipped } in &waiting.output {
            stored += output::append(connection, task, *stream, bytes)?;
            if skipped.bytes > 0 {
                stored += output::skip(connection, task, *stream, *skipped)?;
            }
        }
        let progress = waiting.progress.as_ref().map(super::enqueue::json).transpose()?;
        connection
            .prepare_cached(
                "UPDATE task SET progress = coalesce(?2, progress), stored_bytes = stored_bytes + ?3,
                     updated = max(updated, ?4) WHERE seq = ?1",
            )
            .and_then(|mut statement| statement.execute(params![task, progress, stored, tally.now]))
            .while_doing(doing)?;
        count_bytes(connection, stored)?;
        tally.tell(TaskChange::Task(id.clone()));
    }
    Ok(())
}

/// Adds to how many bytes of output are stored in all.
pub(super) fn count_bytes(connection: &Connection, bytes: i64) -> Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE meta SET number = number + ?1 WHERE name = 'output_bytes'")
        .and_then(|mut statement| statement.execute([bytes]))
        .map(drop)
        .while_doing(|| "count the stored output".to_owned())
}
