//! One command on one channel of a shared connection.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gabier_host::{Command, End, Execution, Stdin, Stopped, Target};
use gabier_tool::{Error, ErrorKind, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::hold::Hold;
use super::mark;
use super::stop::stop;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::transport::{Channel, Connection, Drained, Ended, Event, Writer};

/// A command that has ended may leave output behind it on the way: silence for this long is its end.
const SILENCE: Duration = Duration::from_millis(300);
/// However much comes after the end of a command, this is the most that is waited for it.
const AFTERMATH: Duration = Duration::from_secs(10);
/// How long the process id of a command that is to be stopped may still be on its way.
const PID_WAIT: Duration = Duration::from_secs(1);
/// No limit at all, in a form that can be added to a clock.
const FOR_EVER: Duration = Duration::from_hours(365 * 24);

/// Runs a command. It goes on to its end, or is stopped, in a task of its own: dropping this future stops it.
pub(crate) async fn run(pool: &Arc<Pool>, target: &Target, command: Command) -> Result<Execution> {
    command.check()?;
    let (done, result) = oneshot::channel();
    let mut command = command;
    command.cancel = command.cancel.child_token();
    let dropped = command.cancel.clone().drop_guard();
    let (pool, target) = (Arc::clone(pool), target.clone());
    tokio::spawn(async move {
        let _ = done.send(until_sent(&pool, &target, &command).await);
    });
    let result = result.await.map_err(|_| Error::internal("running a command: its task ended"))?;
    dropped.disarm();
    result
}

/// A command that was lost is run once more only if that does no harm.
async fn until_sent(pool: &Pool, target: &Target, command: &Command) -> Result<Execution> {
    let deadline = Instant::now() + command.limit.unwrap_or(FOR_EVER);
    let first = attempt(pool, target, command, deadline).await?;
    if matches!(first.end, End::Lost { .. }) && command.is_idempotent {
        return attempt(pool, target, command, deadline).await;
    }
    Ok(first)
}

async fn attempt(pool: &Pool, target: &Target, command: &Command, deadline: Instant) -> Result<Execution> {
    let word = mark::word().map_err(|error| Error::internal("drawing a random word").with_source(error))?;
    let opened = tokio::select! {
        opened = pool.open(target, deadline) => opened,
        () = command.cancel.cancelled() => return Err(cancelled(target)),
    };
    let (channel, lease) = opened.map_err(|failure| Error::from(failure.at(&target.endpoint, false)))?;
    let hold = Hold::new(command.keep, command.sink.clone(), &word);
    let line = format!("{}\n{}", announce(&word), command.line());
    let running = Running::begin(channel, hold);
    running.drive(pool, target, &lease.connection, command, line, deadline).await
}

/// Tells the process id, which is that of its group: the server makes a session for each command.
pub(super) fn announce(word: &str) -> String {
    format!("printf '%s %s\\n' {word} \"$$\"")
}

pub(super) fn cancelled(target: &Target) -> Error {
    Error::new(
        ErrorKind::Cancelled,
        format!("running the command on {}: cancelled before it was sent", target.alias()),
    )
}

struct Running {
    hold: Hold,
    writer: Writer,
    events: mpsc::UnboundedReceiver<Event>,
    drained: Drained,
}

impl Running {
    fn begin(channel: Channel, hold: Hold) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let output = hold.clone();
        let (writer, drained) = channel.drain(move |event| match event {
            Event::Data(stream, bytes) => output.push(stream, &bytes),
            other => drop(sender.send(other)),
        });
        Self { hold, writer, events, drained }
    }

    async fn drive(
        self,
        pool: &Pool,
        target: &Target,
        connection: &Connection,
        command: &Command,
        line: String,
        deadline: Instant,
    ) -> Result<Execution> {
        let Self { hold, mut writer, mut events, mut drained } = self;
        let began = Instant::now();
        let mut notes = Vec::new();
        let cause = {
            let mut sending = pin!(send(&writer, &line, &command.stdin));
            let mut is_sent = false;
            let mut end: Option<End> = None;
            let mut ended_at = None;
            loop {
                let wake = wake_at(&hold, deadline, command.idle_limit, ended_at);
                tokio::select! {
                    () = &mut sending, if !is_sent => is_sent = true,
                    Some(event) = events.recv() => match event {
                        Event::Exited(code) => (end, ended_at) = (Some(End::Exited(code)), Some(Instant::now())),
                        Event::Signalled(name) => (end, ended_at) = (Some(End::Signalled(name)), Some(Instant::now())),
                        Event::Refused => return Err(refused(target)),
                        _ => {}
                    },
                    how = drained.ended() => {
                        // Events that came before the end may still be in the queue.
                        while let Ok(event) = events.try_recv() {
                            match event {
                                Event::Exited(code) => end = Some(End::Exited(code)),
                                Event::Signalled(name) => end = Some(End::Signalled(name)),
                                Event::Refused => return Err(refused(target)),
                                _ => {}
                            }
                        }
                        break Cause::Ended(end.unwrap_or_else(|| lost(connection, how)));
                    }
                    () = sleep_until(wake) => {
                        match end.clone() {
                            Some(end) => {
                                notes.push("something it started still holds its output".to_owned());
                                break Cause::Left(end);
                            }
                            None => break Cause::TimedOut,
                        }
                    }
                    () = command.cancel.cancelled(), if end.is_none() => break Cause::Cancelled,
                }
            }
        };
        let end = match cause {
            Cause::Ended(end) => end,
            Cause::Left(end) => {
                writer.close().await;
                end
            }
            Cause::TimedOut => {
                let is_idle = Instant::now() < deadline;
                let limit = if is_idle { command.idle_limit } else { command.limit }.unwrap_or_default();
                if is_idle {
                    notes.push("it was stopped for being silent".to_owned());
                }
                End::TimedOut {
                    limit,
                    stopped: stop_running(pool, target, connection, &hold, &mut writer).await,
                }
            }
            Cause::Cancelled => {
                End::Cancelled { stopped: stop_running(pool, target, connection, &hold, &mut writer).await }
            }
        };
        let announced = hold.pid().is_some();
        let (stdout, stderr) = hold.finish();
        if !announced && matches!(end, End::Exited(_)) {
            check_shell(target, &stdout, &stderr, &mut notes)?;
        }
        Ok(Execution { end, stdout, stderr, duration: began.elapsed(), notes, prompt: None })
    }
}

