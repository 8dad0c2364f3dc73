//! Adding, holding, cancelling and removing tasks.

use super::outputs::Kept;
use super::tasks::Tasks;
use crate::queue::rules::KEY_COUNTS;
use crate::queue::{CancelAck, Carried, Enqueued, Fence, Held, Ms, NewTask, Retention, State, Task, TaskId};
use crate::{Error, ErrorKind, Result};

impl Tasks {
    pub(super) fn enqueue(&mut self, batch: Vec<NewTask>, limit: usize, now: Ms) -> Result<Vec<Enqueued>> {
        let mut added = Vec::new();
        let mut answers = Vec::new();
        for task in batch {
            match self.admit(task, limit, now) {
                Ok(Ok(seq)) => {
                    added.push(seq);
                    answers.push(Enqueued::New(self.rows[&seq].task.asked.id.clone()));
                }
                Ok(Err(existing)) => answers.push(Enqueued::Existing(existing)),
                Err(error) => {
                    for seq in added {
                        self.remove(seq);
                    }
                    self.changed.clear();
                    return Err(error);
                }
            }
        }
        for seq in added {
            let Some(task) = self.rows.get(&seq).map(|row| row.task.clone()) else { continue };
            self.deliver(seq, &task, now);
        }
        Ok(answers)
    }

    /// Adds one task; gives its place, or the earlier one that stands for it.
    fn admit(&mut self, task: NewTask, limit: usize, now: Ms) -> Result<Result<u64, TaskId>> {
        if let Some(existing) = self.with_key(&task, now) {
            return Ok(Err(existing));
        }
        let refused = |why: &str| Error::new(ErrorKind::Conflict, format!("add the task {}: {why}", task.id));
        if self.ids.contains_key(&task.id) {
            return Err(refused("the id is taken"));
        }
        if limit > 0 && self.active(&task.queue) >= limit as u64 {
            return Err(refused("the queue is full"));
        }
        Ok(Ok(self.add(Task::added(task, now))))
    }

    fn with_key(&self, task: &NewTask, now: Ms) -> Option<TaskId> {
        let key = task.idempotency_key.clone()?;
        let seq = self.keys.get(&(task.owner.clone(), task.tool.clone(), key))?;
        let existing = &self.rows.get(seq)?.task;
        key_counts(existing, now).then(|| existing.asked.id.clone())
    }

    /// The place of a task that is held under this fence.
    pub(super) fn held(&self, id: &TaskId, fence: Fence) -> Option<u64> {
        let (seq, row) = self.row(id)?;
        (row.task.state == State::Running && row.task.fence == fence).then_some(seq)
    }

    pub(super) fn beat(&mut self, id: &TaskId, fence: Fence, until: Ms) -> Held {
        let Some(seq) = self.held(id, fence) else { return Held::Lost };
        let updated = self.rows[&seq].task.updated;
        self.change(seq, updated, |task| task.lease_until = Some(until));
        // A beat is no news.
        self.changed.clear();
        Held::Yes { cancel: self.rows[&seq].task.cancel.clone() }
    }

    pub(super) fn cancel(&mut self, seq: u64, why: &str, now: Ms) -> CancelAck {
        let Some(task) = self.rows.get(&seq).map(|row| &row.task) else { return CancelAck::Unknown };
        let state = task.state;
        if state.is_terminal() {
            return CancelAck::Before(state);
        }
        if task.cancel.is_none() {
            self.change(seq, now, |task| {
                task.cancel = Some(why.to_owned());
                if state != State::Running {
                    task.state = State::Cancelled;
                }
            });
        }
        if state == State::Running { CancelAck::Told } else { CancelAck::Ended }
    }

    pub(super) fn import(&mut self, imported: Vec<Carried>) -> u64 {
        let mut put = 0;
        for Carried { task, is_unchained, written, deliveries } in imported {
            if self.ids.contains_key(&task.asked.id) {
                continue;
            }
            let (is_over, owner) = (task.state.is_terminal(), task.asked.owner.clone());
            let seq = self.add(task);
            if let Some(row) = self.rows.get_mut(&seq) {
                row.is_unchained &= is_unchained || !is_over;
                row.outputs = written.iter().map(|written| (written.stream, Kept::of(written))).collect();
            }
            for delivery in deliveries {
                self.deliveries.put(seq, &owner, delivery);
            }
            put += 1;
        }
        put
    }

    pub(super) fn prune(&mut self, keep: Retention, now: Ms) -> u64 {
        let needed = self.deliveries.waiting();
        let ended = self.rows.iter().filter(|(_, row)| row.task.state.is_terminal());
        let mut ended: Vec<_> = ended
            .map(|(seq, row)| {
                let task = &row.task;
                let is_keyed = task.asked.idempotency_key.is_some() && key_counts(task, now);
                let stays = needed.contains(seq) || row.is_unchained || task.dead_letter || is_keyed;
                (task.finished.unwrap_or(task.created), *seq, row.stored_bytes(), stays)
            })
            .collect();
        ended.sort_unstable();
        let mut number = ended.len() as u64;
        let mut bytes: u64 = self.rows.values().map(super::tasks::Row::stored_bytes).sum();
        let mut gone = Vec::new();
        for (finished, seq, stored, stays) in ended {
            let is_old = finished < now.saturating_sub(keep.age);
            let is_too_much = stored > 0 && bytes > keep.output_bytes;
            if !stays && (is_old || number > keep.tasks || is_too_much) {
                number -= 1;
                bytes -= stored;
                gone.push(seq);
            }
        }
        for seq in &gone {
            self.remove(*seq);
        }
        gone.len() as u64
    }
}

fn key_counts(task: &Task, now: Ms) -> bool {
    !task.state.is_terminal() || task.created > now - KEY_COUNTS
}
