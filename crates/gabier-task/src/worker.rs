//! Workers: they claim what waits, as much as they have places for, and bring back how it ended.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use gabier_store::queue::{End, Ended, Filter, State, Step, Stepped, Task, TaskChange, TaskId};
use gabier_tool::Result;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::attempt::Start;
use crate::backing::Backing;
use crate::feedback::Live;
use crate::lease::Stop;
use crate::places::{Claimed, Places, Returned};
use crate::tasks::{BACKGROUND, CALLS, Engine, Tasks};

/// How often the store is asked for work when nothing is heard.
const POLL: Duration = Duration::from_secs(1);

/// How soon it is asked again for what is due and did not start: a paused queue, a limit.
const HELD_BACK: Duration = Duration::from_millis(200);

/// How long nothing happens before the store is asked what is due next.
const LULL: Duration = Duration::from_millis(5);

/// How long a store that failed is left alone.
pub(crate) const FAILED: Duration = Duration::from_millis(500);

/// How long stopped work may take to end: the grace of its tool and the word to the store.
const STOPPING: Duration = Duration::from_secs(13);

impl Tasks {
    /// Runs tasks until the process is asked to stop, then gives them `shutdown_grace_s` to end. What goes on is
    /// stopped: retry-safe tasks go back to their queue, all others have crashed.
    pub async fn work(&self, shutdown: CancellationToken) {
        let tasks = self.clone();
        // Every commit wakes this: on the threads that run the tasks, not on the one that waits for the whole process.
        let working = AbortOnDropHandle::new(tokio::spawn(async move { tasks.work_here(shutdown).await }));
        if let Err(error) = working.await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }

    async fn work_here(&self, shutdown: CancellationToken) {
        let engine = &self.0;
        let settings = &engine.settings;
        tokio::join!(
            async {
                // Nothing starts before the limits hold.
                engine.set_limits(&shutdown).await;
                let calls = Places::default();
                tokio::join!(
                    engine.serve(BACKGROUND, settings.concurrency as usize, &engine.places, &shutdown),
                    engine.serve(CALLS, settings.call_slots as usize, &calls, &shutdown),
                );
            },
            engine.keep_house(&shutdown),
            engine.tell_receivers(&shutdown),
            async {
                shutdown.cancelled().await;
                self.stop().await;
            },
        );
    }

    /// Ends what this process runs: waits `shutdown_grace_s` for it, then stops it. For every process that ends.
    pub async fn stop(&self) {
        let engine = &self.0;
        engine.running.close();
        let grace = engine.clock.sleep(Duration::from_secs(engine.settings.shutdown_grace_s.into()));
        tokio::select! {
            () = engine.running.wait() => return,
            () = grace => engine.leases.stop_all(&Stop::Ending),
        }
        tokio::select! {
            () = engine.running.wait() => {}
            () = engine.clock.sleep(STOPPING) => tracing::warn!("some tasks did not end in time"),
        }
    }
}

/// The work of one queue in this process.
struct Desk<'a> {
    engine: &'a Arc<Engine>,
    queue: &'static str,
    /// How many may run at once.
    number: usize,
    /// How many more may run; places that a step asks to fill are taken.
    places: &'a Places,
    /// How many attempts run.
    running: usize,
    /// Ends that the store has not heard of.
    done: Vec<Finished>,
    /// Where running attempts report.
    report: mpsc::UnboundedSender<Option<Finished>>,
    /// Whether there may be work that was not claimed.
    may_work: bool,
    /// Whether the last step ended or claimed something.
    is_busy: bool,
}

/// A step and what the store said to it.
struct Sent {
    done: Vec<Finished>,
    want: usize,
    /// When it was asked for, on the monotonic clock.
    asked: Duration,
    answer: Result<Stepped, gabier_store::Error>,
}

/// An attempt that ended.
#[derive(Clone)]
struct Finished {
    ended: Ended,
    /// The dead letter that the task repeated.
    repeats: Option<TaskId>,
}

