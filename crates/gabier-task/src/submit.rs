//! How a call becomes a task, and how long its caller waits for it.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, pending};
use gabier_store::queue::{CancelAck, Ended, Enqueued, Fence, NewTask, State, Step, Stream, Task, TaskId};
use gabier_tool::guard::{BegunPart, Part, Submission, Work, run_within};
use gabier_tool::{
    Board, Done, Error, ErrorKind, Feedback, Mode, Outcome, OutputStream, Patience, Progress, Result,
    Running, Sanitised, View,
};
use serde_json::json;
use tokio::sync::oneshot;

use crate::attempt::{self, Start};
use crate::backing::{Backing, store_error};
use crate::feedback::{Live, read_log_line};
use crate::follow::{Follow, unknown};
use crate::kept;
use crate::lease::Stop;
use crate::output::whole_lines_from;
use crate::places::{Claimed, Place};
use crate::plan::is_background;
use crate::tasks::{CALLS, Engine, Tasks};

/// How long a caller who gave up waits for the word that the work was stopped.
const STOPPING: Duration = Duration::from_secs(12);

/// Why a task waits although nothing is before it.
const NO_WORKER: &str = "no worker runs on this data; start `gabier serve` or `gabier worker`";

/// When a full queue is worth another try.
const FULL_MS: u64 = 5_000;

impl Submission for Tasks {
    fn submit(&self, work: Work) -> BoxFuture<'static, Result<Done>> {
        if let Some(attempt) = &work.running.attempt {
            self.0.leases.begin(TaskId::new(&*attempt.task), Fence(attempt.fence));
        }
        if work.running.attempt.is_some() || work.entry.facts.mode == Mode::Inline {
            return Box::pin(run_within(work));
        }
        let engine = Arc::clone(&self.0);
        Box::pin(async move { engine.submit(work).await })
    }

    fn part(&self, part: Part) -> BoxFuture<'static, Result<Option<BegunPart>>> {
        Box::pin(Arc::clone(&self.0).begin_part(part))
    }

    fn board(&self) -> Option<&dyn Board> {
        Some(self)
    }
}

/// A task whose caller waits.
struct Waiting {
    id: TaskId,
    live: Live,
    /// The answer of an attempt in this process, given also while the store is away.
    local: Option<oneshot::Receiver<Result<Done>>>,
}

impl Engine {
    async fn submit(self: Arc<Self>, work: Work) -> Result<Done> {
        let background = is_background(&work, self.clock.now());
        let mut task = self.plan(&work, background)?;
        self.vet_callback(&task).await?;
        let backing = self.backing()?;
        if background {
            let written = Task::added(task.clone(), self.now_ms());
            // Who does not wait is given the id, however soon the work ends.
            let may_start = backing.queue.takes_offers() && task.run_at.is_none() && self.is_worker(&backing);
            let place = if may_start { self.places.reserve() } else { None };
            let stored = match place {
                Some(place) => self.offer(&backing, task, place).await?,
                None => self.enqueue(&backing, task).await?,
            };
            return match stored {
                Enqueued::New(_) => Ok(self.id_given(&backing, &work, &written)),
                Enqueued::Existing(id) => self.handle(&backing, &work, &self.read(&backing, &id).await?),
            };
        }
        let is_secret = work.arguments != work.kept;
        let runs_here = is_secret || self.is_worker(&backing) || !self.has_worker(&backing);
        if runs_here {
            task.claim = Some((backing.worker.clone(), self.settings.lease_ms()));
        }
        let asked = self.clock.monotonic();
        let written = runs_here.then(|| Task::added(task.clone(), self.now_ms()));
        let stored = self.enqueue(&backing, task).await?;
        let mut waiting = Waiting {
            id: id_of(&stored).clone(),
            live: Live::new(Arc::clone(&work.running.feedback)),
            local: None,
        };
        if let (Some(task), Enqueued::New(_)) = (written, &stored) {
            let secrets = is_secret.then(|| Arc::clone(&work.arguments));
            let start = Start { task, asked, secrets, live: waiting.live.clone() };
            waiting.local = Some(self.spawn_attempt(&backing, start));
        }
        self.wait(&backing, &work, waiting).await
    }

