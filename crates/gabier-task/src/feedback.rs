//! What a running attempt tells: to whoever waits for it here, and into the store.

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

/// The shortest time between two notes of a task: five a second.
const PAUSE: Duration = Duration::from_millis(200);

/// The most bytes of a stream that wait for a note. Of what a tool writes faster than that the newest is kept, so that
/// the end of the output is its end, and it is said that some was left out.
const MOST_WAITING: usize = 1024 * 1024;

/// From how many bytes on they are written without a pause.
const MUCH: usize = MOST_WAITING / 8;

/// The longest part of a line that waits for its end, so that secrets in it are seen whole.
const LONGEST_LINE: usize = 64 * 1024;

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
    log: String,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    left_out: usize,
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

    /// Writes into the store what is told, five times a second at most unless it is much; never ends.
    pub(crate) async fn keep(&self, queue: &dyn Queue, clock: &dyn Clock, id: &TaskId, fence: Fence) {
        loop {
            self.noted.notified().await;
            self.flush(queue, id, fence, false).await;
            tokio::select! {
                () = clock.sleep(PAUSE) => {}
                () = self.pressed.notified() => {}
            }
        }
    }

    /// Writes what waits, and passes on what a command wrote; at the end also a line that has no end.
    pub(crate) async fn flush(&self, queue: &dyn Queue, id: &TaskId, fence: Fence, is_end: bool) {
        let notes = self.take(is_end);
        if let Some(live) = self.live.get() {
            for (stream, bytes) in &notes.output {
                match stream {
                    Stream::Stdout => live.output(OutputStream::Stdout, bytes),
                    Stream::Stderr => live.output(OutputStream::Stderr, bytes),
                    Stream::Log => {}
                }
            }
        }
        if notes.progress.is_none() && notes.output.is_empty() {
            return;
        }
        if let Err(error) = queue.note(id, fence, notes).await {
            tracing::debug!(%error, task = id.as_str(), "noting progress");
        }
    }

    fn take(&self, is_end: bool) -> Notes {
        let mut waiting = self.waiting();
        let mut output = Vec::new();
        for (stream, bytes) in [
            (Stream::Stdout, whole_lines(&mut waiting.stdout, is_end)),
            (Stream::Stderr, whole_lines(&mut waiting.stderr, is_end)),
        ] {
            if !bytes.is_empty() {
                output.push((stream, self.cleaned(&bytes)));
            }
        }
        let mut log = std::mem::take(&mut waiting.log);
        if std::mem::take(&mut waiting.left_out) > 0 {
            log.push_str("[warn] the tool wrote faster than it could be kept; some of it was left out\n");
        }
        if !log.is_empty() {
            output.push((Stream::Log, log.into_bytes()));
        }
        Notes { progress: waiting.progress.take(), output }
    }

    /// Bytes without secrets, as far as they are text.
    fn cleaned(&self, bytes: &[u8]) -> Vec<u8> {
        let mut cleaned = Vec::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            cleaned.extend_from_slice(self.redactor.redact(chunk.valid()).as_bytes());
            cleaned.extend_from_slice(chunk.invalid());
        }
        cleaned
    }
}

/// Takes what ends with a line end, or all of it.
fn whole_lines(bytes: &mut Vec<u8>, is_end: bool) -> Vec<u8> {
    if is_end || bytes.len() > LONGEST_LINE {
        return std::mem::take(bytes);
    }
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let rest = bytes.split_off(end);
    std::mem::replace(bytes, rest)
}

/// Leaves out the older half, up to the end of a line where there is one near; gives how much that was.
fn leave_out(bytes: &mut Vec<u8>) -> usize {
    let half = bytes.len() / 2;
    let line = bytes[half..].iter().take(LONGEST_LINE).position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.drain(..half + line).len()
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
        let mut waiting = self.waiting();
        if waiting.log.len() + line.len() > MOST_WAITING {
            waiting.left_out += line.len();
        } else {
            waiting.log.push_str(&line);
        }
        drop(waiting);
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
        let kept = match stream {
            OutputStream::Stdout => &mut waiting.stdout,
            OutputStream::Stderr => &mut waiting.stderr,
        };
        kept.extend_from_slice(bytes);
        let left_out = if kept.len() > MOST_WAITING { leave_out(kept) } else { 0 };
        let is_much = kept.len() > MUCH;
        waiting.left_out += left_out;
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
        let notes = feedback.take(false);
        assert_eq!(notes.progress.map(|progress| progress.done.to_string()), Some("2".to_owned()));
        assert_eq!(notes.output, [(Stream::Log, b"[info] step\n[info] step\n".to_vec())]);
        assert!(feedback.take(false).output.is_empty());
    }

    #[test]
    fn output_is_kept_by_whole_lines_and_without_secrets() {
        let redactor = Redactor::new();
        redactor.learn("hunter2hunter2".to_owned().into());
        let feedback = TaskFeedback::new(Live::default(), Arc::new(redactor), HashMap::new());
        feedback.output(OutputStream::Stdout, b"one\nkey=hunter2");
        assert_eq!(feedback.take(false).output, [(Stream::Stdout, b"one\n".to_vec())]);
        feedback.output(OutputStream::Stdout, b"hunter2 \xff");
        let output = feedback.take(true).output;
        assert_eq!(output, [(Stream::Stdout, b"key=[REDACTED] \xff".to_vec())]);
    }

    #[test]
    fn of_too_much_output_the_end_is_kept_and_the_gap_is_told() {
        let feedback = feedback();
        for number in 0..1_000_000 {
            feedback.output(OutputStream::Stdout, format!("line {number}\n").as_bytes());
        }
        let output = feedback.take(false).output;
        let (stream, bytes) = &output[0];
        assert!(*stream == Stream::Stdout && bytes.len() <= MOST_WAITING);
        assert!(bytes.starts_with(b"line ") && bytes.ends_with(b"line 999999\n"));
        assert!(String::from_utf8_lossy(&output[1].1).contains("left out"));
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
