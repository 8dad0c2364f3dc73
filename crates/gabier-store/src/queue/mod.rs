//! The queue: tasks that outlive the request that made them.
//!
//! [`Queue`] is the seam. Its times are those of the store's clock, never of a worker's. What it decides by itself is
//! the state machine ([`State`]); backoff, schedules, chaining and what a webhook says are decided above it, so that
//! all stores behave alike.

mod carried;
pub mod contract;
mod delivery;
mod filter;
pub mod rules;
mod state;
mod task;

use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::sync::broadcast;

pub use carried::{Carried, Written};
pub use delivery::{Delivered, Delivery, DeliveryEvent, DeliveryState};
pub use filter::{Cursor, Filter, Order, Page};
pub use state::State;
pub use task::{Fence, NewTask, Progress, Task, TaskId, Then, ThenOn, WorkerId};

use crate::{Error, ErrorKind, Result};

/// Milliseconds: a moment since 1970 by the store's clock, or a length of time.
pub type Ms = i64;

/// Where tasks rest. The futures do nothing until they are polled; a write whose future is dropped afterwards may
/// still take place.
pub trait Queue: Send + Sync + 'static {
    /// Adds tasks, all of them or none. Durable when resolved, and not seen by anybody before.
    ///
    /// A task whose owner, tool and idempotency key were used within the last 24 h (or are of a task that has not
    /// ended) is not added: the earlier one is given. A task with a `claim` starts as running, fenced and leased.
    ///
    /// Fails with `Full` when the store has no room, and with `Conflict` when an id is taken, or when more than `limit`
    /// tasks of a queue would not have ended (`QUEUE_FULL`); `limit` 0 means none. Nothing is added then.
    fn enqueue(&self, batch: Vec<NewTask>, limit: usize) -> BoxFuture<'_, Result<Vec<Enqueued>>>;

    /// Whether [`Queue::offer`] ever starts a task.
    fn takes_offers(&self) -> bool {
        false
    }

    /// Adds one task as [`Queue::enqueue`] does, for a worker that has a place for it. A store may start it in the same
    /// commit, as its first attempt under its first fence, if a step of that worker would have claimed it next.
    fn offer(
        &self,
        task: NewTask,
        limit: usize,
        _worker: &WorkerId,
        _lease: Ms,
    ) -> BoxFuture<'_, Result<Offered>> {
        let added = self.enqueue(vec![task], limit);
        Box::pin(async move {
            let added = added.await?.pop();
            let added = added.ok_or_else(|| Error::new(ErrorKind::Damaged, "add a task: no answer"))?;
            Ok(Offered { added, is_claimed: false })
        })
    }

    /// Ends attempts and claims new ones, in one commit: the start of a claimed task is durable when this resolves.
    ///
    /// A task that was cancelled while it ran does not wait again: an end that would make it wait makes it cancelled.
    /// Fails with `Unsupported`, and does nothing, when a `Finish` names a state that no attempt ends in.
    fn step(&self, step: Step) -> BoxFuture<'_, Result<Stepped>>;

    /// Renews the leases of what a worker holds.
    fn beat(
        &self,
        worker: &WorkerId,
        held: Vec<(TaskId, Fence)>,
        lease: Ms,
    ) -> BoxFuture<'_, Result<Vec<Held>>>;

    /// Keeps progress (the latest wins), log lines and output of a running attempt. Not synced to disk by itself, and
    /// silently refused when the fence is not the present one.
    fn note(&self, id: &TaskId, fence: Fence, notes: Notes) -> BoxFuture<'_, Result<()>>;

    /// Cancels one task: what has not started ends now; a running one is flagged, and its worker told.
    fn cancel(&self, id: &TaskId, why: &str) -> BoxFuture<'_, Result<CancelAck>>;

    /// Cancels all that a filter selects and that has not ended; gives how many. 100,000 waiting ones take less than
    /// 5 s, and none of them starts once this has resolved.
    fn cancel_all(&self, filter: Filter, why: &str) -> BoxFuture<'_, Result<u64>>;

    /// Gives answers to a task that waits for input, by key; a key that is not asked or was answered is ignored. Once
    /// all are there the task goes back to its queue. False when the task is unknown.
    fn input(&self, id: &TaskId, answers: Map<String, Value>) -> BoxFuture<'_, Result<bool>>;

    /// One task, by one index look-up.
    fn get(&self, id: &TaskId) -> BoxFuture<'_, Result<Option<Task>>>;

    /// The ids that start with a prefix, among one owner's or all tasks; at most two, which is enough to call it
    /// ambiguous.
    fn complete(&self, owner: Option<&str>, prefix: &str) -> BoxFuture<'_, Result<Vec<TaskId>>>;

    /// A page of tasks, newest first.
    fn list(&self, filter: Filter, cursor: Option<Cursor>, limit: usize)
    -> BoxFuture<'_, Result<Page<Task>>>;

    /// How many tasks of each queue, tool and state there are, from counters; of one owner or all.
    fn stats(&self, owner: Option<&str>) -> BoxFuture<'_, Result<Stats>>;

    /// A part of what an attempt wrote, as bytes; nothing when there is none.
    fn output(&self, id: &TaskId, stream: Stream, range: OutputRange) -> BoxFuture<'_, Result<Output>>;

    /// Stops or resumes the claiming of a queue's tasks; running ones go on.
    fn pause(&self, queue: &str, paused: bool) -> BoxFuture<'_, Result<()>>;

    /// Sets how much of a kind may run at once and start per second, over all workers; `None` lifts it. What a rate has
    /// given stays given when it is set again, or another in its place.
    fn limit(&self, scope: Scope, limit: Option<Limit>) -> BoxFuture<'_, Result<()>>;

    /// Moves on what lost its worker or its time: leases that ended or whose process is dead ([`State::after_loss`];
    /// one that would be repeated but was cancelled is cancelled), and deadlines that passed while a task waited, be
    /// it for another attempt. Claims do the same; this is for idle stores. Gives how many moved.
    fn reap(&self) -> BoxFuture<'_, Result<u64>>;

    /// Removes ended tasks by age, number and stored output, oldest first, at most 1,000 in one transaction; what has
    /// deliveries to make, a chain to start, an idempotency key that still counts, or lies among the dead letters stays.
    /// Gives how many are gone.
    fn prune(&self, keep: Retention) -> BoxFuture<'_, Result<u64>>;

    /// Ended tasks whose `then` was not looked at yet.
    fn unchained(&self, limit: usize) -> BoxFuture<'_, Result<Vec<Task>>>;

    /// Notes that the `then` of these tasks was looked at.
    fn chained(&self, ids: Vec<TaskId>) -> BoxFuture<'_, Result<()>>;

    /// Takes tasks out of the dead letters; their history stays. Gives how many were there.
    fn bury(&self, filter: Filter) -> BoxFuture<'_, Result<u64>>;

    /// Claims webhook deliveries that are due: at most one a task, in the order of their events. A claim ends by
    /// itself after `lease`.
    fn due(&self, worker: &WorkerId, want: usize, lease: Ms) -> BoxFuture<'_, Result<Vec<Delivery>>>;

    /// Notes how a try to deliver ended.
    fn delivered(&self, id: &str, how: Delivered) -> BoxFuture<'_, Result<()>>;

    /// A page of deliveries, newest first; of one owner's tasks or all, in one state or any.
    fn deliveries(
        &self,
        owner: Option<&str>,
        state: Option<DeliveryState>,
        cursor: Option<Cursor>,
        limit: usize,
    ) -> BoxFuture<'_, Result<Page<Delivery>>>;

    /// Makes a dead or done delivery due again, from its first try; false when there is no such delivery.
    fn replay(&self, id: &str) -> BoxFuture<'_, Result<bool>>;

    /// Puts tasks as they are, with all that belongs to them, for copies between stores; those that exist are left
    /// alone. Of what they wrote as much is kept as this store keeps. Gives how many were put.
    fn import(&self, tasks: Vec<Carried>) -> BoxFuture<'_, Result<u64>>;

    /// When a delayed task, a lease, a deadline, a delivery or a start under a rate is next due; `None` when nothing
    /// waits for time alone. What a worker sleeps until.
    fn next_due(&self) -> BoxFuture<'_, Result<Option<Ms>>>;

    /// The store's clock.
    fn now(&self) -> BoxFuture<'_, Result<Ms>>;

    /// What changes, as it is committed by any process: for who waits for a task or for work. A receiver that lags
    /// looks at everything anew.
    fn changes(&self) -> broadcast::Receiver<TaskChange>;
}