    /// Writes a task, durably.
    pub(crate) async fn enqueue(&self, backing: &Backing, task: NewTask) -> Result<Enqueued> {
        let limit = self.settings.max_queue as usize;
        let queue = task.queue.clone();
        let answer = self.ask("writing a task", backing.queue.enqueue(vec![task], limit)).await;
        match answer {
            Ok(mut stored) if stored.len() == 1 => Ok(stored.remove(0)),
            Ok(_) => Err(Error::internal("the store answered for another number of tasks")),
            Err(error) => Err(full(error, &queue, limit)),
        }
    }

    /// Writes a task that a place is reserved for, durably; it starts there if the store claims it at once. Once that
    /// was asked for it is seen through, whether its caller waits or not.
    async fn offer(self: &Arc<Self>, backing: &Backing, task: NewTask, place: Place) -> Result<Enqueued> {
        let limit = self.settings.max_queue as usize;
        let queue = task.queue.clone();
        let (tell, told) = oneshot::channel();
        let (engine, backing) = (Arc::clone(self), backing.clone());
        self.running.spawn(async move {
            let (asked, lease) = (engine.clock.monotonic(), engine.settings.lease_ms());
            let claim = Some((backing.worker.clone(), lease));
            let started = Task::added(NewTask { claim, ..task.clone() }, engine.now_ms());
            let answer = backing.queue.offer(task, limit, &backing.worker, lease).await;
            if answer.as_ref().is_ok_and(|offered| offered.is_claimed) {
                engine.begin(&backing, place, Claimed { task: started, asked });
            } else {
                engine.places.set_idle(false);
            }
            let _ = tell.send(answer.map(|offered| offered.added));
        });
        let ending =
            || gabier_store::Error::new(gabier_store::ErrorKind::Unavailable, "the process is ending");
        let answer = async { told.await.unwrap_or_else(|_| Err(ending())) };
        self.ask("writing a task", answer).await.map_err(|error| full(error, &queue, limit))
    }

    /// Starts what was claimed when it was added.
    fn begin(self: &Arc<Self>, backing: &Backing, place: Place, claimed: Claimed) {
        if let Some(refused) = place.fill(claimed) {
            // The desk has gone since; the task is ours all the same.
            let Claimed { task, asked } = *refused;
            drop(self.spawn_attempt(backing, Start { task, asked, secrets: None, live: Live::default() }));
        }
    }

    pub(crate) async fn read(&self, backing: &Backing, id: &TaskId) -> Result<Task> {
        let task = self.ask("reading a task", backing.queue.get(id)).await?;
        task.ok_or_else(|| unknown(id.as_str()))
    }

    /// Runs an attempt outside all places and delivers its end.
    pub(crate) fn spawn_attempt(
        self: &Arc<Self>,
        backing: &Backing,
        start: Start,
    ) -> oneshot::Receiver<Result<Done>> {
        let (tell, told) = oneshot::channel();
        let (engine, backing) = (Arc::clone(self), backing.clone());
        self.running.spawn(async move {
            let task = start.task.clone();
            let Some(ended) = engine.attempt(&backing, start).await else { return };
            let answer = attempt::answer(&task, &ended.how);
            let delivered = engine.deliver(&backing, &task.asked.queue, ended).await;
            if let (true, Some(answer)) = (delivered, answer) {
                let _ = tell.send(answer);
            }
        });
        told
    }

    /// Brings the end of an attempt to the store, however long that is away; false when it was refused.
    pub(crate) async fn deliver(&self, backing: &Backing, queue: &str, ended: Ended) -> bool {
        loop {
            let step = Step {
                worker: backing.worker.clone(),
                done: vec![ended.clone()],
                queue: queue.to_owned(),
                want: 0,
                lease: self.settings.lease_ms(),
            };
            match backing.queue.step(step).await {
                Ok(stepped) => {
                    self.let_go(&ended);
                    return stepped.taken.first() == Some(&true);
                }
                Err(error) => {
                    tracing::warn!(%error, task = ended.id.as_str(), "writing how a task ended; trying again");
                    self.clock.sleep(Duration::from_millis(500)).await;
                }
            }
        }
    }

