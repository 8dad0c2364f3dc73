//! The ends of attempts, and what their holders say meanwhile.

use rusqlite::{Connection, OptionalExtension, ToSql, params};
use serde_json::{Map, Value};

use super::super::sqlite::Context as _;
use super::blobs::{Blobs, Part};
use super::codes::{Code as _, ENDED, RUNNING};
use super::enqueue::json;
use super::tally::{FACTS, Facts, Tally};
use crate::queue::{CancelAck, End, Ended, Fence, Held, Ms, State, TaskId, rules};
use crate::{Error, ErrorKind, Result};

/// An end whose values are text already.
pub(super) struct Prepared {
    pub(super) id: TaskId,
    pub(super) fence: Fence,
    how: How,
}

enum How {
    Finish { state: State, result: Option<String>, error: Option<String>, dead_letter: bool, files: i64 },
    Retry { at: Ms, error: String },
    Release,
    Ask { questions: String, is_empty: bool },
}

impl Prepared {
    /// Makes text of what is JSON; what is too big for a row is written to its file.
    pub(super) fn new(ended: Ended, blobs: &Blobs) -> Result<Self> {
        let Ended { id, fence, how } = ended;
        let how = match how {
            End::Finish { state, .. } if !rules::ends_attempt(state) => {
                let message = format!("end the task {id}: no attempt ends as {state}");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            End::Finish { state, result, error, dead_letter } => {
                let mut files = 0;
                let mut text = |part: Part, value: Option<Value>| -> Result<Option<String>> {
                    let mut text = value.map(|value| value.to_string());
                    if let Some(text) = text.take_if(|text| Blobs::takes(&id, text)) {
                        blobs.write(&id, fence, part, &text)?;
                        files |= part.bit();
                    }
                    Ok(text)
                };
                let (result, error) = (text(Part::Result, result)?, text(Part::Error, error)?);
                How::Finish { state, result, error, dead_letter, files }
            }
            End::Retry { at, error } => How::Retry { at, error: error.to_string() },
            End::Release => How::Release,
            End::Ask(questions) => How::Ask { is_empty: questions.is_empty(), questions: json(&questions)? },
        };
        Ok(Self { id, fence, how })
    }

    /// The files that nobody needs when the end is refused.
    pub(super) fn files(&self) -> i64 {
        match self.how {
            How::Finish { files, .. } => files,
            _ => 0,
        }
    }

    /// Ends the attempt; false when another holds the task, or nobody.
    pub(super) fn take(&self, connection: &Connection, tally: &mut Tally) -> Result<bool> {
        let now = tally.now;
        let taken = match &self.how {
            How::Finish { state, result, error, dead_letter, files } => self.update(
                connection,
                "state = ?3, finished = ?4, result = ?5, error = ?6, dead_letter = ?7, files = files & 1 | ?8",
                params![self.id.as_str(), self.fence(), state.code(), now, result, error, dead_letter, files],
            ),
            How::Retry { at, error } => {
                let state = if *at > now { State::Scheduled } else { State::Pending };
                let due = Some(*at).filter(|at| *at > now);
                self.update(
                    connection,
                    "state = iif(cancel IS NULL, ?3, 11), finished = iif(cancel IS NULL, NULL, ?4),
                     due = iif(cancel IS NULL, ?5, NULL), error = ?6",
                    params![self.id.as_str(), self.fence(), state.code(), now, due, error],
                )
            }
            How::Release => self.update(
                connection,
                "state = iif(cancel IS NULL, ?3, 11), finished = iif(cancel IS NULL, NULL, ?4),
                 attempt = max(attempt - 1, 0)",
                params![self.id.as_str(), self.fence(), State::Pending.code(), now],
            ),
            How::Ask { questions, is_empty } => {
                let state = if *is_empty { State::Pending } else { State::InputRequired };
                self.update(
                    connection,
                    "state = iif(cancel IS NULL, ?3, 11), finished = iif(cancel IS NULL, NULL, ?4), questions = ?5",
                    params![self.id.as_str(), self.fence(), state.code(), now, questions],
                )
            }
        }?;
        let Some((facts, state)) = taken else { return Ok(false) };
        tally.moved(connection, &facts, Some(RUNNING), state)?;
        Ok(true)
    }

    fn fence(&self) -> i64 {
        self.fence.0.cast_signed()
    }

    /// Changes the row if the fence is the present one; `?4` is now.
    fn update(
        &self,
        connection: &Connection,
        set: &str,
        values: &[&dyn ToSql],
    ) -> Result<Option<(Facts, i64)>> {
        connection
            .prepare_cached(&format!(
                "UPDATE task SET {set}, updated = max(updated, ?4), worker = NULL, lease_until = NULL
                 WHERE id = ?1 AND fence = ?2 AND state = 4 RETURNING {FACTS}, state"
            ))
            .and_then(|mut statement| {
                statement.query_row(values, |row| Ok((Facts::of(row)?, row.get(8)?))).optional()
            })
            .while_doing(|| format!("end an attempt of the task {}", self.id))
    }
}

/// Renews one lease.
pub(super) fn beat(connection: &Connection, id: &TaskId, fence: Fence, until: Ms) -> Result<Held> {
    connection
        .prepare_cached(
            "UPDATE task SET lease_until = ?3 WHERE id = ?1 AND fence = ?2 AND state = 4 RETURNING cancel",
        )
        .and_then(|mut statement| {
            let values = params![id.as_str(), fence.0.cast_signed(), until];
            statement.query_row(values, |row| Ok(Held::Yes { cancel: row.get(0)? })).optional()
        })
        .map(|held| held.unwrap_or(Held::Lost))
        .while_doing(|| format!("renew the lease of the task {id}"))
}

/// Cancels one task, named by a column and its value.
pub(super) fn cancel(
    connection: &Connection,
    (column, value): (&str, &dyn ToSql),
    why: &str,
    tally: &mut Tally,
) -> Result<CancelAck> {
    let doing = || "cancel a task".to_owned();
    let found = connection
        .prepare_cached(&format!("SELECT {FACTS}, state FROM task WHERE {column} = ?1"))
        .and_then(|mut statement| {
            statement.query_row([value], |row| Ok((Facts::of(row)?, row.get::<_, i64>(8)?))).optional()
        });
    let Some((facts, state)) = found.while_doing(doing)? else { return Ok(CancelAck::Unknown) };
    if state >= ENDED {
        return Ok(CancelAck::Before(State::decode(state).unwrap_or(State::Unknown)));
    }
    let is_running = state == RUNNING;
    let sql = if is_running {
        "UPDATE task SET cancel = ?2, updated = max(updated, ?3) WHERE seq = ?1 AND cancel IS NULL"
    } else {
        "UPDATE task SET cancel = ?2, updated = max(updated, ?3), state = 11, finished = ?3, due = NULL WHERE seq = ?1"
    };
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| statement.execute(params![facts.seq, why, tally.now]))
        .while_doing(doing)?;
    if is_running {
        tally.tell(crate::queue::TaskChange::Task(TaskId::new(facts.id)));
        return Ok(CancelAck::Told);
    }
    tally.moved(connection, &facts, Some(state), State::Cancelled.code())?;
    Ok(CancelAck::Ended)
}

