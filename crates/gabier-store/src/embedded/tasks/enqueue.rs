//! Adding tasks.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::sqlite::Context as _;
use super::blobs::{Blobs, Part};
use super::codes::Code as _;
use super::tally::{FACTS, Facts, Tally};
use super::{claim, deliveries, output};
use crate::queue::rules::{self, KEY_COUNTS};
use crate::queue::{
    Carried, Delivery, Enqueued, Ms, NewTask, Offered, State, Task, TaskId, WorkerId, Written,
};
use crate::{Error, ErrorKind, Result};

/// A task to be added, its JSON text already: the caller's thread does that work, not the writer's.
pub(super) struct Prepared {
    task: NewTask,
    arguments: Option<String>,
    context: String,
    follow: Option<String>,
    files: i64,
}

impl Prepared {
    /// Makes text of what is JSON; what is too big for a row is written to its file.
    pub(super) fn new(mut task: NewTask, blobs: &Blobs) -> Result<Self> {
        let mut arguments = Some(std::mem::take(&mut task.arguments).to_string());
        let context = std::mem::take(&mut task.context).to_string();
        let follow = (!task.then.is_empty()).then(|| json(&task.then)).transpose()?;
        let mut files = 0;
        if let Some(text) = arguments.take_if(|text| Blobs::takes(&task.id, text)) {
            blobs.write(&task.id, crate::queue::Fence(0), Part::Arguments, &text)?;
            files |= Part::Arguments.bit();
        }
        Ok(Self { task, arguments, context, follow, files })
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|source| Error::new(ErrorKind::Unsupported, "write a task as JSON").because(source))
}

/// Adds all, or fails.
pub(super) fn enqueue(
    connection: &Connection,
    batch: &[Prepared],
    limit: usize,
    tally: &mut Tally,
) -> Result<Vec<Enqueued>> {
    batch.iter().map(|prepared| add(connection, prepared, limit, tally)).collect()
}

/// Adds a task for a worker that has a place for it: started, if a step of that worker would claim it next.
pub(super) fn offer(
    connection: &Connection,
    prepared: &mut Prepared,
    claim: &(WorkerId, Ms),
    limit: usize,
    tally: &mut Tally,
) -> Result<Offered> {
    claim::pass_time(connection, &[], tally)?;
    let is_next = claim::is_next(connection, &prepared.task, tally.now)?;
    prepared.task.claim = is_next.then(|| claim.clone());
    let added = add(connection, prepared, limit, tally)?;
    let is_claimed = is_next && matches!(added, Enqueued::New(_));
    Ok(Offered { added, is_claimed })
}

fn add(connection: &Connection, prepared: &Prepared, limit: usize, tally: &mut Tally) -> Result<Enqueued> {
    let task = &prepared.task;
    if let Some(existing) = with_key(connection, task, tally)? {
        return Ok(Enqueued::Existing(existing));
    }
    let refused = |why| Error::new(ErrorKind::Conflict, format!("add the task {}: {why}", task.id));
    if limit > 0 && active(connection, &task.queue)? + tally.added(&task.queue) >= limit as u64 {
        return Err(refused("the queue is full"));
    }
    match insert(connection, prepared, tally)? {
        Some(facts) => {
            let state = rules::first_state(task, tally.now).code();
            tally.moved(connection, &facts, None, state)?;
            Ok(Enqueued::New(task.id.clone()))
        }
        None => Err(refused("the id is taken")),
    }
}

/// Writes the row; nothing when the id is taken.
fn insert(connection: &Connection, prepared: &Prepared, tally: &Tally) -> Result<Option<Facts>> {
    let (task, now) = (&prepared.task, tally.now);
    let state = rules::first_state(task, now);
    let claim = task.claim.as_ref();
    let started = claim.map(|_| now);
    let due = task.run_at.filter(|_| state == State::Scheduled);
    connection
        .prepare_cached(&format!(
            "INSERT INTO task (id, state, queue, tool, kind, owner, priority, attempt, max_attempts, retry_safe, fence,
                 created, updated, started, due, deadline, lease_until, worker, chain, files, idempotency_key, alias,
                 label, run_at, ttl, callback, retried_from, retry_count, parent, follow, arguments, context)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?8, ?11, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
                 ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)
             ON CONFLICT DO NOTHING RETURNING {FACTS}"
        ))
        .and_then(|mut statement| {
            let values = params![
                task.id.as_str(),
                state.code(),
                task.queue,
                task.tool,
                task.kind,
                task.owner,
                task.priority,
                i64::from(claim.is_some()),
                task.max_attempts,
                task.retry_safe,
                now,
                started,
                due,
                task.deadline,
                claim.map(|(_, lease)| now + lease),
                claim.map(|(worker, _)| &worker.0),
                prepared.follow.is_some(),
                prepared.files,
                task.idempotency_key,
                task.alias,
                task.label,
                task.run_at,
                task.ttl,
                task.callback,
                task.retried_from.as_ref().map(TaskId::as_str),
                task.retry_count,
                task.parent.as_ref().map(TaskId::as_str),
                prepared.follow,
                prepared.arguments,
                prepared.context,
            ];
            statement.query_row(values, Facts::of).optional()
        })
        .while_doing(|| format!("add the task {}", task.id))
}

