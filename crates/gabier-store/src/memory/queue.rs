//! Tasks in the memory of one process.

use std::sync::PoisonError;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use super::Memory;
use super::claims::answer;
use super::search::page;
use super::tasks::Tasks;
use crate::queue::{
    CancelAck, Carried, Cursor, Delivered, Delivery, DeliveryState, End, Enqueued, Fence, Filter, Held,
    Limit, Ms, NewTask, Notes, Output, OutputRange, Page, Queue, Retention, Scope, State, Stats, Step,
    Stepped, Stream, Task, TaskChange, TaskId, WorkerId, rules,
};
use crate::{Error, ErrorKind, Result};

impl Memory {
    /// Does one thing at one moment, then tells what changed.
    fn at_once<'a, T: Send + 'a>(
        &'a self,
        run: impl FnOnce(&mut Tasks, Ms) -> Result<T> + Send + 'a,
    ) -> BoxFuture<'a, Result<T>> {
        async move {
            let (outcome, changed) = {
                let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
                let outcome = run(&mut tasks, self.clock.now());
                (outcome, std::mem::take(&mut tasks.changed))
            };
            for change in changed {
                // Nobody may listen.
                let _ = self.changes.send(change);
            }
            outcome
        }
        .boxed()
    }
}

impl Queue for Memory {
    fn enqueue(&self, batch: Vec<NewTask>, limit: usize) -> BoxFuture<'_, Result<Vec<Enqueued>>> {
        self.at_once(move |tasks, now| tasks.enqueue(batch, limit, now))
    }

    fn step(&self, step: Step) -> BoxFuture<'_, Result<Stepped>> {
        self.at_once(move |tasks, now| {
            refuse_wrong_ends(&step)?;
            let taken = step.done.iter().map(|ended| tasks.finish(ended, now)).collect();
            tasks.pass_time(now);
            Ok(Stepped { taken, claimed: tasks.claim(&step, now) })
        })
    }

    fn beat(
        &self,
        _worker: &WorkerId,
        held: Vec<(TaskId, Fence)>,
        lease: Ms,
    ) -> BoxFuture<'_, Result<Vec<Held>>> {
        self.at_once(move |tasks, now| {
            Ok(held.into_iter().map(|(id, fence)| tasks.beat(&id, fence, now + lease)).collect())
        })
    }

    fn note(&self, id: &TaskId, fence: Fence, notes: Notes) -> BoxFuture<'_, Result<()>> {
        let id = id.clone();
        self.at_once(move |tasks, now| {
            let Some(seq) = tasks.held(&id, fence) else { return Ok(()) };
            if let Some(row) = tasks.rows.get_mut(&seq) {
                for (stream, bytes) in notes.output {
                    row.outputs.entry(stream).or_default().write(stream, &bytes);
                }
                for (stream, skipped) in notes.skipped {
                    row.outputs.entry(stream).or_default().skip(skipped);
                }
            }
            tasks.change(seq, now, |task| {
                if notes.progress.is_some() {
                    task.progress = notes.progress;
                }
            });
            Ok(())
        })
    }

    fn cancel(&self, id: &TaskId, why: &str) -> BoxFuture<'_, Result<CancelAck>> {
        let (id, why) = (id.clone(), why.to_owned());
        self.at_once(move |tasks, now| {
            Ok(tasks
                .row(&id)
                .map(|(seq, _)| seq)
                .map_or(CancelAck::Unknown, |seq| tasks.cancel(seq, &why, now)))
        })
    }

    fn cancel_all(&self, filter: Filter, why: &str) -> BoxFuture<'_, Result<u64>> {
        let why = why.to_owned();
        self.at_once(move |tasks, now| {
            let selected: Vec<_> = tasks.select(&filter).map(|(seq, _)| seq).collect();
            let acks = selected.into_iter().map(|seq| tasks.cancel(seq, &why, now));
            Ok(acks.filter(|ack| !matches!(ack, CancelAck::Before(_))).count() as u64)
        })
    }

    fn input(&self, id: &TaskId, answers: Map<String, Value>) -> BoxFuture<'_, Result<bool>> {
        let id = id.clone();
        self.at_once(move |tasks, now| {
            let Some((seq, row)) = tasks.row(&id) else { return Ok(false) };
            let is_asked = answers.keys().any(|key| row.task.questions.contains_key(key));
            if row.task.state == State::InputRequired && is_asked {
                tasks.change(seq, now, |task| answer(task, answers));
            }
            Ok(true)
        })
    }

    fn get(&self, id: &TaskId) -> BoxFuture<'_, Result<Option<Task>>> {
        let id = id.clone();
        self.at_once(move |tasks, _| Ok(tasks.row(&id).map(|(_, row)| row.task.clone())))
    }

    fn complete(&self, owner: Option<&str>, prefix: &str) -> BoxFuture<'_, Result<Vec<TaskId>>> {
        let (owner, prefix) = (owner.map(str::to_owned), prefix.to_owned());
        self.at_once(move |tasks, _| {
            let from = tasks.ids.range(TaskId::new(prefix.clone())..);
            let named = from.take_while(|(id, _)| id.as_str().starts_with(&prefix));
            let is_of =
                |seq: &u64| owner.as_ref().is_none_or(|owner| tasks.rows[seq].task.asked.owner == *owner);
            Ok(named.filter(|(_, seq)| is_of(seq)).map(|(id, _)| id.clone()).take(2).collect())
        })
    }

    fn list(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Task>>> {
        self.at_once(move |tasks, _| Ok(tasks.list(&filter, cursor.as_ref(), limit)))
    }

    fn stats(&self, owner: Option<&str>) -> BoxFuture<'_, Result<Stats>> {
        let owner = owner.map(str::to_owned);
        self.at_once(move |tasks, _| Ok(tasks.stats(owner.as_deref())))
    }

    fn output(&self, id: &TaskId, stream: Stream, range: OutputRange) -> BoxFuture<'_, Result<Output>> {
        let id = id.clone();
        self.at_once(move |tasks, _| {
            let kept = tasks.row(&id).and_then(|(_, row)| row.outputs.get(&stream));
            Ok(kept.map(|kept| kept.read(range)).unwrap_or_default())
        })
    }

    fn pause(&self, queue: &str, paused: bool) -> BoxFuture<'_, Result<()>> {
        let queue = queue.to_owned();
        self.at_once(move |tasks, _| {
            if paused {
                tasks.paused.insert(queue);
            } else if tasks.paused.remove(&queue) {
                tasks.changed.push(TaskChange::Work(queue));
            }
            Ok(())
        })
    }

    fn limit(&self, scope: Scope, limit: Option<Limit>) -> BoxFuture<'_, Result<()>> {
        self.at_once(move |tasks, now| {
            tasks.set_limit(scope, limit, now);
            tasks.changed.push(TaskChange::Anything);
            Ok(())
        })
    }

    fn reap(&self) -> BoxFuture<'_, Result<u64>> {
        self.at_once(|tasks, now| Ok(tasks.pass_time(now)))
    }

    fn prune(&self, keep: Retention) -> BoxFuture<'_, Result<u64>> {
        self.at_once(move |tasks, now| Ok(tasks.prune(keep, now)))
    }

    fn unchained(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Task>>> {
        self.at_once(move |tasks, _| {
            let rows = tasks.rows.values().filter(|row| row.is_unchained && row.task.state.is_terminal());
            Ok(rows.take(limit).map(|row| row.task.clone()).collect())
        })
    }

    fn chained(&self, ids: Vec<TaskId>) -> BoxFuture<'_, Result<()>> {
        self.at_once(move |tasks, _| {
            for seq in ids.iter().filter_map(|id| tasks.ids.get(id)) {
                if let Some(row) = tasks.rows.get_mut(seq) {
                    row.is_unchained = false;
                }
            }
            Ok(())
        })
    }

    fn bury(&self, filter: Filter) -> BoxFuture<'_, Result<u64>> {
        self.at_once(move |tasks, now| {
            let dead = Filter { dead_letter: Some(true), ..filter.clone() };
            let selected = tasks.select(&dead).filter(|(_, row)| filter.fits(&row.task));
            let selected: Vec<_> = selected.map(|(seq, _)| seq).collect();
            for seq in &selected {
                tasks.change(*seq, now, |task| task.dead_letter = false);
            }
            Ok(selected.len() as u64)
        })
    }

    fn due(&self, _worker: &WorkerId, want: usize, lease: Ms) -> BoxFuture<'_, Result<Vec<Delivery>>> {
        self.at_once(move |tasks, now| Ok(tasks.deliveries.claim(want, lease, now)))
    }

    fn delivered(&self, id: &str, how: Delivered) -> BoxFuture<'_, Result<()>> {
        let id = id.to_owned();
        self.at_once(move |tasks, _| {
            tasks.deliveries.delivered(&id, how);
            Ok(())
        })
    }

    fn deliveries(
        &self,
        owner: Option<&str>,
        state: Option<DeliveryState>,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Delivery>>> {
        let owner = owner.map(str::to_owned);
        self.at_once(move |tasks, _| {
            let before = cursor.and_then(|cursor| cursor.0.parse().ok()).unwrap_or(u64::MAX);
            Ok(page(tasks.deliveries.list(owner.as_deref(), state, before), limit))
        })
    }

    fn replay(&self, id: &str) -> BoxFuture<'_, Result<bool>> {
        let id = id.to_owned();
        self.at_once(move |tasks, now| Ok(tasks.deliveries.replay(&id, now)))
    }

    fn import(&self, imported: Vec<Carried>) -> BoxFuture<'_, Result<u64>> {
        self.at_once(move |tasks, _| Ok(tasks.import(imported)))
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Ms>>> {
        self.at_once(|tasks, _| {
            let time = tasks.timed.first().map(|(time, _)| *time);
            Ok(time.into_iter().chain(tasks.deliveries.next_due()).chain(tasks.next_start()).min())
        })
    }

    fn now(&self) -> BoxFuture<'_, Result<Ms>> {
        ready(Ok(self.clock.now())).boxed()
    }

    fn changes(&self) -> broadcast::Receiver<TaskChange> {
        self.changes.subscribe()
    }
}

fn refuse_wrong_ends(step: &Step) -> Result<()> {
    let wrong = step.done.iter().find_map(|ended| match ended.how {
        End::Finish { state, .. } if !rules::ends_attempt(state) => Some(state),
        _ => None,
    });
    match wrong {
        Some(state) => {
            Err(Error::new(ErrorKind::Unsupported, format!("end an attempt: none ends as {state}")))
        }
        None => Ok(()),
    }
}
