//! What a running attempt tells: to whoever waits for it here, and into the store.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_store::queue::{Fence, Notes, Progress as KeptProgress, Queue, Stream, TaskId};
use gabier_tool::{
    Abilities, Answer, Clock, Error, ErrorKind, Feedback, Level, OutputStream, Progress, Question, Redactor,
    Result,
};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::stretch::Stretch;

/// The shortest time between two notes of a task: five a second.
const PAUSE: Duration = Duration::from_millis(200);

/// From how many bytes on they are written without a pause.
const MUCH: usize = 128 * 1024;

/// How many bytes a second of a task's output are written while nobody watches it: of a flood most is left out by the
/// time it ends, and whoever else waits for the disk need not wait for that too.
const UNWATCHED: u64 = 4 << 20;

/// The feedback of an attempt.
pub(crate) struct TaskFeedback {
    live: Live,
    redactor: Arc<Redactor>,
    /// Answers that were given to the task, by key.
    answers: HashMap<String, Answer>,
    waiting: Mutex<Waiting>,
    noted: Notify,
    /// Told when so much waits that the next pause would be too long.
    pressed: Notify,
}

/// Whoever waits for a task in this process; nobody once it was handed over.
#[derive(Clone, Default)]
pub(crate) struct Live(Arc<Mutex<Option<Arc<dyn Feedback>>>>);

impl Live {
    pub(crate) fn new(feedback: Arc<dyn Feedback>) -> Self {
        Self(Arc::new(Mutex::new(Some(feedback))))
    }