/// What became of a task that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enqueued {
    /// It was added.
    New(TaskId),
    /// An earlier one with the same idempotency key stands for it.
    Existing(TaskId),
}

/// What became of a task that a worker had a place for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// Whether it was added.
    pub added: Enqueued,
    /// Whether the worker holds it from now on.
    pub is_claimed: bool,
}

/// What a worker ends and what it wants next.
#[derive(Debug, Clone)]
pub struct Step {
    /// Who asks.
    pub worker: WorkerId,
    /// How its attempts ended.
    pub done: Vec<Ended>,
    /// The queue to claim from.
    pub queue: String,
    /// How many it can take now.
    pub want: usize,
    /// How long it may hold them without a beat.
    pub lease: Ms,
}

/// The answer to a step.
#[derive(Debug, Clone, Default)]
pub struct Stepped {
    /// For each attempt of `done`, whether its end was taken: false when the fence was not the present one.
    pub taken: Vec<bool>,
    /// What the worker holds from now on, in the order in which it should start: by priority, then by age.
    pub claimed: Vec<Task>,
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The task.
    pub id: TaskId,
    /// The attempt's fence.
    pub fence: Fence,
    /// What becomes of the task.
    pub how: End,
}

/// What becomes of a task when an attempt ends.
#[derive(Debug, Clone)]
pub enum End {
    /// It ends.
    Finish {
        /// How: a terminal state.
        state: State,
        /// What it leaves.
        result: Option<Value>,
        /// Why it failed.
        error: Option<Value>,
        /// Whether it lies among the dead letters.
        dead_letter: bool,
    },
    /// It runs again at that time.
    Retry {
        /// When.
        at: Ms,
        /// Why this attempt failed.
        error: Value,
    },
    /// It goes back as if it had not been claimed: the attempt does not count.
    Release,
    /// It waits for answers to these questions, by key.
    Ask(Map<String, Value>),
}

