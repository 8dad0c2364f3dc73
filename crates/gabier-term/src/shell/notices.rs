//! Tasks that a shell left to run: a line when one has ended.

use std::sync::{Arc, Mutex, PoisonError};

use gabier_tool::Silent;
use serde_json::{Map, Value};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backend::{Answer, Backend};

/// How a line reaches the person: above what is being typed, or as it comes.
pub(crate) type Say = Arc<dyn Fn(String) + Send + Sync>;

/// Waits for tasks. Dropping it stops the waiting, never a task.
pub(crate) struct Notices {
    backend: Arc<dyn Backend>,
    say: Mutex<Say>,
    waiting: Mutex<JoinSet<()>>,
}

impl Notices {
    pub(crate) fn new(backend: &Arc<dyn Backend>, say: Say) -> Self {
        Self { backend: Arc::clone(backend), say: Mutex::new(say), waiting: Mutex::default() }
    }

    /// Says it another way from now on.
    pub(crate) fn say_by(&self, say: Say) {
        *self.say.lock().unwrap_or_else(PoisonError::into_inner) = say;
    }

    /// Tells when the task that an answer is the handle of has ended.
    pub(crate) fn await_end(&self, answer: &Answer) {
        let Some(id) = answer.handle().map(str::to_owned) else { return };
        let backend = Arc::clone(&self.backend);
        let say = Arc::clone(&self.say.lock().unwrap_or_else(PoisonError::into_inner));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.try_join_next().is_some() {}
        waiting.spawn(async move {
            if let Some(status) = end_of(&*backend, &id).await {
                let short: String = id.chars().take(8).collect();
                say(format!("task {short} has ended: {status}; task status {short} shows it"));
            }
        });
    }
}

/// How a task ended; `None` when nobody could say.
async fn end_of(backend: &dyn Backend, id: &str) -> Option<String> {
    loop {
        let mut arguments = Map::new();
        arguments.insert("id".to_owned(), id.into());
        let answer = backend.call("task_wait", arguments, Arc::new(Silent), CancellationToken::new()).await;
        if answer.is_error() {
            return None;
        }
        let status = answer.envelope.pointer("/data/status").and_then(Value::as_str)?;
        if !matches!(status, "pending" | "scheduled" | "running") {
            return Some(status.replace('_', " "));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::{BoxFuture, ready};
    use gabier_tool::{Feedback, Result, ToolInfo, View};
    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;

    /// A server whose task ends at the third look.
    #[derive(Default)]
    struct Slow(AtomicU32);

    impl Backend for Slow {
        fn tools(&self) -> BoxFuture<'_, Result<Vec<ToolInfo>>> {
            Box::pin(ready(Ok(Vec::new())))
        }

        fn call<'a>(
            &'a self,
            name: &'a str,
            arguments: Map<String, Value>,
            _: Arc<dyn Feedback>,
            _: CancellationToken,
        ) -> BoxFuture<'a, Answer> {
            assert_eq!((name, &arguments["id"]), ("task_wait", &json!("0123456789ab")));
            let status = if self.0.fetch_add(1, Ordering::SeqCst) < 2 { "running" } else { "timed_out" };
            Box::pin(ready(Answer::of(json!({"status": status}), View::default())))
        }
    }

    fn handle(envelope: Value) -> Answer {
        Answer { envelope, view: View::default(), exit_code: 0 }
    }

    #[tokio::test]
    async fn the_end_of_a_task_is_told_once_and_only_of_what_became_one() {
        let (sender, mut told) = mpsc::unbounded_channel();
        let backend: Arc<dyn Backend> = Arc::new(Slow::default());
        let notices = Notices::new(&backend, Arc::new(move |line| sender.send(line).unwrap()));
        notices.await_end(&handle(json!({"status": "ok", "data": {"id": "x"}})));
        notices.await_end(&handle(json!({"status": "error", "error": true, "next": "task_wait x"})));
        let answer =
            json!({"status": "ok", "data": {"id": "0123456789ab"}, "next": "task_wait 0123456789ab"});
        notices.await_end(&handle(answer));
        let line = told.recv().await.unwrap();
        assert_eq!(line, "task 01234567 has ended: timed out; task status 01234567 shows it");
        let mut waiting = std::mem::take(&mut *notices.waiting.lock().unwrap());
        waiting.join_next().await.unwrap().unwrap();
        assert!(told.try_recv().is_err());
    }
}