    /// Nobody listens any more.
    pub(crate) fn leave(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn get(&self) -> Option<Arc<dyn Feedback>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What is not in the store yet.
#[derive(Default)]
struct Waiting {
    progress: Option<KeptProgress>,
    log: Stretch,
    stdout: Stretch,
    stderr: Stretch,
    questions: Map<String, Value>,
}

impl TaskFeedback {
    pub(crate) fn new(live: Live, redactor: Arc<Redactor>, answers: HashMap<String, Answer>) -> Self {
        Self {
            live,
            redactor,
            answers,
            waiting: Mutex::default(),
            noted: Notify::new(),
            pressed: Notify::new(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The questions that nobody could be asked, by key.
    pub(crate) fn questions(&self) -> Map<String, Value> {
        self.waiting().questions.clone()
    }

    /// Writes into the store what is told, five times a second at most unless it is much and somebody watches, or the
    /// disk has rested from what was written before; never ends.
    pub(crate) async fn keep(&self, queue: &dyn Queue, clock: &dyn Clock, id: &TaskId, fence: Fence) {
        loop {
            self.noted.notified().await;
            let written = self.flush(queue, id, fence, false).await;
            if !self.live.get().is_some_and(|live| live.wants_output()) {
                clock.sleep(Duration::from_millis(written * 1000 / UNWATCHED)).await;
            }
            tokio::select! {
                () = clock.sleep(PAUSE) => {}
                () = self.pressed.notified() => {}
            }
        }
    }

    /// Writes what waits, and passes on what a command wrote; at the end also a line that has no end. Gives how many
    /// bytes of output that was.
    pub(crate) async fn flush(&self, queue: &dyn Queue, id: &TaskId, fence: Fence, is_end: bool) -> u64 {
        let mut written = 0;
        for notes in self.take(is_end) {
            written += notes.output.iter().map(|(_, bytes)| bytes.len() as u64).sum::<u64>();
            if let Some(live) = self.live.get() {
                for (stream, bytes) in &notes.output {
                    match stream {
                        Stream::Stdout => live.output(OutputStream::Stdout, bytes),
                        Stream::Stderr => live.output(OutputStream::Stderr, bytes),
                        Stream::Log => {}
                    }
                }
            }
            if let Err(error) = queue.note(id, fence, notes).await {
                tracing::debug!(%error, task = id.as_str(), "noting progress");
            }
        }
        written
    }

    /// What waits, a note for each part: what is left out of a stream follows the output of its note.
    fn take(&self, is_end: bool) -> Vec<Notes> {
        let mut waiting = self.waiting();
        let progress = waiting.progress.take();
        let streams = [
            (Stream::Stdout, waiting.stdout.take(is_end)),
            (Stream::Stderr, waiting.stderr.take(is_end)),
            (Stream::Log, waiting.log.take(is_end)),
        ];
        drop(waiting);
        let mut notes: Vec<Notes> = Vec::new();
        for (stream, parts) in streams {
            for (at, (bytes, skipped)) in parts.into_iter().enumerate() {
                if at == notes.len() {
                    notes.push(Notes::default());
                }
                // Lines of the log are cleaned as they come.
                let bytes = if stream == Stream::Log { bytes } else { self.cleaned(bytes) };
                notes[at].output.push((stream, bytes));
                if skipped.bytes > 0 {
                    notes[at].skipped.push((stream, skipped));
                }
            }
        }
        match (notes.first_mut(), progress) {
            (Some(first), progress) => first.progress = progress,
            (None, Some(progress)) => notes.push(Notes { progress: Some(progress), ..Notes::default() }),
            (None, None) => {}
        }
        notes
    }

    /// Bytes without secrets, as far as they are text.
    fn cleaned(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut cleaned = Vec::new();
        let mut kept = 0;
        let mut at = 0;
        for chunk in bytes.utf8_chunks() {
            if let Cow::Owned(redacted) = self.redactor.redact(chunk.valid()) {
                cleaned.extend_from_slice(&bytes[kept..at]);
                cleaned.extend_from_slice(redacted.as_bytes());
                kept = at + chunk.valid().len();
            }
            at += chunk.valid().len() + chunk.invalid().len();
        }
        if kept == 0 && cleaned.is_empty() {
            return bytes;
        }
        cleaned.extend_from_slice(&bytes[kept..]);
        cleaned
    }
}

impl Feedback for TaskFeedback {
    fn progress(&self, progress: Progress) {
        let Progress { done, total, message } = &progress;
        let message = message.as_ref().map(|message| self.redactor.redact(message).into_owned());
        self.waiting().progress = Some(KeptProgress { done: *done, total: *total, message });
        self.noted.notify_one();
        if let Some(live) = self.live.get() {
            live.progress(progress);
        }
    }

    fn log(&self, level: Level, message: &str) {
        let line = log_line(level, &self.redactor.redact(message));
        self.waiting().log.push(Stream::Log, line.as_bytes());
        self.noted.notify_one();
        if let Some(live) = self.live.get() {
            live.log(level, message);
        }
    }

    fn content(&self, content: &Value) {
        if let Some(live) = self.live.get() {
            live.content(content);
        }
    }

    fn output(&self, stream: OutputStream, bytes: &[u8]) {
        let mut waiting = self.waiting();
        let (stretch, stream) = match stream {
            OutputStream::Stdout => (&mut waiting.stdout, Stream::Stdout),
            OutputStream::Stderr => (&mut waiting.stderr, Stream::Stderr),
        };
        stretch.push(stream, bytes);
        let is_much = stretch.len() > MUCH;
        drop(waiting);
        self.noted.notify_one();
        if is_much {
            self.pressed.notify_one();
        }
    }

    fn abilities(&self) -> Abilities {
        self.live.get().map_or(
            Abilities { log: true, report_progress: true, stream_content: false },
            |live| Abilities { log: true, report_progress: true, ..live.abilities() },
        )
    }

    fn session(&self) -> Option<&str> {
        // The session of a call ends with it; a task may outlive both.
        None
    }

    /// An answer that was given before; else whoever waits here is asked; else the task waits for the answer.
    fn ask<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            if let Some(answer) = self.answers.get(&question.key) {
                return Ok(answer.clone());
            }
            if let Some(live) = self.live.get() {
                return live.ask(question).await;
            }
            self.waiting().questions.insert(question.key.clone(), json!(question));
            Err(Error::new(ErrorKind::ConfirmationRequired, question.text.clone())
                .with("question", question.key.as_str()))
        })
    }
}

/// A log line as it is kept: `[warn] the disk is nearly full`.
fn log_line(level: Level, message: &str) -> String {
    format!("[{}] {}\n", level_name(level), message.replace('\n', "\n  "))
}

/// A kept log line again.
pub(crate) fn read_log_line(line: &str) -> (Level, &str) {
    const LEVELS: [Level; 4] = [Level::Debug, Level::Info, Level::Warn, Level::Error];
    LEVELS
        .into_iter()
        .find_map(|level| {
            let rest = line.strip_prefix('[')?.strip_prefix(level_name(level))?.strip_prefix("] ")?;
            Some((level, rest))
        })
        .unwrap_or((Level::Info, line))
}

const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feedback() -> TaskFeedback {
        TaskFeedback::new(Live::default(), Arc::new(Redactor::new()), HashMap::new())
    }

    #[test]
    fn a_log_line_is_read_as_it_was_written() {
        for level in [Level::Debug, Level::Info, Level::Warn, Level::Error] {
            let line = log_line(level, "[info] almost");
            assert_eq!(read_log_line(line.trim_end()), (level, "[info] almost"));
        }
        assert_eq!(read_log_line("bare"), (Level::Info, "bare"));
    }

    #[test]
    fn only_the_latest_progress_is_kept_and_every_line() {
        let feedback = feedback();
        for done in [1.0, 2.0] {
            feedback.progress(Progress { done, total: Some(3.0), message: None });
            feedback.log(Level::Info, "step");
        }
        let notes = feedback.take(false).remove(0);
        assert_eq!(notes.progress.map(|progress| progress.done.to_string()), Some("2".to_owned()));
        assert_eq!(notes.output, [(Stream::Log, b"[info] step\n[info] step\n".to_vec())]);
        assert!(feedback.take(false).is_empty());
    }

    #[test]
    fn output_is_kept_by_whole_lines_and_without_secrets() {
        let redactor = Redactor::new();
        redactor.learn("hunter2hunter2".to_owned().into());
        let feedback = TaskFeedback::new(Live::default(), Arc::new(redactor), HashMap::new());
        feedback.output(OutputStream::Stdout, b"one\nkey=hunter2");
        assert_eq!(feedback.take(false).remove(0).output, [(Stream::Stdout, b"one\n".to_vec())]);
        feedback.output(OutputStream::Stdout, b"hunter2 \xff");
        let output = feedback.take(true).remove(0).output;
        assert_eq!(output, [(Stream::Stdout, b"key=[REDACTED] \xff".to_vec())]);
    }

    #[tokio::test]
    async fn however_fast_a_tool_writes_its_task_tells_the_true_count_and_keeps_both_ends() {
        use gabier_store::queue::{NewTask, OutputRange, WorkerId};

        let store = gabier_store::Memory::default();
        let (id, lease) = (TaskId::new("5f3c2a10-0000"), 60_000);
        let claim = Some((WorkerId("w".to_owned()), lease));
        let task = NewTask { claim, ..NewTask::new(id.clone(), "calls", "demo", "ann") };
        store.enqueue(vec![task], 0).await.unwrap();
        let feedback = feedback();
        let mut written = 0;
        for number in 0..1_000_000 {
            let line = format!("line {number}\n");
            written += line.len() as u64;
            feedback.output(OutputStream::Stdout, line.as_bytes());
        }
        feedback.log(Level::Info, "done");
        feedback.flush(&store, &id, Fence(1), true).await;
        let part = async |from| {
            let range = OutputRange { from, length: 20 };
            store.output(&id, Stream::Stdout, range).await.unwrap()
        };
        let first = part(0).await;
        assert_eq!((first.total_bytes, first.total_lines), (written, 1_000_000));
        assert!(first.bytes.starts_with(b"line 0\nline 1\n") && first.stored_bytes > 5 << 20);
        assert!(part(written - 12).await.bytes.ends_with(b"line 999999\n"));
        let log = store.output(&id, Stream::Log, OutputRange { from: 0, length: 99 }).await.unwrap();
        assert_eq!(log.bytes, b"[info] done\n");
    }

    /// A clock whose time flies: it only tells how long somebody slept.
    #[derive(Default)]
    struct Slept(Mutex<Vec<Duration>>);

    impl Clock for Slept {
        fn now(&self) -> gabier_tool::Timestamp {
            gabier_tool::Timestamp::default()
        }

        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            self.0.lock().unwrap().push(duration);
            Box::pin(std::future::ready(()))
        }
    }