impl Engine {
    /// Runs the tasks of one queue, at most so many at once.
    async fn serve(
        self: &Arc<Self>,
        queue: &'static str,
        number: usize,
        places: &Places,
        shutdown: &CancellationToken,
    ) {
        let (report, mut reports) = mpsc::unbounded_channel();
        let Some(backing) = self.backing_until(shutdown).await else { return };
        let mut returned = places.open(number);
        let mut desk = Desk::new(self, queue, number, places, report);
        let mut changes = backing.queue.changes();
        let mut steps = FuturesUnordered::new();
        loop {
            let is_stopping = shutdown.is_cancelled();
            if is_stopping {
                places.close();
            }
            while let Some((done, want)) = desk.next_step(&backing, steps.len(), is_stopping) {
                steps.push(self.bring(&backing, queue, done, want));
            }
            if is_stopping && desk.is_empty() && steps.is_empty() {
                return;
            }
            tokio::select! {
                Some(sent) = steps.next() => desk.heard(&backing, sent).await,
                Some(report) = reports.recv() => desk.gather(report, &mut reports).await,
                Some(place) = returned.recv() => desk.take_back(&backing, place),
                () = has_work(&mut changes, queue), if !desk.may_work => desk.may_work = true,
                () = self.quiet(&backing, desk.is_busy), if steps.is_empty() && places.free() > 0 && !is_stopping => {
                    desk.may_work = true;
                }
                () = shutdown.cancelled(), if !is_stopping => {}
            }
        }
    }

    /// Asks the store to end attempts and to claim tasks, in one commit.
    async fn bring(&self, backing: &Backing, queue: &'static str, done: Vec<Finished>, want: usize) -> Sent {
        let asked = self.clock.monotonic();
        let step = Step {
            worker: backing.worker.clone(),
            done: done.iter().map(|finished| finished.ended.clone()).collect(),
            queue: queue.to_owned(),
            want,
            lease: self.settings.lease_ms(),
        };
        let answer = backing.queue.step(step).await;
        Sent { done, want, asked, answer }
    }

    /// Resolves when something may be due that nobody told of.
    async fn quiet(&self, backing: &Backing, is_busy: bool) {
        // While tasks come and go nobody asks what is due next.
        if is_busy {
            self.clock.sleep(LULL).await;
        }
        let pause = self.pause(backing).await;
        self.clock.sleep(pause).await;
    }

    /// The open store, once it can be opened.
    pub(crate) async fn backing_until(&self, shutdown: &CancellationToken) -> Option<Backing> {
        loop {
            match self.backing() {
                Ok(backing) => return Some(backing),
                Err(error) => tracing::warn!(?error, "the store of tasks is not there; trying again"),
            }
            tokio::select! {
                () = self.clock.sleep(POLL) => {}
                () = shutdown.cancelled() => return None,
            }
        }
    }

    /// How long nothing is due.
    pub(crate) async fn pause(&self, backing: &Backing) -> Duration {
        let (Ok(Some(due)), Ok(now)) = (backing.queue.next_due().await, backing.queue.now().await) else {
            return POLL;
        };
        match u64::try_from(due - now) {
            Ok(0) | Err(_) => HELD_BACK,
            Ok(wait) => Duration::from_millis(wait).min(POLL),
        }
    }

    /// A completed repetition takes the task it repeats out of the dead letters.
    async fn bury(&self, backing: &Backing, id: TaskId) {
        let filter = Filter { ids: Some(vec![id]), dead_letter: Some(true), ..Filter::default() };
        if let Err(error) = backing.queue.bury(filter).await {
            tracing::warn!(%error, "taking a repeated task out of the dead letters");
        }
    }
}

impl<'a> Desk<'a> {
    fn new(
        engine: &'a Arc<Engine>,
        queue: &'static str,
        number: usize,
        places: &'a Places,
        report: mpsc::UnboundedSender<Option<Finished>>,
    ) -> Self {
        Self {
            engine,
            queue,
            number,
            places,
            running: 0,
            done: Vec::new(),
            report,
            may_work: true,
            is_busy: false,
        }
    }

    /// Whether nothing runs and the store knows of all ends.
    fn is_empty(&self) -> bool {
        self.places.free() == self.number && self.done.is_empty()
    }

