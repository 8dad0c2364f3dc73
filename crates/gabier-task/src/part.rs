//! Parts of a task that are tasks of their own: the same tool on one host of many.

use std::sync::Arc;

use gabier_store::queue::{NewTask, TaskId};
use gabier_tool::guard::{BegunPart, Part};
use gabier_tool::{Error, ErrorKind, Result, Terms};
use serde_json::Value;

use crate::attempt::Start;
use crate::context::Context;
use crate::feedback::Live;
use crate::id::task_id;
use crate::lease::Stop;
use crate::plan::{alias, label};
use crate::submit::id_of;
use crate::tasks::{CALLS, Engine};

impl Engine {
    /// Begins a part of a running task, claimed by this process from the start: it is never waited for, it is lost with
    /// the process as the whole is, and it is stopped with the whole. None for what is no task, and for arguments that
    /// are not kept.
    pub(crate) async fn begin_part(self: Arc<Self>, part: Part) -> Result<Option<BegunPart>> {
        let Part { of, change, feedback } = part;
        let Some(attempt) = &of.attempt else { return Ok(None) };
        let backing = self.backing()?;
        let whole = self.read(&backing, &TaskId::new(&*attempt.task)).await?;
        let context = Context::read(&whole);
        if context.is_secret {
            return Ok(None);
        }
        let mut arguments = whole.asked.arguments.as_object().cloned().unwrap_or_default();
        arguments.extend(change);
        let arguments = Value::Object(arguments);
        let dispatch = self.dispatch()?;
        let entry = dispatch.catalog().find(&whole.asked.tool)?;
        let terms = Terms { timeout: context.terms.timeout, ..Terms::default() };
        let task = NewTask {
            id: task_id()?,
            queue: CALLS.to_owned(),
            alias: alias(entry, &arguments),
            label: label(&arguments),
            idempotency_key: None,
            run_at: None,
            deadline: None,
            max_attempts: 1,
            retry_safe: false,
            arguments,
            context: Context { terms, wants_view: false, schedule: None, ..context }.to_value(),
            callback: None,
            then: Vec::new(),
            retried_from: None,
            retry_count: 0,
            parent: Some(whole.asked.id.clone()),
            claim: Some((backing.worker.clone(), self.settings.lease_ms())),
            ..whole.asked
        };
        let asked = self.clock.monotonic();
        let id = id_of(&self.enqueue(&backing, task).await?).clone();
        let task = self.read(&backing, &id).await?;
        let start = Start { task, asked, secrets: None, live: Live::new(feedback) };
        let mut told = self.spawn_attempt(&backing, start);
        let leash = Leash { engine: self, id: id.clone() };
        let end = async move {
            let answer = tokio::select! {
                answer = &mut told => answer,
                () = of.cancel.cancelled() => {
                    leash.stop();
                    told.await
                }
            };
            answer.unwrap_or_else(|_| {
                let message = format!("the task {} was taken from this process", leash.id);
                Err(Error::new(ErrorKind::ResultUnknown, message).with("task_id", leash.id.as_str()))
            })
        };
        Ok(Some(BegunPart { task: id.to_string(), end: Box::pin(end) }))
    }
}

/// What ties a part to its whole: the part is stopped when nobody waits for it any more.
struct Leash {
    engine: Arc<Engine>,
    id: TaskId,
}

impl Leash {
    fn stop(&self) {
        self.engine.leases.stop(&self.id, &Stop::Cancelled("with the task that it is a part of".to_owned()));
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.stop();
    }
}
