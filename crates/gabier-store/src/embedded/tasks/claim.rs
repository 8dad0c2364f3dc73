//! What time does to tasks, and the starts of attempts.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::sqlite::Context as _;
use super::codes::{Code as _, RUNNING};
use super::limits::Limits;
use super::row::{COLUMNS, Raw};
use super::tally::{FACTS, Facts, Tally};
use crate::Result;
use crate::queue::{Ms, NewTask, State, Step, rules};

/// How many tasks one transaction moves on, of each sort.
const AT_ONCE: i64 = 1_000;

/// Promotes what is due, takes back what was lost, and ends what is too late; gives how many were lost or late.
///
/// `dead` are the names of processes that are no more: their leases are void.
pub(super) fn pass_time(connection: &Connection, dead: &[String], tally: &mut Tally) -> Result<u64> {
    let mut moved = 0;
    for facts in too_late(connection, tally.now)? {
        end(connection, &facts.0, facts.1, State::Expired, tally)?;
        moved += 1;
    }
    for facts in due(connection, tally.now)? {
        set_waiting(connection, &facts, State::Scheduled.code(), tally)?;
    }
    for lost in lost(connection, dead, tally.now)? {
        match lost.becomes {
            State::Pending => set_waiting(connection, &lost.facts, RUNNING, tally)?,
            state => end(connection, &lost.facts, RUNNING, state, tally)?,
        }
        moved += 1;
    }
    Ok(moved)
}

fn too_late(connection: &Connection, now: Ms) -> Result<Vec<(Facts, i64)>> {
    connection
        .prepare_cached(&format!(
            "SELECT {FACTS}, state FROM task WHERE deadline IS NOT NULL AND state < 4 AND deadline <= ?1 LIMIT ?2"
        ))
        .and_then(|mut statement| {
            statement.query_map([now, AT_ONCE], |row| Ok((Facts::of(row)?, row.get(8)?)))?.collect()
        })
        .while_doing(|| "look for tasks that are too late".to_owned())
}

fn due(connection: &Connection, now: Ms) -> Result<Vec<Facts>> {
    connection
        .prepare_cached(&format!(
            "SELECT {FACTS} FROM task WHERE state = 1 AND due <= ?1 ORDER BY due LIMIT ?2"
        ))
        .and_then(|mut statement| statement.query_map([now, AT_ONCE], Facts::of)?.collect())
        .while_doing(|| "look for tasks that are due".to_owned())
}

/// A running task whose worker is gone.
struct Lost {
    facts: Facts,
    becomes: State,
}

fn lost(connection: &Connection, dead: &[String], now: Ms) -> Result<Vec<Lost>> {
    // Few run at any time; only when processes died are all of them looked at.
    let until = if dead.is_empty() { now } else { Ms::MAX };
    connection
        .prepare_cached(&format!(
            "SELECT {FACTS}, retry_safe, attempt, max_attempts, cancel IS NOT NULL, lease_until, worker FROM task
             WHERE state = 4 AND lease_until <= ?1 LIMIT ?2"
        ))
        .and_then(|mut statement| {
            let mut rows = statement.query([until, if dead.is_empty() { AT_ONCE } else { i64::MAX }])?;
            let mut lost = Vec::new();
            while let Some(row) = rows.next()? {
                let worker: String = row.get(13)?;
                let is_over = row.get::<_, Ms>(12)? <= now;
                if is_over || dead.iter().any(|dead| *dead == process_of(&worker)) {
                    let becomes = rules::lost(row.get(8)?, row.get(9)?, row.get(10)?, row.get(11)?);
                    lost.push(Lost { facts: Facts::of(row)?, becomes });
                }
            }
            Ok(lost)
        })
        .while_doing(|| "look for tasks that lost their worker".to_owned())
}

/// The name of the process within that of a worker.
pub(super) fn process_of(worker: &str) -> &str {
    worker.split_once(':').map_or(worker, |(process, _)| process)
}

