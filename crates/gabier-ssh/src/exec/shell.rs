//! A shell that stays: its directory and variables last from step to step.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_host::{Captured, Command, End, Execution, Shell, Sink, Stream, Target, quote};
use gabier_tool::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::hold::Hold;
use super::mark::{Marks, Piece, word};
use super::run::{announce, cancelled, lost, refused, stop_running};
use crate::failure::Failure;
use crate::pool::{Lease, Pool};
use crate::transport::{Drained, Event, Writer};

/// No limit at all, in a form that can be added to a clock.
const FOR_EVER: Duration = Duration::from_hours(365 * 24);

/// The longest a shell takes to come up.
const READY_LIMIT: Duration = Duration::from_secs(10);

/// The account's own shell where it reads POSIX scripts, else `sh`.
const BEGIN: &str = r#"case "${SHELL##*/}" in bash|ksh|mksh|dash|ash) exec "$SHELL";; *) exec sh;; esac"#;

/// Opens a shell on a channel of a shared connection.
pub(crate) async fn open_shell(pool: &Arc<Pool>, target: &Target) -> Result<Box<dyn Shell>> {
    let word = fresh_word()?;
    let deadline = Instant::now() + pool.connector().settings.wait_limit;
    let opened = pool.open(target, deadline).await;
    let (channel, lease) = opened.map_err(|failure| Error::from(failure.at(&target.endpoint, false)))?;
    let hold = Hold::new(0, None, &word);
    let step: Arc<Mutex<Option<Step>>> = Arc::default();
    let (sender, mut events) = mpsc::unbounded_channel();
    let (output, current) = (hold.clone(), Arc::clone(&step));
    let (writer, drained) = channel.drain(move |event| match event {
        Event::Data(stream, bytes) => {
            // What comes before the first step is the process id; what comes between steps belongs to none.
            if let Some(step) = lock(&current).as_mut() {
                if step.push(stream, &bytes) {
                    let _ = sender.send(Happened::Done);
                }
            } else {
                let was_known = output.pid().is_some();
                output.push(stream, &bytes);
                if !was_known && output.pid().is_some() {
                    let _ = sender.send(Happened::Ready);
                }
            }
        }
        Event::Exited(code) => drop(sender.send(Happened::Exited(End::Exited(code)))),
        Event::Signalled(name) => drop(sender.send(Happened::Exited(End::Signalled(name)))),
        Event::Refused => drop(sender.send(Happened::Refused)),
        Event::Granted | Event::Eof => {}
    });
    let _ = writer.exec(&format!("{}\n{BEGIN}", announce(&word))).await;
    match timeout(READY_LIMIT, events.recv()).await {
        Ok(Some(Happened::Ready)) => {}
        Ok(Some(Happened::Refused)) => return Err(refused(target)),
        _ => return Err(no_shell(target)),
    }
    let session = Session {
        pool: Arc::clone(pool),
        target: target.clone(),
        lease,
        writer,
        events,
        drained,
        hold,
        step,
    };
    Ok(Box::new(SshShell(Some(Box::new(session)))))
}

struct SshShell(Option<Box<Session>>);

impl Shell for SshShell {
    fn step(&mut self, command: Command) -> BoxFuture<'_, Result<Execution>> {
        async move {
            command.check()?;
            let Some(session) = self.0.take() else {
                return Err(Error::new(ErrorKind::Unavailable, "running a step: the shell has ended"));
            };
            let (done, result) = oneshot::channel();
            let mut command = command;
            command.cancel = command.cancel.child_token();
            let dropped = command.cancel.clone().drop_guard();
            tokio::spawn(async move {
                let _ = done.send(session.step(&command).await);
            });
            let ended = |_| Error::internal("running a step: its task ended");
            let (session, result) = result.await.map_err(ended)?;
            dropped.disarm();
            self.0 = session;
            result
        }
        .boxed()
    }

    fn is_alive(&self) -> bool {
        self.0.is_some()
    }
}

struct Session {
    pool: Arc<Pool>,
    target: Target,
    lease: Lease,
    writer: Writer,
    events: mpsc::UnboundedReceiver<Happened>,
    drained: Drained,
    hold: Hold,
    step: Arc<Mutex<Option<Step>>>,
}

enum Happened {
    Ready,
    Done,
    Exited(End),
    Refused,
}

/// The output of the running step, up to its marks.
struct Step {
    stdout: Captured,
    stderr: Captured,
    sink: Option<Arc<dyn Sink>>,
    marks: [Marks; 2],
    codes: [Option<u32>; 2],
    last_data: Instant,
}

impl Step {
    fn new(command: &Command, word: &str) -> Self {
        Self {
            stdout: Captured::within(command.keep),
            stderr: Captured::within(command.keep),
            sink: command.sink.clone(),
            marks: [Marks::new(word), Marks::new(word)],
            codes: [None; 2],
            last_data: Instant::now(),
        }
    }

