//! Tasks as faces see them.

use std::collections::HashMap;

use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt, unfold};
use gabier_store::queue::{Filter, State, Task};
use gabier_tool::{Answer, Board, Caller, Envelope, ErrorKind, Phase, Progress, Reply, Result, TaskState};
use serde_json::json;

use crate::backing::{Backing, store_error};
use crate::follow::unknown;
use crate::kept::{self, timestamp};
use crate::show::message;
use crate::tasks::{Engine, Tasks};

impl Board for Tasks {
    fn look<'a>(&'a self, caller: &'a Caller, id: &'a str) -> BoxFuture<'a, Result<TaskState>> {
        Box::pin(async move {
            let task = self.find(caller, id).await?;
            Ok(self.0.state(&self.0.backing()?, &task).await)
        })
    }

    fn answer<'a>(
        &'a self,
        caller: &'a Caller,
        id: &'a str,
        answers: HashMap<String, Answer>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let task = self.find(caller, id).await?;
            let queue = self.0.queue()?;
            let answers = answers.into_iter().map(|(key, answer)| (key, json!(answer))).collect();
            let is_known = self.0.ask("keeping an answer", queue.input(&task.asked.id, answers)).await?;
            if is_known { Ok(()) } else { Err(unknown(id)) }
        })
    }

    fn cancel<'a>(&'a self, caller: &'a Caller, id: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let task = self.find(caller, id).await?;
            self.0.cancel(&task.asked.id, "by request").await.map(drop)
        })
    }

    fn running_on<'a>(&'a self, host: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(async move {
            let filter =
                Filter { states: vec![State::Running], alias: Some(host.to_owned()), ..Filter::default() };
            let queue = self.0.queue()?;
            let page = self.0.ask("looking for what runs on a host", queue.list(filter, None, 100)).await?;
            Ok(page.items.into_iter().map(|task| task.asked.id.to_string()).collect())
        })
    }

    fn watch<'a>(
        &'a self,
        caller: &'a Caller,
        id: &'a str,
    ) -> BoxFuture<'a, Result<BoxStream<'static, TaskState>>> {
        Box::pin(async move {
            let task = self.find(caller, id).await?;
            let backing = self.0.backing()?;
            let follow = self.0.follow(&backing, &task.asked.id);
            let engine = std::sync::Arc::clone(&self.0);
            let states = unfold(Some(follow), move |follow| {
                let (engine, backing) = (std::sync::Arc::clone(&engine), backing.clone());
                async move {
                    let mut follow = follow?;
                    // A task that is gone, or a store that failed, ends the stream.
                    let task = follow.next().await.ok()?;
                    let state = engine.state(&backing, &task).await;
                    let rest = (!task.state.is_terminal()).then_some(follow);
                    Some((state, rest))
                }
            });
            Ok(states.boxed())
        })
    }
}

impl Engine {
    /// A stored task as faces see it.
    async fn state(&self, backing: &Backing, task: &Task) -> TaskState {
        let ahead = match task.state {
            State::Pending => waiting_before(backing, task).await,
            _ => None,
        };
        let mut phase = phase(task);
        let reply = (phase == Phase::Completed).then(|| kept::reply(task));
        if reply.as_ref().is_some_and(is_bug) {
            phase = Phase::Failed;
        }
        TaskState {
            id: task.asked.id.to_string(),
            tool: task.asked.tool.clone(),
            status: task.state.name(),
            phase,
            message: message(task, ahead, self.now_ms()).or_else(|| lost(task)),
            created: timestamp(task.created),
            updated: timestamp(task.updated),
            ttl: task.asked.ttl.and_then(|ttl| u64::try_from(ttl).ok()).map(std::time::Duration::from_millis),
            progress: task.progress.clone().map(|progress| Progress {
                done: progress.done,
                total: progress.total,
                message: progress.message,
            }),
            questions: match phase {
                Phase::InputRequired => unanswered(task),
                _ => Vec::new(),
            },
            reply,
        }
    }
}

fn phase(task: &Task) -> Phase {
    match task.state {
        State::Pending | State::Scheduled | State::PendingApproval | State::Running => Phase::Working,
        State::InputRequired => Phase::InputRequired,
        State::Completed | State::Partial | State::TimedOut | State::Failed | State::Unknown => {
            Phase::Completed
        }
        State::Crashed | State::Expired => Phase::Failed,
        State::Cancelled => Phase::Cancelled,
    }
}

/// True for what is no answer of a tool: to the protocol such a call failed.
fn is_bug(reply: &Reply) -> bool {
    matches!(&reply.envelope, Envelope::Failure { error, .. } if error.kind() == ErrorKind::Internal)
}

fn unanswered(task: &Task) -> Vec<gabier_tool::Question> {
    let open = task.questions.iter().filter(|(key, _)| !task.answers.contains_key(*key));
    open.filter_map(|(_, asked)| serde_json::from_value(asked.clone()).ok()).collect()
}

/// Why a task has no answer.
fn lost(task: &Task) -> Option<String> {
    matches!(task.state, State::Crashed | State::Expired | State::Cancelled)
        .then(|| kept::error(task).message().to_owned())
}

/// How many tasks wait in the same queue, from counters: no scan for a poll.
async fn waiting_before(backing: &Backing, task: &Task) -> Option<u64> {
    let stats = backing.queue.stats(None).await.map_err(|error| {
        tracing::debug!(error = %store_error("counting tasks", error), "describing a task");
    });
    let waiting: u64 = stats
        .ok()?
        .counts
        .iter()
        .filter(|count| count.queue == task.asked.queue && count.state == State::Pending)
        .map(|count| count.tasks)
        .sum();
    Some(waiting.saturating_sub(1))
}