    /// What the next step brings and how many tasks it asks for, if it is time for one. Two may be on their way, each
    /// about half of the places: while the store syncs one, the other's tasks run.
    fn next_step(
        &mut self,
        backing: &Backing,
        on_their_way: usize,
        is_stopping: bool,
    ) -> Option<(Vec<Finished>, usize)> {
        let half = self.number.div_ceil(2);
        let wants = self.may_work && self.places.free() > 0 && !is_stopping && self.engine.is_worker(backing);
        let want = if wants { self.places.take(half) } else { 0 };
        let done = self.done.len().min(half);
        let is_time = match on_their_way {
            0 => want + done > 0,
            1 => 2 * want.max(done) >= half,
            _ => false,
        };
        if !is_time {
            self.places.give(want);
            return None;
        }
        Some((self.done.drain(..done).collect(), want))
    }

    /// Takes the answer to a step: what was claimed starts.
    async fn heard(&mut self, backing: &Backing, sent: Sent) {
        let Sent { done, want, asked, answer } = sent;
        let Stepped { taken, claimed } = match answer {
            Ok(stepped) => stepped,
            Err(error) => {
                self.places.give(want);
                self.places.set_idle(false);
                tracing::warn!(%error, queue = self.queue, "asking for work; trying again");
                self.done.extend(done);
                self.engine.clock.sleep(FAILED).await;
                return;
            }
        };
        if want > 0 {
            self.may_work = claimed.len() >= want;
            self.places.set_idle(!self.may_work);
        }
        self.places.give(want.saturating_sub(claimed.len()));
        self.is_busy = !(done.is_empty() && claimed.is_empty());
        for task in claimed {
            self.start(backing, task, asked);
        }
        for (finished, taken) in done.into_iter().zip(taken.into_iter().chain(std::iter::repeat(false))) {
            self.engine.let_go(&finished.ended);
            if let (true, Some(id)) = (taken, finished.repeats) {
                self.engine.bury(backing, id).await;
            }
        }
    }

    /// Takes what an attempt reports, and what others report that end just now: they share a step.
    async fn gather(
        &mut self,
        report: Option<Finished>,
        reports: &mut mpsc::UnboundedReceiver<Option<Finished>>,
    ) {
        self.take(report);
        loop {
            while let Ok(report) = reports.try_recv() {
                self.take(report);
            }
            yield_now().await;
            if self.running == 0 || reports.is_empty() {
                return;
            }
        }
    }

    /// Takes back a place that was reserved: a task that was claimed for it starts, or others may.
    fn take_back(&mut self, backing: &Backing, place: Returned) {
        match place {
            Some(claimed) => {
                let Claimed { task, asked } = *claimed;
                self.start(backing, task, asked);
            }
            None => self.places.give(1),
        }
    }

    /// Starts a task in a place that was taken for it.
    fn start(&mut self, backing: &Backing, task: Task, asked: Duration) {
        self.running += 1;
        let (engine, backing, report) = (Arc::clone(self.engine), backing.clone(), self.report.clone());
        let retried_from = task.asked.retried_from.clone();
        let attempt = async move {
            let start = Start { task, asked, secrets: None, live: Live::default() };
            let ended = engine.attempt(&backing, start).await;
            let _ =
                report.send(ended.map(|ended| Finished { repeats: repeats(&ended, retried_from), ended }));
        };
        self.engine.running.spawn(attempt);
    }

    fn take(&mut self, report: Option<Finished>) {
        self.places.give(1);
        self.running -= 1;
        self.may_work = true;
        self.done.extend(report);
    }
}

/// The task that a completed one repeats.
fn repeats(ended: &Ended, retried_from: Option<TaskId>) -> Option<TaskId> {
    retried_from.filter(|_| matches!(ended.how, End::Finish { state: State::Completed, .. }))
}

/// Resolves when there may be work in a queue.
async fn has_work(changes: &mut Receiver<TaskChange>, queue: &str) {
    loop {
        match changes.recv().await {
            Ok(TaskChange::Work(of)) if of == queue => return,
            Ok(TaskChange::Anything) | Err(RecvError::Lagged(_)) => return,
            Ok(TaskChange::Work(_) | TaskChange::Task(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
