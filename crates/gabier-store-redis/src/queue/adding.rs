//! Adding tasks: callers that come together share a call, so that one sync of the server's log acknowledges them all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gabier_store::queue::{Enqueued, Ms, NewTask, Offered, TaskId, WorkerId};
use gabier_store::{Error, ErrorKind, Result};
use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::bytes;
use super::record::described;
use super::scripts::Scripts;
use crate::link::{Link, damaged};
use crate::records::nonce;

/// How many tasks of several callers one call takes at most.
const TOGETHER: usize = 256;

/// How many calls are on their way at most: while the server syncs one, the next is gathered and sent.
const AT_ONCE: usize = 2;

/// Gathers what callers add.
pub(super) struct Adding {
    link: Arc<Link>,
    scripts: Arc<Scripts>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    batches: Vec<Batch>,
    /// How many calls are being gathered or are on their way.
    calls: usize,
}

/// What one caller adds: all of it or nothing.
struct Batch {
    tasks: usize,
    args: Vec<Vec<u8>>,
    reply: oneshot::Sender<Result<Vec<Offered>>>,
}

/// Who may have a task from the start.
enum Starter<'a> {
    /// Nobody.
    Nobody,
    /// Whoever claims it.
    Claimer(&'a WorkerId, Ms),
    /// A worker with a place for it, if nothing else could start before it.
    Idle(&'a WorkerId, Ms),
}

impl Starter<'_> {
    /// What it is to the script.
    fn args(&self) -> [Vec<u8>; 3] {
        match self {
            Self::Nobody => [bytes(""), bytes(0), bytes("")],
            Self::Claimer(worker, lease) => [bytes(&worker.0), bytes(lease), bytes("")],
            Self::Idle(worker, lease) => [bytes(&worker.0), bytes(lease), bytes("idle")],
        }
    }
}

impl Adding {
    pub(super) fn new(link: Arc<Link>, scripts: Arc<Scripts>) -> Self {
        Self { link, scripts, waiting: Mutex::default() }
    }

    /// Adds a caller's tasks.
    pub(super) async fn add(self: &Arc<Self>, tasks: &[NewTask], limit: usize) -> Result<Vec<Enqueued>> {
        let mut args = vec![nonce()?, bytes(limit), bytes(tasks.len())];
        for task in tasks {
            let claim = task.claim.as_ref();
            let starter = claim.map_or(Starter::Nobody, |(worker, lease)| Starter::Claimer(worker, *lease));
            args.extend(described(task)?);
            args.extend(starter.args());
        }
        let added = self.add_batch(tasks.len(), args).await?;
        Ok(added.into_iter().map(|offered| offered.added).collect())
    }

    /// Adds a task that a worker has a place for.
    pub(super) async fn offer(
        self: &Arc<Self>,
        task: &NewTask,
        limit: usize,
        worker: &WorkerId,
        lease: Ms,
    ) -> Result<Offered> {
        let mut args = vec![nonce()?, bytes(limit), bytes(1)];
        args.extend(described(task)?);
        args.extend(Starter::Idle(worker, lease).args());
        let added = self.add_batch(1, args).await?.pop();
        added.ok_or_else(|| damaged("add a task: the script gave nothing"))
    }

    async fn add_batch(self: &Arc<Self>, tasks: usize, args: Vec<Vec<u8>>) -> Result<Vec<Offered>> {
        let (reply, answer) = oneshot::channel();
        if self.wait(Batch { tasks, args, reply }) {
            let adding = Arc::clone(self);
            tokio::spawn(async move { adding.send().await });
        }
        answer
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "add tasks: the process is ending")))
    }

    /// Puts a batch among those that wait; true when another call may be made.
    fn wait(&self, batch: Batch) -> bool {
        let mut waiting = self.waiting();
        waiting.batches.push(batch);
        let may_call = waiting.calls < AT_ONCE;
        waiting.calls += usize::from(may_call);
        may_call
    }

    /// Makes calls until nobody waits.
    async fn send(&self) {
        loop {
            // Whoever is about to add comes along.
            yield_now().await;
            let batches = self.take();
            if batches.is_empty() {
                return;
            }
            let mut args = vec![bytes(batches.len())];
            let mut replies = Vec::with_capacity(batches.len());
            for batch in batches {
                args.extend(batch.args);
                replies.push(batch.reply);
            }
            let answers: Result<Vec<Vec<String>>> =
                self.link.run("add tasks", &self.scripts.enqueue, &args).await;
            answer(replies, answers);
        }
    }

    /// What the next call takes; ends the calls of this one when there is nothing. Who does not wait any more was told
    /// that nothing was added.
    fn take(&self) -> Vec<Batch> {
        let mut waiting = self.waiting();
        waiting.batches.retain(|batch| !batch.reply.is_closed());
        let mut tasks = 0;
        let fits = |batch: &&Batch| {
            tasks += batch.tasks;
            tasks <= TOGETHER
        };
        let number = waiting.batches.iter().take_while(fits).count();
        let number = number.max(1).min(waiting.batches.len());
        waiting.calls -= usize::from(number == 0);
        waiting.batches.drain(..number).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives every caller its answer.
fn answer(replies: Vec<oneshot::Sender<Result<Vec<Offered>>>>, answers: Result<Vec<Vec<String>>>) {
    let answers = answers.and_then(|answers| {
        let fits = answers.len() == replies.len();
        fits.then_some(answers).ok_or_else(|| damaged("add tasks: the script answered for other callers"))
    });
    match answers {
        Ok(answers) => {
            for (reply, answer) in replies.into_iter().zip(&answers) {
                // Who went away asks for no answer.
                let _ = reply.send(added(answer));
            }
        }
        Err(error) => {
            for reply in replies {
                let _ = reply.send(Err(error.clone()));
            }
        }
    }
}

/// What a caller's answer says.
fn added(answer: &[String]) -> Result<Vec<Offered>> {
    let Some((word, rest)) = answer.split_first() else {
        return Err(damaged("add tasks: the script gave nothing"));
    };
    let about = rest.first().map_or("", String::as_str);
    match word.as_str() {
        "done" => {}
        "taken" => {
            return Err(Error::new(ErrorKind::Conflict, format!("add the task {about}: its id is taken")));
        }
        _ => return Err(Error::new(ErrorKind::Conflict, format!("add tasks: the queue {about} is full"))),
    }
    let pairs = rest.chunks_exact(2).map(|pair| {
        let id = TaskId::new(pair[1].as_str());
        let added = if pair[0] == "existing" { Enqueued::Existing(id) } else { Enqueued::New(id) };
        Offered { added, is_claimed: pair[0] == "claimed" }
    });
    Ok(pairs.collect())
}