/// Gives answers to what a task asks; false when there is no such task. Small JSON, and rare: it is parsed here.
pub(super) fn input(
    connection: &Connection,
    id: &TaskId,
    answers: &Map<String, Value>,
    tally: &mut Tally,
) -> Result<bool> {
    let doing = || format!("give answers to the task {id}");
    let found = connection
        .prepare_cached(&format!("SELECT {FACTS}, state, questions, answers FROM task WHERE id = ?1"))
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((Facts::of(row)?, row.get(8)?, row.get::<_, Option<String>>(9)?, row.get(10)?))
            };
            statement.query_row([id.as_str()], read).optional()
        });
    let Some((facts, state, questions, given)) = found.while_doing(doing)? else { return Ok(false) };
    let (mut questions, mut given) = (object(questions), object(given));
    let before = questions.len();
    for (key, answer) in answers {
        if questions.remove(key).is_some() {
            given.insert(key.clone(), answer.clone());
        }
    }
    let (asking, state): (_, i64) = (State::InputRequired.code(), state);
    if state != asking || questions.len() == before {
        return Ok(true);
    }
    let next = if questions.is_empty() { State::Pending.code() } else { asking };
    connection
        .prepare_cached(
            "UPDATE task SET state = ?2, questions = ?3, answers = ?4, updated = max(updated, ?5) WHERE seq = ?1",
        )
        .and_then(|mut statement| {
            let (questions, given) = (Value::Object(questions), Value::Object(given));
            let values = params![facts.seq, next, questions.to_string(), given.to_string(), tally.now];
            statement.execute(values)
        })
        .while_doing(doing)?;
    tally.moved(connection, &facts, Some(state), next)?;
    Ok(true)
}

fn object(text: Option<String>) -> Map<String, Value> {
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}