    /// Waits for a task as long as its caller has patience, and hands it over after that.
    async fn wait(self: &Arc<Self>, backing: &Backing, work: &Work, mut waiting: Waiting) -> Result<Done> {
        let running = &work.running;
        let mut follow = self.follow(backing, &waiting.id);
        let mut relay = Relay::new(backing, running, waiting.local.is_none());
        let mut budget = match running.patience {
            Patience::Budget => self.clock.sleep(self.settings.inline_budget()),
            Patience::Endless => Box::pin(pending()),
        };
        let mut is_cancelled = false;
        loop {
            tokio::select! {
                biased;
                answer = local_answer(&mut waiting.local), if waiting.local.is_some() => match answer {
                    Some(answer) => return answer,
                    None => waiting.local = None,
                },
                // While the attempt runs here it tells by itself how it ends, and the store is not asked.
                task = follow.next(), if waiting.local.is_none() => {
                    let task = task?;
                    if task.state.is_terminal() {
                        relay.pass(&task).await;
                        return kept::answer(&task);
                    }
                    relay.pass(&task).await;
                    if task.state == State::InputRequired {
                        return self.handle(backing, work, &task);
                    }
                    self.help_along(backing, &task, &waiting.live);
                }
                () = running.cancel.cancelled(), if !is_cancelled => {
                    is_cancelled = true;
                    self.give_up(backing, &waiting.id).await?;
                    budget = self.clock.sleep(STOPPING);
                }
                () = &mut budget => {
                    waiting.live.leave();
                    return self.handle(backing, work, &self.read(backing, &waiting.id).await?);
                }
            }
        }
    }

    /// A process without workers around it takes up its own calls again once their next attempt is due.
    fn help_along(self: &Arc<Self>, backing: &Backing, task: &Task, live: &Live) {
        let is_due = match task.state {
            State::Pending => true,
            State::Scheduled => task.due.is_some_and(|due| due <= self.now_ms()),
            _ => false,
        };
        if !is_due || task.asked.queue != CALLS || self.has_worker(backing) {
            return;
        }
        let (engine, backing, live) = (Arc::clone(self), backing.clone(), live.clone());
        let id = task.asked.id.clone();
        self.running.spawn(async move {
            let asked = engine.clock.monotonic();
            let step = Step {
                worker: backing.worker.clone(),
                done: Vec::new(),
                queue: CALLS.to_owned(),
                want: 1,
                lease: engine.settings.lease_ms(),
            };
            let Ok(stepped) = backing.queue.step(step).await else { return };
            for task in stepped.claimed {
                let live = if task.asked.id == id { live.clone() } else { Live::default() };
                drop(engine.spawn_attempt(&backing, Start { task, asked, secrets: None, live }));
            }
        });
    }

    /// Cancels the task of a caller who gave up before it was handed over.
    async fn give_up(&self, backing: &Backing, id: &TaskId) -> Result<()> {
        let ack = self.ask("cancelling a task", backing.queue.cancel(id, "by its caller")).await?;
        if ack == CancelAck::Told {
            self.leases.stop(id, &Stop::Cancelled("by its caller".to_owned()));
        }
        Ok(())
    }

    /// The answer that hands a task over, or its result when it has ended.
    fn handle(&self, backing: &Backing, work: &Work, task: &Task) -> Result<Done> {
        if task.state.is_terminal() { kept::answer(task) } else { Ok(self.id_given(backing, work, task)) }
    }

    /// The answer that gives the id of a task.
    fn id_given(&self, backing: &Backing, work: &Work, task: &Task) -> Done {
        let id = &task.asked.id;
        let is_queued = work.entry.facts.mode == Mode::Background;
        let status = if is_queued { "queued" } else { task.state.name() };
        let mut data = json!({
            "id": id, "task_id": id, "job_id": id, "status": status, "tool": task.asked.tool,
        });
        if let Some(callback) = &task.asked.callback {
            data["callback"] = callback.as_str().into();
        }
        if let Some(progress) = &task.progress {
            data["progress"] = json!(progress);
        }
        let message = self.handed_over(backing, work.entry.facts.queued, task);
        let outcome = Outcome {
            message: Some(message),
            next: Some(format!("task_wait {{\"id\": \"{id}\"}}")),
            handed_over: Some(id.to_string()),
            ..Outcome::default()
        };
        let view = if work.running.wants_view { View::of(&data) } else { View::default() };
        Done { data, outcome, view, sanitised: Sanitised::default() }
    }

