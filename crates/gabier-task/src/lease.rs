//! What this process holds, until when, and why it should let go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use gabier_store::queue::{Fence, Filter, Held, Queue, State, TaskChange, TaskId, WorkerId};
use gabier_tool::Clock;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// The held tasks of a process, kept alive by beats.
///
/// Deadlines are on the monotonic clock and count from before the claim or beat was sent: by them the store cannot
/// have given the task to another.
pub(crate) struct Leases {
    lease: Duration,
    clock: Arc<dyn Clock>,
    held: Mutex<Table>,
}

/// How often it is looked for cancels, at most.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Default)]
struct Table {
    tasks: HashMap<(TaskId, Fence), Arc<Hold>>,
    is_beating: bool,
    /// How often tasks were given back because this version does not know their tool.
    given_back: HashMap<TaskId, u32>,
}

/// How often a task of an unknown tool is given back for other workers.
const GIVEN_BACK: u32 = 5;

/// One held task.
pub(crate) struct Hold {
    until: Mutex<Duration>,
    /// Fires when the work should end; `why` says for what reason.
    pub(crate) cancel: CancellationToken,
    /// Fires when the work must be dropped at once: it is no longer ours.
    pub(crate) lost: CancellationToken,
    why: Mutex<Option<Stop>>,
    has_begun: AtomicBool,
}

/// Why held work should end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Somebody cancelled it.
    Cancelled(String),
    /// The store was silent for too long.
    Silence,
    /// The process ends.
    Ending,
}

impl Hold {
    /// Asks the work to end; the first reason counts.
    pub(crate) fn stop(&self, why: Stop) {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
        self.cancel.cancel();
    }

