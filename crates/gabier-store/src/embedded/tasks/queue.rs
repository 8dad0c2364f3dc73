//! The queue, as the other files of this folder do its work.

use std::collections::HashSet;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use super::super::Embedded;
use super::super::sqlite::Context as _;
use super::enqueue::{Imported, Prepared};
use super::notes::Added;
use super::{claim, deliveries, enqueue, finish, limits, lists, output, prune, row};
use crate::queue::{
    CancelAck, Carried, Cursor, Delivered, Delivery, DeliveryState, End, Ended, Enqueued, Fence, Filter,
    Held, Limit, Ms, NewTask, Notes, Offered, Output, OutputRange, Page, Queue, Retention, Scope, Stats,
    Step, Stepped, Stream, Task, TaskChange, TaskId, WorkerId,
};
use crate::{Result, queue};

/// How many tasks of a filter one transaction changes.
const AT_ONCE: usize = 1_000;

impl Queue for Embedded {
    fn enqueue(&self, batch: Vec<NewTask>, limit: usize) -> BoxFuture<'_, Result<Vec<Enqueued>>> {
        async move {
            let blobs = &self.tasks.blobs;
            let batch = if batch.iter().any(|task| may_be_big(&task.arguments)) {
                self.aside(move |blobs| batch.into_iter().map(|task| Prepared::new(task, blobs)).collect())
                    .await?
            } else {
                batch.into_iter().map(|task| Prepared::new(task, blobs)).collect::<Result<Vec<_>>>()?
            };
            self.change(move |connection, tally| enqueue::enqueue(connection, &batch, limit, tally)).await
        }
        .boxed()
    }

    fn takes_offers(&self) -> bool {
        true
    }

    fn offer(
        &self,
        task: NewTask,
        limit: usize,
        worker: &WorkerId,
        lease: Ms,
    ) -> BoxFuture<'_, Result<Offered>> {
        let claim = (worker.clone(), lease);
        async move {
            let is_big = may_be_big(&task.arguments);
            let prepare = move |blobs: &_| Prepared::new(task, blobs);
            let mut task = if is_big { self.aside(prepare).await? } else { prepare(&self.tasks.blobs)? };
            self.change(move |connection, tally| enqueue::offer(connection, &mut task, &claim, limit, tally))
                .await
        }
        .boxed()
    }

    fn step(&self, step: Step) -> BoxFuture<'_, Result<Stepped>> {
        async move {
            let mut step = step;
            let dead = if self.tasks.presences.is_due() { self.dead().await? } else { Vec::new() };
            let done = std::mem::take(&mut step.done);
            let is_big = done.iter().any(leaves_much);
            let ids: HashSet<_> = done.iter().map(|ended| ended.id.clone()).collect();
            let prepare = move |blobs: &_| {
                let done = done.into_iter().map(|ended| finish::Prepared::new(ended, blobs));
                done.collect::<Result<Vec<_>>>()
            };
            let done = if is_big { self.aside(prepare).await? } else { prepare(&self.tasks.blobs)? };
            let files: Vec<_> =
                done.iter().map(|ended| (ended.id.clone(), ended.fence, ended.files())).collect();
            let (taken, claimed) = self
                .change_with_notes(Some(ids), move |connection, tally| {
                    let taken = done.iter().map(|ended| ended.take(connection, tally));
                    let taken = taken.collect::<Result<Vec<_>>>()?;
                    claim::pass_time(connection, &dead, tally)?;
                    Ok((taken, claim::claim(connection, &step, tally)?))
                })
                .await?;
            for ((id, fence, files), _) in files.into_iter().zip(&taken).filter(|(_, taken)| !**taken) {
                self.tasks.blobs.remove(&id, fence, files);
            }
            let claimed = claimed.into_iter().map(|raw| raw.task(&self.tasks.blobs));
            Ok(Stepped { taken, claimed: claimed.collect::<Result<_>>()? })
        }
        .boxed()
    }

    fn beat(
        &self,
        _worker: &WorkerId,
        held: Vec<(TaskId, Fence)>,
        lease: Ms,
    ) -> BoxFuture<'_, Result<Vec<Held>>> {
        self.change(move |connection, tally| {
            let until = tally.now + lease;
            held.iter().map(|(id, fence)| finish::beat(connection, id, *fence, until)).collect()
        })
        .boxed()
    }

    fn note(&self, id: &TaskId, fence: Fence, notes: Notes) -> BoxFuture<'_, Result<()>> {
        let id = id.clone();
        async move {
            match self.tasks.notes.add(&id, fence, notes) {
                Added::Along => Ok(()),
                Added::First => {
                    self.tasks.bell().look();
                    Ok(())
                }
                Added::TooMuch => self.settle_notes(&id).await,
            }
        }
        .boxed()
    }

    fn cancel(&self, id: &TaskId, why: &str) -> BoxFuture<'_, Result<CancelAck>> {
        let (id, why) = (id.clone(), why.to_owned());
        self.change(move |connection, tally| finish::cancel(connection, ("id", &id.as_str()), &why, tally))
            .boxed()
    }

    fn cancel_all(&self, filter: Filter, why: &str) -> BoxFuture<'_, Result<u64>> {
        let why = why.to_owned();
        async move {
            let mut count = 0;
            for seqs in self.select(active(filter)).await?.chunks(AT_ONCE) {
                let (seqs, why) = (seqs.to_vec(), why.clone());
                let cancelled = self.change(move |connection, tally| {
                    let mut cancelled = 0;
                    for seq in &seqs {
                        let ack = finish::cancel(connection, ("seq", seq), &why, tally)?;
                        cancelled += u64::from(matches!(ack, CancelAck::Ended | CancelAck::Told));
                    }
                    Ok(cancelled)
                });
                count += cancelled.await?;
            }
            Ok(count)
        }
        .boxed()
    }

    fn input(&self, id: &TaskId, answers: Map<String, Value>) -> BoxFuture<'_, Result<bool>> {
        let id = id.clone();
        self.change(move |connection, tally| finish::input(connection, &id, &answers, tally)).boxed()
    }

    fn get(&self, id: &TaskId) -> BoxFuture<'_, Result<Option<Task>>> {
        let id = id.clone();
        async move {
            self.settle_notes(&id).await?;
            let blobs = self.tasks.blobs.clone();
            let read = self
                .readers
                .read(move |connection| row::get(connection, &id)?.map(|raw| raw.task(&blobs)).transpose());
            read.await
        }
        .boxed()
    }

    fn complete(&self, owner: Option<&str>, prefix: &str) -> BoxFuture<'_, Result<Vec<TaskId>>> {
        let (owner, prefix) = (owner.map(str::to_owned), prefix.to_owned());
        self.readers.read(move |connection| row::complete(connection, owner.as_deref(), &prefix)).boxed()
    }

    fn list(
        &self,
        filter: Filter,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Task>>> {
        let blobs = self.tasks.blobs.clone();
        self.readers
            .read(move |connection| lists::list(connection, &filter, cursor.as_ref(), limit, &blobs))
            .boxed()
    }

    fn stats(&self, owner: Option<&str>) -> BoxFuture<'_, Result<Stats>> {
        let owner = owner.map(str::to_owned);
        self.readers.read(move |connection| lists::stats(connection, owner.as_deref())).boxed()
    }

    fn output(&self, id: &TaskId, stream: Stream, range: OutputRange) -> BoxFuture<'_, Result<Output>> {
        let id = id.clone();
        async move {
            self.settle_notes(&id).await?;
            self.readers.read(move |connection| output::read(connection, &id, stream, range)).await
        }
        .boxed()
    }

    fn pause(&self, queue: &str, paused: bool) -> BoxFuture<'_, Result<()>> {
        let queue = queue.to_owned();
        self.change(move |connection, tally| {
            let sql = if paused {
                "INSERT INTO task_paused VALUES (?1) ON CONFLICT DO NOTHING"
            } else {
                tally.tell(TaskChange::Work(queue.clone()));
                "DELETE FROM task_paused WHERE queue = ?1"
            };
            connection.execute(sql, [&queue]).map(drop).while_doing(|| format!("pause {queue}"))
        })
        .boxed()
    }

    fn limit(&self, scope: Scope, limit: Option<Limit>) -> BoxFuture<'_, Result<()>> {
        self.change(move |connection, tally| {
            tally.tell(TaskChange::Anything);
            limits::set(connection, &scope, limit, tally.now)
        })
        .boxed()
    }

    fn reap(&self) -> BoxFuture<'_, Result<u64>> {
        async move {
            let dead = self.dead().await?;
            self.change(move |connection, tally| claim::pass_time(connection, &dead, tally)).await
        }
        .boxed()
    }

    fn prune(&self, keep: Retention) -> BoxFuture<'_, Result<u64>> {
        async move {
            let mut gone = 0;
            loop {
                let removed =
                    self.change(move |connection, tally| prune::prune(connection, keep, tally)).await?;
                if removed.is_empty() {
                    break;
                }
                gone += removed.len() as u64;
                self.aside(move |blobs| {
                    for (id, fence, files) in &removed {
                        blobs.remove(id, *fence, *files);
                    }
                    Ok(())
                })
                .await?;
            }
            while gone > 0 && self.change(|connection, _| prune::shrink(connection)).await? {}
            Ok(gone)
        }
        .boxed()
    }

    fn unchained(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Task>>> {
        let blobs = self.tasks.blobs.clone();
        self.readers
            .read(move |connection| {
                let rows = prune::unchained(connection, limit)?.into_iter();
                rows.map(|raw| raw.task(&blobs)).collect()
            })
            .boxed()
    }

    fn chained(&self, ids: Vec<TaskId>) -> BoxFuture<'_, Result<()>> {
        self.change(move |connection, _| prune::chained(connection, &ids)).boxed()
    }

    fn bury(&self, filter: Filter) -> BoxFuture<'_, Result<u64>> {
        async move {
            if filter.dead_letter == Some(false) {
                return Ok(0);
            }
            let mut count = 0;
            let dead = Filter { dead_letter: Some(true), ..filter };
            for seqs in self.select(dead).await?.chunks(AT_ONCE) {
                let seqs = seqs.to_vec();
                count += self.change(move |connection, tally| prune::bury(connection, &seqs, tally)).await?;
            }
            Ok(count)
        }
        .boxed()
    }

    fn due(&self, _worker: &WorkerId, want: usize, lease: Ms) -> BoxFuture<'_, Result<Vec<Delivery>>> {
        self.change(move |connection, tally| deliveries::claim(connection, want, lease, tally.now)).boxed()
    }

    fn delivered(&self, id: &str, how: Delivered) -> BoxFuture<'_, Result<()>> {
        let id = id.to_owned();
        self.change(move |connection, _| deliveries::delivered(connection, &id, &how)).boxed()
    }

    fn deliveries(
        &self,
        owner: Option<&str>,
        state: Option<DeliveryState>,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Delivery>>> {
        let owner = owner.map(str::to_owned);
        self.readers
            .read(move |connection| {
                deliveries::list(connection, owner.as_deref(), state, cursor.as_ref(), limit)
            })
            .boxed()
    }

    fn replay(&self, id: &str) -> BoxFuture<'_, Result<bool>> {
        let id = id.to_owned();
        self.change(move |connection, tally| deliveries::replay(connection, &id, tally.now)).boxed()
    }

    fn import(&self, tasks: Vec<Carried>) -> BoxFuture<'_, Result<u64>> {
        async move {
            let import = move |blobs: &_| tasks.into_iter().map(|task| Imported::new(task, blobs)).collect();
            let imported: Vec<Imported> = self.aside(import).await?;
            self.change(move |connection, tally| {
                let mut put = 0;
                for task in &imported {
                    put += u64::from(task.put(connection, tally)?);
                }
                tally.tell(TaskChange::Anything);
                Ok(put)
            })
            .await
        }
        .boxed()
    }

    fn next_due(&self) -> BoxFuture<'_, Result<Option<Ms>>> {
        self.readers
            .read(|connection| {
                let due = row::next_due(connection)?;
                Ok(due.into_iter().chain(limits::next_start(connection)?).min())
            })
            .boxed()
    }

    fn now(&self) -> BoxFuture<'_, Result<Ms>> {
        ready(Ok(self.tasks.clock.now())).boxed()
    }

    fn changes(&self) -> broadcast::Receiver<TaskChange> {
        let receiver = self.tasks.changes.subscribe();
        self.tasks.bell().look();
        receiver
    }
}

