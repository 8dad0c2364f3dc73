//! Waiting for a task, or for what it writes.

use std::time::Duration;

use gabier_store::queue::{Queue, Stream, TaskId};
use gabier_tool::{Caller, Error, Feedback, Progress, Result};
use regex::Regex;
use tokio_util::sync::CancellationToken;

use crate::output::whole_lines_from;
use crate::show::ShownTask;
use crate::tasks::Tasks;

impl Tasks {
    /// The task at its end, when a line of its output matches `until`, or when `limit` has passed (or the caller gave
    /// up): whichever comes first. Progress is passed on meanwhile.
    pub async fn wait(
        &self,
        caller: &Caller,
        id: &str,
        limit: Duration,
        until: Option<&str>,
        feedback: &dyn Feedback,
        cancel: &CancellationToken,
    ) -> Result<ShownTask> {
        let mut until = until.map(Until::new).transpose()?;
        let found = self.find(caller, id).await?;
        let backing = self.0.backing()?;
        let mut follow = self.0.follow(&backing, &found.asked.id);
        let mut latest = found;
        let limit = self.0.clock.sleep(limit.min(Duration::from_secs(self.0.settings.max_wait_s.into())));
        tokio::pin!(limit);
        loop {
            tokio::select! {
                biased;
                task = follow.next() => {
                    let task = task?;
                    if let (true, Some(progress)) = (task.progress != latest.progress, &task.progress) {
                        let gabier_store::queue::Progress { done, total, message } = progress.clone();
                        feedback.progress(Progress { done, total, message });
                    }
                    latest = task;
                    let is_met = match &mut until {
                        Some(until) => until.is_met(&*backing.queue, &latest.asked.id).await?,
                        None => false,
                    };
                    if is_met || latest.state.is_terminal() {
                        break;
                    }
                }
                () = &mut limit => break,
                () = cancel.cancelled() => break,
            }
        }
        Ok(self.0.show(&latest))
    }
}

/// A pattern that a line of the output may match.
struct Until {
    pattern: Regex,
    /// How much of each stream was looked at.
    seen: [(Stream, u64); 3],
}

impl Until {
    fn new(pattern: &str) -> Result<Self> {
        let pattern = regex::RegexBuilder::new(pattern)
            .size_limit(1 << 20)
            .build()
            .map_err(|error| Error::invalid("until", format!("is no regular expression: {error}")))?;
        Ok(Self { pattern, seen: [(Stream::Stdout, 0), (Stream::Stderr, 0), (Stream::Log, 0)] })
    }

    async fn is_met(&mut self, queue: &dyn Queue, id: &TaskId) -> Result<bool> {
        for (stream, seen) in &mut self.seen {
            loop {
                let read = whole_lines_from(queue, id, *stream, *seen).await;
                let (lines, next) =
                    read.map_err(|error| crate::backing::store_error("reading a task's output", error))?;
                if lines.iter().any(|line| self.pattern.is_match(line)) {
                    return Ok(true);
                }
                if next == *seen {
                    break;
                }
                *seen = next;
            }
        }
        Ok(false)
    }
}