    /// Why the work was asked to end.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the tool itself was started: until then nothing can have happened outside.
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::SeqCst)
    }

    fn until(&self) -> Duration {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn extend(&self, until: Duration) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Leases {
    pub(crate) fn new(lease: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { lease, clock, held: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds a task that was claimed by a request sent at `asked`.
    pub(crate) fn hold(&self, id: &TaskId, fence: Fence, asked: Duration) -> Arc<Hold> {
        let hold = Arc::new(Hold {
            until: Mutex::new(asked + self.lease),
            cancel: CancellationToken::new(),
            lost: CancellationToken::new(),
            why: Mutex::default(),
            has_begun: AtomicBool::new(false),
        });
        self.table().tasks.insert((id.clone(), fence), Arc::clone(&hold));
        hold
    }

    /// Notes that the tool of an attempt starts now.
    pub(crate) fn begin(&self, id: TaskId, fence: Fence) {
        if let Some(hold) = self.table().tasks.get(&(id, fence)) {
            hold.has_begun.store(true, Ordering::SeqCst);
        }
    }

    /// Lets a task go.
    pub(crate) fn release(&self, id: &TaskId, fence: Fence) {
        self.table().tasks.remove(&(id.clone(), fence));
    }

    /// Asks one task's work to end.
    pub(crate) fn stop(&self, id: &TaskId, why: &Stop) {
        for (_, hold) in self.table().tasks.iter().filter(|((held, _), _)| held == id) {
            hold.stop(why.clone());
        }
    }

    /// Asks all work to end.
    pub(crate) fn stop_all(&self, why: &Stop) {
        self.table().tasks.values().for_each(|hold| hold.stop(why.clone()));
    }

    /// Whether the task is still ours by our own clock.
    pub(crate) fn is_alive(&self, hold: &Hold) -> bool {
        !hold.lost.is_cancelled() && self.clock.monotonic() < hold.until()
    }

    /// Whether a task of an unknown tool may be given back once more.
    pub(crate) fn give_back(&self, id: &TaskId) -> bool {
        let mut table = self.table();
        let times = table.given_back.entry(id.clone()).or_default();
        *times += 1;
        if *times <= GIVEN_BACK {
            return true;
        }
        table.given_back.remove(id);
        false
    }

    /// Whether the caller is the one who is to beat from now on: the first who asks, until it stops.
    pub(crate) fn take_beat(&self) -> bool {
        !std::mem::replace(&mut self.table().is_beating, true)
    }

    /// Beats while anything is held; ends when nothing is. Hears of cancels as soon as the store tells of them.
    pub(crate) async fn beat_on(&self, queue: &dyn Queue, worker: &WorkerId) {
        let period = self.lease / 3;
        let mut changes = queue.changes();
        let (mut beat, mut look, mut is_stale) = (self.clock.monotonic() + period, Duration::ZERO, false);
        loop {
            let now = self.clock.monotonic();
            self.expire(now);
            if now >= beat {
                beat = now + period;
                self.beat(queue, worker).await;
            } else if is_stale && now >= look {
                (look, is_stale) = (now + LOOK, false);
                self.look(queue, worker).await;
            }
            if self.ends_beating() {
                return;
            }
            let next = if is_stale { look.min(beat) } else { beat };
            let wait = next.saturating_sub(self.clock.monotonic()).min(period / 10);
            tokio::select! {
                () = self.clock.sleep(wait) => {}
                change = changes.recv(), if !is_stale => is_stale = self.concerns(change).unwrap_or(false),
            }
        }
    }

    /// Whether a change may be about something held; `None` once no change can come any more.
    fn concerns(&self, change: Result<TaskChange, RecvError>) -> Option<bool> {
        match change {
            Ok(TaskChange::Work(_)) => Some(false),
            Ok(TaskChange::Task(id)) => Some(self.table().tasks.keys().any(|(held, _)| *held == id)),
            Ok(TaskChange::Anything) | Err(RecvError::Lagged(_)) => Some(true),
            Err(RecvError::Closed) => None,
        }
    }

    fn ends_beating(&self) -> bool {
        let mut table = self.table();
        if table.tasks.is_empty() {
            table.is_beating = false;
        }
        table.tasks.is_empty()
    }

    /// Reads whether something held was cancelled, without a write.
    async fn look(&self, queue: &dyn Queue, worker: &WorkerId) {
        let keys: Vec<(TaskId, Fence)> = self.table().tasks.keys().cloned().collect();
        let ids = keys.iter().map(|(id, _)| id.clone()).collect();
        let filter = Filter { ids: Some(ids), ..Filter::default() };
        let Ok(page) = queue.list(filter, None, keys.len()).await else { return };
        let table = self.table();
        for task in page.items {
            let Some(hold) = table.tasks.get(&(task.asked.id.clone(), task.fence)) else { continue };
            if let Some(why) = task.cancel {
                hold.stop(Stop::Cancelled(why));
            } else if task.state == State::Running && task.worker.as_ref() != Some(worker) {
                hold.lost.cancel();
            }
        }
    }

    /// Renews everything that is held, in one request.
    async fn beat(&self, queue: &dyn Queue, worker: &WorkerId) {
        let asked = self.clock.monotonic();
        let keys: Vec<(TaskId, Fence)> = self.table().tasks.keys().cloned().collect();
        if keys.is_empty() {
            return;
        }
        let lease = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        let answer = select(queue.beat(worker, keys.clone(), lease), self.clock.sleep(self.lease / 3));
        match answer.await {
            Either::Left((Ok(answers), _)) => self.heard(&keys, &answers, asked),
            Either::Left((Err(error), _)) => tracing::warn!(%error, "renewing leases"),
            Either::Right(_) => tracing::warn!("renewing leases: the store does not answer"),
        }
    }

    fn heard(&self, keys: &[(TaskId, Fence)], answers: &[Held], asked: Duration) {
        let table = self.table();
        for (key, answer) in keys.iter().zip(answers) {
            let Some(hold) = table.tasks.get(key) else { continue };
            match answer {
                Held::Yes { cancel } => {
                    hold.extend(asked + self.lease);
                    if let Some(why) = cancel {
                        hold.stop(Stop::Cancelled(why.clone()));
                    }
                }
                Held::Lost => hold.lost.cancel(),
            }
        }
    }

    /// Stops what was not renewed for two thirds of its lease, and drops what was not renewed at all.
    fn expire(&self, now: Duration) {
        for hold in self.table().tasks.values() {
            let until = hold.until();
            if now >= until {
                hold.lost.cancel();
            } else if now + self.lease / 3 >= until {
                hold.stop(Stop::Silence);
            }
        }
    }
}