    /// What is said of a task whose id is given; `queued` is its tool's own sentence for one that waits.
    fn handed_over(&self, backing: &Backing, queued: &str, task: &Task) -> String {
        let Task { asked, state, .. } = task;
        let (id, tool) = (&asked.id, &asked.tool);
        let is_waiting = matches!(state, State::Pending | State::Scheduled);
        let waits = is_waiting && !self.has_worker(backing);
        match state {
            _ if waits && queued.is_empty() => format!("task {id} waits: {NO_WORKER} to run {tool}"),
            _ if waits => format!("{} It waits: {NO_WORKER}", queued.replace("{id}", id.as_str())),
            _ if is_waiting && !queued.is_empty() => queued.replace("{id}", id.as_str()),
            State::Running => format!("{tool} goes on as task {id}"),
            State::InputRequired => format!("task {id} waits for an answer"),
            ended if ended.is_terminal() => format!("{tool} has ended as task {id}"),
            _ => format!("task {id} for {tool} is queued"),
        }
    }

    /// Follows one task.
    pub(crate) fn follow(&self, backing: &Backing, id: &TaskId) -> Follow {
        Follow::new(Arc::clone(&backing.queue), Arc::clone(&self.clock), id.clone())
    }
}

/// What a caller hears when a task was not written.
fn full(error: Error, queue: &str, limit: usize) -> Error {
    if error.kind() != ErrorKind::Conflict {
        return error;
    }
    let message = format!("the queue {queue} holds {limit} tasks that have not ended");
    Error::new(ErrorKind::QueueFull, message).with("queue", queue).with("retry_after_ms", FULL_MS)
}

/// The answer of an attempt in this process; none where that attempt was not the last one: the store tells the rest.
async fn local_answer(local: &mut Option<oneshot::Receiver<Result<Done>>>) -> Option<Result<Done>> {
    local.as_mut()?.await.ok()
}

/// Passes on to a waiting caller what another process runs for it.
struct Relay<'a> {
    queue: &'a dyn gabier_store::queue::Queue,
    feedback: &'a dyn Feedback,
    is_needed: bool,
    progress: Option<gabier_store::queue::Progress>,
    /// How much of the log was passed on.
    log: u64,
    /// How much of what a command wrote was passed on, to stdout and to stderr.
    output: [u64; 2],
}

impl<'a> Relay<'a> {
    fn new(backing: &'a Backing, running: &'a Running, is_needed: bool) -> Self {
        Self {
            queue: &*backing.queue,
            feedback: &*running.feedback,
            is_needed,
            progress: None,
            log: 0,
            output: [0; 2],
        }
    }

    async fn pass(&mut self, task: &Task) {
        if !self.is_needed {
            return;
        }
        if task.progress != self.progress {
            self.progress.clone_from(&task.progress);
            if let Some(gabier_store::queue::Progress { done, total, message }) = task.progress.clone() {
                self.feedback.progress(Progress { done, total, message });
            }
        }
        match whole_lines_from(self.queue, &task.asked.id, Stream::Log, self.log).await {
            Ok((lines, next)) => {
                for line in &lines {
                    let (level, message) = read_log_line(line);
                    self.feedback.log(level, message);
                }
                self.log = next;
            }
            Err(error) => tracing::debug!(error = %store_error("reading a log", error), "passing on a task"),
        }
        if self.feedback.wants_output() {
            self.pass_output(&task.asked.id).await;
        }
    }

    async fn pass_output(&mut self, id: &TaskId) {
        let streams = [(Stream::Stdout, OutputStream::Stdout), (Stream::Stderr, OutputStream::Stderr)];
        for ((stream, heard), passed) in streams.into_iter().zip(&mut self.output) {
            while let Ok((lines, next)) = whole_lines_from(self.queue, id, stream, *passed).await {
                if lines.is_empty() {
                    break;
                }
                self.feedback.output(heard, format!("{}\n", lines.join("\n")).as_bytes());
                *passed = next;
            }
        }
    }
}

/// The task that was stored, or stands for it.
pub(crate) fn id_of(stored: &Enqueued) -> &TaskId {
    match stored {
        Enqueued::New(id) | Enqueued::Existing(id) => id,
    }
}