enum Cause {
    Ended(End),
    Left(End),
    TimedOut,
    Cancelled,
}

/// When nothing more is waited for.
fn wake_at(hold: &Hold, deadline: Instant, idle: Option<Duration>, ended_at: Option<Instant>) -> Instant {
    match ended_at {
        Some(ended_at) => (hold.last_data().max(ended_at) + SILENCE).min(ended_at + AFTERMATH),
        None => idle.map_or(deadline, |idle| deadline.min(hold.last_data() + idle)),
    }
}

/// Sends the line and the input. What the command does not read stays unsent: the loop goes on without this.
async fn send(writer: &Writer, line: &str, stdin: &Stdin) {
    let _ = writer.exec(line).await;
    let input = match stdin {
        Stdin::Closed => Bytes::new(),
        Stdin::Bytes(bytes) => bytes.clone(),
        Stdin::Later(bytes) => bytes.clone().await,
    };
    if !input.is_empty() {
        let _ = writer.data(input).await;
    }
    let _ = writer.eof().await;
}

pub(super) async fn stop_running(
    pool: &Pool,
    target: &Target,
    connection: &Connection,
    hold: &Hold,
    writer: &mut Writer,
) -> Stopped {
    let last = Instant::now() + PID_WAIT;
    while hold.pid().is_none() && Instant::now() < last && connection.is_alive() {
        sleep_until(Instant::now() + Duration::from_millis(20)).await;
    }
    // Dropbear would signal the shell alone, and its children could not be found any more.
    if !connection.is_dropbear() {
        writer.signal_term().await;
    }
    let stopped = stop(pool, target, connection, hold.pid()).await;
    writer.close().await;
    stopped
}

pub(super) fn lost(connection: &Connection, how: Ended) -> End {
    let reason = match how {
        Ended::Lost => connection.lost(),
        Ended::Closed => "the server closed the channel and told no exit code".to_owned(),
    };
    End::Lost { reason }
}

pub(super) fn refused(target: &Target) -> Error {
    let message = format!("running a command on {}: the server refuses to", target.alias());
    Failure::new(ErrorKind::NotAvailable, "EXEC_REFUSED", message).at(&target.endpoint, false).into()
}

/// A shell that never told its process id did not run the command as it was given.
fn check_shell(
    target: &Target,
    stdout: &gabier_host::Output,
    stderr: &gabier_host::Output,
    notes: &mut Vec<String>,
) -> Result<()> {
    let said = format!("{}{}", stdout.text(), stderr.text()).to_lowercase();
    if said.contains("sftp connections only") || said.contains("not available") {
        let message = format!("running a command on {}: the account runs none", target.alias());
        let failure = Failure::new(ErrorKind::NotAvailable, "NO_SHELL", message).with("server", said.trim());
        return Err(failure.at(&target.endpoint, false).into());
    }
    if said.contains("fish:") {
        let message =
            format!("running a command on {}: its shell is fish, which is not supported", target.alias());
        return Err(Failure::new(ErrorKind::NotAvailable, "SHELL_UNKNOWN", message)
            .at(&target.endpoint, false)
            .into());
    }
    notes.push("the account runs a fixed command instead of the one given".to_owned());
    Ok(())
}