    struct Watching;

    impl Feedback for Watching {
        fn wants_output(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn a_flood_that_nobody_watches_leaves_the_disk_to_others() {
        let (store, id) = (gabier_store::Memory::default(), TaskId::new("5f3c2a10-0000"));
        let watched = Live::new(Arc::new(Watching));
        let mebibyte = b"a line of a flood with its end.\n".repeat(32 << 10);
        for (live, first) in [(Live::default(), Duration::from_millis(250)), (watched, PAUSE)] {
            let feedback = TaskFeedback::new(live, Arc::new(Redactor::new()), HashMap::new());
            let clock = Slept::default();
            feedback.output(OutputStream::Stdout, &mebibyte);
            tokio::select! {
                biased;
                () = feedback.keep(&store, &clock, &id, Fence(1)) => {}
                () = tokio::task::yield_now() => {}
            }
            assert_eq!(clock.0.lock().unwrap().first(), Some(&first));
        }
    }

    #[tokio::test]
    async fn a_question_without_anybody_to_ask_waits_in_the_task() {
        let question = Question { key: "sure".to_owned(), text: "Sure?".to_owned(), schema: json!({}) };
        let first = feedback();
        let refused = first.ask(&question).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConfirmationRequired);
        assert_eq!(first.questions()["sure"], json!(question));

        let given = Answer::Accepted(json!({"yes": true}));
        let answers = HashMap::from([("sure".to_owned(), given.clone())]);
        let second = TaskFeedback::new(Live::default(), Arc::new(Redactor::new()), answers);
        assert_eq!(second.ask(&question).await.unwrap(), given);
    }
}