    /// Takes output; true when both streams have come to their marks.
    fn push(&mut self, stream: Stream, bytes: &[u8]) -> bool {
        self.last_data = Instant::now();
        let index = usize::from(stream == Stream::Stderr);
        for piece in self.marks[index].push(bytes) {
            match piece {
                Piece::Output(bytes) => self.take(stream, &bytes.into()),
                Piece::Mark(code) => self.codes[index] = Some(code),
            }
        }
        self.codes.iter().all(Option::is_some)
    }

    fn take(&mut self, stream: Stream, bytes: &Bytes) {
        match stream {
            Stream::Stdout => self.stdout.push(bytes),
            Stream::Stderr => self.stderr.push(bytes),
        }
        if let Some(sink) = &self.sink {
            sink.write(stream, bytes);
        }
    }

    fn finish(mut self, end: End, duration: Duration, notes: Vec<String>) -> Execution {
        for (index, stream) in [Stream::Stdout, Stream::Stderr].into_iter().enumerate() {
            let rest = self.marks[index].finish();
            if !rest.is_empty() {
                self.take(stream, &rest.into());
            }
        }
        let (stdout, stderr) = (self.stdout.finish(), self.stderr.finish());
        Execution { end, stdout, stderr, duration, notes, prompt: None }
    }
}

impl Session {
    /// Runs one step and gives the shell back unless the step ended it.
    async fn step(mut self: Box<Self>, command: &Command) -> (Option<Box<Self>>, Result<Execution>) {
        let word = match fresh_word() {
            Ok(word) => word,
            Err(error) => return (Some(self), Err(error)),
        };
        if command.cancel.is_cancelled() {
            let error = cancelled(&self.target);
            return (Some(self), Err(error));
        }
        *lock(&self.step) = Some(Step::new(command, &word));
        let began = Instant::now();
        // `command` takes from eval the power to end the shell by a syntax error; input is the shell's alone.
        let script = format!(
            "command eval {} </dev/null\nprintf '{word} %s\\n' \"$?\"; printf '{word} 0\\n' >&2\n",
            quote(&command.line())
        );
        let deadline = began + command.limit.unwrap_or(FOR_EVER);
        let outcome = self.watch(script, command, deadline).await;
        let (end, is_over, notes) = match outcome {
            Ok(outcome) => outcome,
            Err(error) => return (None, Err(error)),
        };
        let Some(step) = lock(&self.step).take() else {
            return (None, Err(Error::internal("running a step: its output is gone")));
        };
        let end = end.unwrap_or_else(|| End::Exited(step.codes[0].unwrap_or(u32::MAX)));
        let execution = step.finish(end, began.elapsed(), notes);
        if is_over {
            self.writer.close().await;
            return (None, Ok(execution));
        }
        (Some(self), Ok(execution))
    }

    /// Waits for the end of a step: how it ended (by its mark when `None`), and whether the shell ended with it.
    async fn watch(
        &mut self,
        script: String,
        command: &Command,
        deadline: Instant,
    ) -> Result<(Option<End>, bool, Vec<String>)> {
        let stopping = {
            let mut sending = std::pin::pin!(self.writer.data(script.into()));
            let mut is_sent = false;
            let mut exit = None;
            loop {
                let idle = command.idle_limit.zip(lock(&self.step).as_ref().map(|step| step.last_data));
                let wake = idle.map_or(deadline, |(idle, last)| deadline.min(last + idle));
                tokio::select! {
                    _ = &mut sending, if !is_sent => is_sent = true,
                    Some(happened) = self.events.recv() => match happened {
                        Happened::Ready => {}
                        Happened::Done => return Ok((None, false, Vec::new())),
                        Happened::Exited(end) => exit = Some(end),
                        Happened::Refused => return Err(refused(&self.target)),
                    },
                    how = self.drained.ended() => {
                        while let Ok(happened) = self.events.try_recv() {
                            if let Happened::Exited(end) = happened {
                                exit = Some(end);
                            }
                        }
                        let end = exit.unwrap_or_else(|| lost(&self.lease.connection, how));
                        return Ok((Some(end), true, vec!["the shell ended with this step".to_owned()]));
                    }
                    () = sleep_until(wake) => break false,
                    () = command.cancel.cancelled() => break true,
                }
            }
        };
        let Self { pool, target, lease, writer, hold, .. } = self;
        let stopped = stop_running(pool, target, &lease.connection, hold, writer).await;
        let limit = command.limit.or(command.idle_limit).unwrap_or_default();
        let end = if stopping { End::Cancelled { stopped } } else { End::TimedOut { limit, stopped } };
        Ok((Some(end), true, vec!["the shell was stopped with this step".to_owned()]))
    }
}

impl Drop for SshShell {
    fn drop(&mut self) {
        // Nothing runs between steps: without its input the shell ends by itself.
        if let (Some(mut session), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { session.writer.close().await });
        }
    }
}

fn no_shell(target: &Target) -> Error {
    let message = format!("opening a shell on {}: the account runs none", target.alias());
    Failure::new(ErrorKind::NotAvailable, "NO_SHELL", message).at(&target.endpoint, false).into()
}

fn fresh_word() -> Result<String> {
    word().map_err(|error| Error::internal("drawing a random word").with_source(error))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