/// Puts a task back among those that can be claimed.
fn set_waiting(connection: &Connection, facts: &Facts, from: i64, tally: &mut Tally) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE task SET state = 0, due = NULL, worker = NULL, lease_until = NULL, updated = max(updated, ?2)
             WHERE seq = ?1",
        )
        .and_then(|mut statement| statement.execute([facts.seq, tally.now]))
        .while_doing(|| format!("put back the task {}", facts.id))?;
    tally.moved(connection, facts, Some(from), State::Pending.code())
}

/// Ends a task without its worker.
fn end(connection: &Connection, facts: &Facts, from: i64, state: State, tally: &mut Tally) -> Result<()> {
    let error = rules::error_of(state).map(|error| error.to_string());
    connection
        .prepare_cached(
            "UPDATE task SET state = ?2, finished = ?3, updated = max(updated, ?3), due = NULL, worker = NULL,
                 lease_until = NULL, dead_letter = ?4, error = coalesce(?5, error)
             WHERE seq = ?1",
        )
        .and_then(|mut statement| {
            let is_dead_letter = state == State::Failed;
            statement.execute(params![facts.seq, state.code(), tally.now, is_dead_letter, error])
        })
        .while_doing(|| format!("end the task {}", facts.id))?;
    tally.moved(connection, facts, Some(from), state.code())
}

/// Claims for a worker what may start now, in the order in which it should start.
pub(super) fn claim(connection: &Connection, step: &Step, tally: &mut Tally) -> Result<Vec<Raw>> {
    if step.want == 0 || is_paused(connection, &step.queue)? {
        return Ok(Vec::new());
    }
    let mut limits = Limits::load(connection, tally.now)?;
    let ready = match &mut limits {
        None => ready(connection, &step.queue, step.want)?,
        Some(limits) => limits.ready(connection, &step.queue, step.want)?,
    };
    let claimed = ready.into_iter().map(|seq| start(connection, step, seq, tally)).collect::<Result<_>>()?;
    if let Some(limits) = limits {
        limits.settle(connection)?;
    }
    Ok(claimed)
}

/// Whether a task that is added now would be the next to start in its queue. Where limits are set, steps decide.
pub(super) fn is_next(connection: &Connection, task: &NewTask, now: Ms) -> Result<bool> {
    let is_due = task.run_at.is_none_or(|at| at <= now) && task.deadline.is_none_or(|at| at > now);
    Ok(is_due
        && !is_paused(connection, &task.queue)?
        && ready(connection, &task.queue, 1)?.is_empty()
        && Limits::load(connection, now)?.is_none())
}

fn is_paused(connection: &Connection, queue: &str) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM task_paused WHERE queue = ?1")
        .and_then(|mut statement| statement.query_row([queue], |_| Ok(())).optional())
        .map(|found| found.is_some())
        .while_doing(|| format!("look whether {queue} is paused"))
}

fn ready(connection: &Connection, queue: &str, want: usize) -> Result<Vec<i64>> {
    connection
        .prepare_cached(
            "SELECT seq FROM task INDEXED BY task_ready WHERE queue = ?1 AND state = 0 ORDER BY priority, seq LIMIT ?2",
        )
        .and_then(|mut statement| {
            let want = i64::try_from(want).unwrap_or(i64::MAX);
            statement.query_map(params![queue, want], |row| row.get(0))?.collect()
        })
        .while_doing(|| format!("look for tasks in {queue}"))
}

/// Starts one attempt under a new fence.
fn start(connection: &Connection, step: &Step, seq: i64, tally: &mut Tally) -> Result<Raw> {
    let (facts, raw) = connection
        .prepare_cached(&format!(
            "UPDATE task SET state = 4, attempt = attempt + 1, fence = fence + 1, worker = ?2, lease_until = ?3,
                 started = ?4, updated = max(updated, ?4), due = NULL
             WHERE seq = ?1 RETURNING {COLUMNS}"
        ))
        .and_then(|mut statement| {
            let values = params![seq, step.worker.0, tally.now + step.lease, tally.now];
            statement.query_row(values, |row| Ok((Facts::of(row)?, Raw::of(row)?)))
        })
        .while_doing(|| "claim a task".to_owned())?;
    tally.moved(connection, &facts, Some(State::Pending.code()), RUNNING)?;
    Ok(raw)
}
