//! One command on a terminal and a connection of its own, its questions answered.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gabier_host::{Asked, Command, End, Execution, Prompts, Target};
use gabier_tool::{Error, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::hold::Hold;
use super::mark::word;
use super::mask::Mask;
use super::run::{announce, cancelled, lost, refused, stop_running};
use crate::failure::Failure;
use crate::pool::Pool;
use crate::transport::{Connection, Event, Refusal};

/// How long a command must be silent before its last line counts as a question.
const QUIET: Duration = Duration::from_millis(60);
/// The size of the terminal.
const SIZE: (u32, u32) = (120, 40);
/// No limit at all, in a form that can be added to a clock.
const FOR_EVER: Duration = Duration::from_hours(365 * 24);

/// Runs a command on a terminal. Dropping this future stops it.
pub(crate) async fn interact(
    pool: &Arc<Pool>,
    target: &Target,
    command: Command,
    prompts: Prompts,
) -> Result<Execution> {
    command.check()?;
    let (done, result) = oneshot::channel();
    let mut command = command;
    command.cancel = command.cancel.child_token();
    let dropped = command.cancel.clone().drop_guard();
    let (pool, target) = (Arc::clone(pool), target.clone());
    tokio::spawn(async move {
        let _ = done.send(on_own_connection(&pool, &target, &command, prompts).await);
    });
    let result = result.await.map_err(|_| Error::internal("running a command: its task ended"))?;
    dropped.disarm();
    result
}

async fn on_own_connection(
    pool: &Pool,
    target: &Target,
    command: &Command,
    prompts: Prompts,
) -> Result<Execution> {
    let deadline = Instant::now() + command.limit.unwrap_or(FOR_EVER);
    let connecting = pool.dedicated(target, deadline);
    let connection = tokio::select! {
        connection = connecting => connection.map_err(|failure| Error::from(failure.at(&target.endpoint, false)))?,
        () = command.cancel.cancelled() => return Err(cancelled(target)),
    };
    let result = drive(pool, target, &connection, command, prompts, deadline).await;
    connection.close().await;
    result
}

/// What the drain and the driver share besides the output.
struct Screen {
    prompts: Prompts,
    mask: Mask,
}

async fn drive(
    pool: &Pool,
    target: &Target,
    connection: &Connection,
    command: &Command,
    prompts: Prompts,
    deadline: Instant,
) -> Result<Execution> {
    let word = word().map_err(|error| Error::internal("drawing a random word").with_source(error))?;
    let channel = connection.open().await.map_err(|refusal| no_channel(target, &refusal))?;
    let hold = Hold::new(command.keep, command.sink.clone(), &word);
    let mask = Mask::new(prompts.secrets().cloned().collect());
    let screen = Arc::new(Mutex::new(Screen { prompts, mask }));
    let (sender, mut events) = mpsc::unbounded_channel();
    let (output, shown) = (hold.clone(), Arc::clone(&screen));
    let (mut writer, mut drained) = channel.drain(move |event| match event {
        Event::Data(stream, bytes) => {
            let mut screen = shown.lock().unwrap_or_else(PoisonError::into_inner);
            screen.prompts.push(&bytes);
            let bytes = screen.mask.push(&bytes);
            output.push(stream, &bytes.into());
        }
        other => drop(sender.send(other)),
    });
    let began = Instant::now();
    let line = format!("{}\n{}", announce(&word), command.line());
    let (typed, mut to_type) = mpsc::unbounded_channel::<bytes::Bytes>();
    let mut reason = None;
    let cause = {
        // Typing waits for the server's window; the loop must not.
        let mut typing = pin!(async {
            let _ = writer.terminal(SIZE.0, SIZE.1).await;
            let _ = writer.exec(&line).await;
            while let Some(text) = to_type.recv().await {
                let _ = writer.data(text).await;
            }
        });
        let mut end = None;
        let mut asked_at = Instant::now();
        loop {
            let quiet = hold.last_data() + QUIET;
            let is_new = hold.last_data() > asked_at;
            let wake = if is_new { deadline.min(quiet) } else { deadline.min(Instant::now() + QUIET) };
            let idle = command.idle_limit.map(|idle| hold.last_data() + idle);
            tokio::select! {
                () = &mut typing => {}
                Some(event) = events.recv() => match event {
                    Event::Exited(code) => end = Some(End::Exited(code)),
                    Event::Signalled(name) => end = Some(End::Signalled(name)),
                    Event::Refused => return Err(refused(target)),
                    _ => {}
                },
                how = drained.ended() => {
                    while let Ok(event) = events.try_recv() {
                        match event {
                            Event::Exited(code) => end = Some(End::Exited(code)),
                            Event::Signalled(name) => end = Some(End::Signalled(name)),
                            _ => {}
                        }
                    }
                    break Some(end.unwrap_or_else(|| lost(connection, how)));
                }
                () = sleep_until(wake) => {
                    let now = Instant::now();
                    if now >= deadline || idle.is_some_and(|idle| now >= idle) {
                        break None;
                    }
                    if is_new && now >= hold.last_data() + QUIET {
                        asked_at = now;
                        let mut screen = screen.lock().unwrap_or_else(PoisonError::into_inner);
                        match screen.prompts.ask() {
                            Asked::Nothing => {}
                            Asked::Answer(answer) => drop(typed.send(format!("{}\r", answer.expose()).into())),
                            Asked::Refuse(why) => {
                                reason = Some(why);
                                break None;
                            }
                        }
                    }
                }
                () = command.cancel.cancelled() => break None,
            }
        }
    };
    let prompt = prompt_of(&screen, reason.is_some());
    let end = if let Some(end) = cause {
        end
    } else {
        let stopped = stop_running(pool, target, connection, &hold, &mut writer).await;
        match reason {
            Some(why) => End::Unanswered { reason: why.to_owned(), stopped },
            None if command.cancel.is_cancelled() => End::Cancelled { stopped },
            None => {
                End::TimedOut { limit: command.limit.or(command.idle_limit).unwrap_or_default(), stopped }
            }
        }
    };
    let rest = screen.lock().unwrap_or_else(PoisonError::into_inner).mask.finish();
    hold.push(gabier_host::Stream::Stdout, &rest.into());
    let is_stopped = !matches!(end, End::Exited(_) | End::Signalled(_) | End::Lost { .. });
    let (stdout, stderr) = hold.finish();
    let prompt = if is_stopped { prompt.or_else(|| last_line(&stdout)) } else { None };
    Ok(Execution { end, stdout, stderr, duration: began.elapsed(), notes: Vec::new(), prompt })
}

/// The line the command waits on; a refused one was taken already and stands last in the output.
fn prompt_of(screen: &Mutex<Screen>, is_refused: bool) -> Option<String> {
    let line = screen.lock().unwrap_or_else(PoisonError::into_inner).prompts.line();
    (!is_refused && !line.is_empty()).then_some(line)
}

fn last_line(output: &gabier_host::Output) -> Option<String> {
    let text = output.text();
    let line = text.lines().last()?.trim_end();
    (!line.is_empty()).then(|| line.to_owned())
}

fn no_channel(target: &Target, refusal: &Refusal) -> Error {
    let message = format!("opening a channel on {}: the server does not", target.alias());
    Failure::unreachable("NO_CHANNEL", message)
        .with("server", format!("{refusal:?}"))
        .at(&target.endpoint, false)
        .into()
}
