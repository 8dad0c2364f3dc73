//! Feedback that remembers which task a call became.

use std::sync::{Arc, OnceLock};

use futures::future::BoxFuture;
use gabier_tool::{Abilities, Answer, Error, Feedback, Level, OutputStream, Progress, Question, Result};
use serde_json::Value;

/// Hands everything on, and keeps the task's id.
pub(crate) struct Heard {
    inner: Arc<dyn Feedback>,
    task: OnceLock<String>,
}

impl Heard {
    pub(crate) fn new(inner: Arc<dyn Feedback>) -> Self {
        Self { inner, task: OnceLock::new() }
    }

    /// The task, once the server named it.
    pub(crate) fn task_id(&self) -> Option<&str> {
        self.task.get().map(String::as_str)
    }

    /// A lost connection leaves a task behind that goes on: the failure says how to find it.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match self.task_id() {
            Some(id) => error.with("task", id).with_next(format!("task wait {id}")),
            None => error,
        }
    }
}

impl Feedback for Heard {
    fn progress(&self, progress: Progress) {
        self.inner.progress(progress);
    }

    fn log(&self, level: Level, message: &str) {
        self.inner.log(level, message);
    }

    fn content(&self, content: &Value) {
        self.inner.content(content);
    }

    fn output(&self, stream: OutputStream, bytes: &[u8]) {
        self.inner.output(stream, bytes);
    }

    fn wants_output(&self) -> bool {
        self.inner.wants_output()
    }

    fn task(&self, id: &str) {
        let _ = self.task.set(id.to_owned());
        self.inner.task(id);
    }

    fn abilities(&self) -> Abilities {
        self.inner.abilities()
    }

    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Answer>> {
        self.inner.ask(question)
    }
}