/// What a beat says of a held task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Still held; `cancel` says why it should stop.
    Yes {
        /// Set once somebody cancelled it.
        cancel: Option<String>,
    },
    /// Another holds it, or it ended: stop at once.
    Lost,
}

/// What a running attempt tells.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// How far it is.
    pub progress: Option<Progress>,
    /// What it wrote, in order.
    pub output: Vec<(Stream, Vec<u8>)>,
    /// What it wrote after that and nobody keeps: of a stream's end nothing from before it is kept either.
    pub skipped: Vec<(Stream, Skipped)>,
}

/// How much of a stream nobody keeps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many bytes.
    pub bytes: u64,
    /// How many line ends among them.
    pub lines: u64,
}

/// What a task writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// A command's standard output.
    Stdout,
    /// A command's standard error.
    Stderr,
    /// Log lines of the tool.
    Log,
}

/// Which bytes of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputRange {
    /// The first byte, counted over everything that was ever written.
    pub from: u64,
    /// How many at most.
    pub length: usize,
}

/// A part of a stored output: head and tail are kept, the middle may be gone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Where the bytes begin: `from`, or the end of the gap that it fell into.
    pub from: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How many bytes were written in all.
    pub total_bytes: u64,
    /// How many line ends were written in all.
    pub total_lines: u64,
    /// How many bytes are kept.
    pub stored_bytes: u64,
    /// The kept head ends here, and the kept tail begins there, when the middle is gone.
    pub gap: Option<(u64, u64)>,
}

/// What a cancel met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelAck {
    /// There is no such task.
    Unknown,
    /// It had not started, and has ended now.
    Ended,
    /// It runs; its worker was told.
    Told,
    /// It had ended before, in that state.
    Before(State),
}

/// What a limit is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All tasks of a queue.
    Queue(String),
    /// All tasks of a tool.
    Tool(String),
    /// All tasks that name a host.
    Alias(String),
}

/// How much may run and start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// At once.
    pub running: Option<u32>,
    /// Starts a second, over all workers.
    pub per_second: Option<f64>,
}

/// How long ended tasks are kept; what exceeds one bound goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Since their end.
    pub age: Ms,
    /// At most so many.
    pub tasks: u64,
    /// At most so many bytes of stored output, the oldest output first.
    pub output_bytes: u64,
}

/// Counters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// How many tasks there are, by queue, tool and state.
    pub counts: Vec<Count>,
    /// Queues that are paused.
    pub paused: Vec<String>,
    /// How many tasks lie among the dead letters.
    pub dead_letters: u64,
}

/// One counter.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// The queue.
    pub queue: String,
    /// The tool.
    pub tool: String,
    /// The kind of task (`tool`, `ssh` …).
    pub kind: String,
    /// The state.
    pub state: State,
    /// How many.
    pub tasks: u64,
    /// How long they ran together, of terminal states.
    pub ran: Ms,
}

/// Something that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskChange {
    /// A task became something else, or its progress or output moved.
    Task(TaskId),
    /// There may be work in a queue.
    Work(String),
    /// Anything may have changed: another process said only that it wrote.
    Anything,
}