impl Embedded {
    /// The processes that hold tasks and are dead.
    async fn dead(&self) -> Result<Vec<String>> {
        let presences = self.tasks.presences.clone();
        self.readers.read(move |connection| presences.dead(connection)).await
    }

    /// The rows of all that a filter selects.
    async fn select(&self, filter: Filter) -> Result<Vec<i64>> {
        let blobs = self.tasks.blobs.clone();
        self.readers.read(move |connection| lists::select(connection, &filter, &blobs)).await
    }
}

/// The same filter, of tasks that have not ended.
fn active(mut filter: Filter) -> Filter {
    let mut states: Vec<_> = queue::State::ALL.into_iter().filter(|state| !state.is_terminal()).collect();
    if !filter.states.is_empty() {
        states.retain(|state| filter.states.contains(state));
        if states.is_empty() {
            filter.ids = Some(Vec::new());
        }
    }
    filter.states = states;
    filter
}

fn leaves_much(ended: &Ended) -> bool {
    match &ended.how {
        End::Finish { result, error, .. } => result.iter().chain(error).any(may_be_big),
        _ => false,
    }
}

/// Whether a value may be too big for a row; a guess that costs little and never misses.
fn may_be_big(value: &Value) -> bool {
    fn weigh(value: &Value, left: &mut usize) -> bool {
        let weight = match value {
            // A character takes up to six bytes where it is escaped.
            Value::String(text) => text.len() * 6,
            Value::Array(items) => return items.iter().any(|item| weigh(item, left)),
            Value::Object(fields) => {
                return fields
                    .iter()
                    .any(|(name, field)| spend(name.len() * 6 + 4, left) || weigh(field, left));
            }
            _ => 32,
        };
        spend(weight, left)
    }
    fn spend(weight: usize, left: &mut usize) -> bool {
        let is_over = weight + 2 > *left;
        *left = left.saturating_sub(weight + 2);
        is_over
    }
    weigh(value, &mut (64 << 10))
}