fn with_key(connection: &Connection, task: &NewTask, tally: &Tally) -> Result<Option<TaskId>> {
    let Some(key) = &task.idempotency_key else { return Ok(None) };
    connection
        .prepare_cached(
            "SELECT id FROM task WHERE owner = ?1 AND tool = ?2 AND idempotency_key = ?3
                 AND (state < 5 OR created > ?4) ORDER BY seq DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            let values = params![task.owner, task.tool, key, tally.now - KEY_COUNTS];
            statement.query_row(values, |row| row.get::<_, String>(0)).optional()
        })
        .map(|id| id.map(TaskId::new))
        .while_doing(|| "look for an idempotency key".to_owned())
}

/// How many tasks of a queue have not ended.
fn active(connection: &Connection, queue: &str) -> Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(sum(tasks), 0) FROM task_counter WHERE queue = ?1 AND state < 5")
        .and_then(|mut statement| statement.query_row([queue], |row| row.get::<_, i64>(0)))
        .map(|tasks| u64::try_from(tasks).unwrap_or(0))
        .while_doing(|| format!("count the tasks of {queue}"))
}

/// A task to be put as it is.
pub(super) struct Imported {
    prepared: Prepared,
    task: Task,
    is_unchained: bool,
    written: Vec<Written>,
    deliveries: Vec<Delivery>,
    progress: Option<String>,
    result: Option<String>,
    error: Option<String>,
    questions: Option<String>,
    answers: Option<String>,
}

impl Imported {
    pub(super) fn new(carried: Carried, blobs: &Blobs) -> Result<Self> {
        let Carried { mut task, is_unchained, written, deliveries } = carried;
        let mut prepared = Prepared::new(task.asked.clone(), blobs)?;
        let progress = task.progress.take().map(|progress| json(&progress)).transpose()?;
        let mut result = task.result.take().map(|result| result.to_string());
        let mut error = task.error.take().map(|error| error.to_string());
        if task.state.is_terminal() {
            for (part, text) in [(Part::Result, &mut result), (Part::Error, &mut error)] {
                if let Some(text) = text.take_if(|text| Blobs::takes(&task.asked.id, text)) {
                    blobs.write(&task.asked.id, task.fence, part, &text)?;
                    prepared.files |= part.bit();
                }
            }
        }
        let object = |object: &serde_json::Map<_, _>| (!object.is_empty()).then(|| json(object)).transpose();
        let (questions, answers) = (object(&task.questions)?, object(&task.answers)?);
        Ok(Self {
            prepared,
            task,
            is_unchained,
            written,
            deliveries,
            progress,
            result,
            error,
            questions,
            answers,
        })
    }

    /// Puts it, unless it is there.
    pub(super) fn put(&self, connection: &Connection, tally: &mut Tally) -> Result<bool> {
        let Self { prepared, task, .. } = self;
        let Some(facts) = insert(connection, prepared, tally)? else { return Ok(false) };
        let state = task.state.code();
        let mut stored = 0;
        for written in &self.written {
            stored += output::put(connection, facts.seq, written)?;
        }
        super::notes::count_bytes(connection, stored)?;
        for delivery in &self.deliveries {
            deliveries::put(connection, facts.seq, &task.asked.owner, delivery)?;
        }
        connection
            .prepare_cached(
                "UPDATE task SET state = ?2, attempt = ?3, fence = ?4, created = ?5, updated = ?6, started = ?7,
                     finished = ?8, due = ?9, lease_until = ?10, worker = ?11, cancel = ?12, dead_letter = ?13,
                     chain = chain AND (?19 OR ?2 < 5), progress = ?14, result = ?15, error = ?16, questions = ?17,
                     answers = ?18, stored_bytes = ?20
                 WHERE seq = ?1",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    facts.seq,
                    state,
                    task.attempt,
                    task.fence.0.cast_signed(),
                    task.created,
                    task.updated,
                    task.started,
                    task.finished,
                    task.due,
                    task.lease_until,
                    task.worker.as_ref().map(|worker| &worker.0),
                    task.cancel,
                    task.dead_letter,
                    self.progress,
                    self.result,
                    self.error,
                    self.questions,
                    self.answers,
                    self.is_unchained,
                    stored,
                ])
            })
            .while_doing(|| format!("put the task {}", task.asked.id))?;
        let ran = if task.state.is_terminal() { task.ran().unwrap_or(0) } else { 0 };
        tally.put(&facts, state, ran);
        Ok(true)
    }
}
