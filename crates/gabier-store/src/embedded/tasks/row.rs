//! A task as a row, read with its JSON still text: parsing is left to the thread that wants it.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;

use super::super::sqlite::Context as _;
use super::blobs::{Blobs, Part};
use super::codes::Code as _;
use crate::queue::{Fence, Ms, NewTask, State, Task, TaskId, WorkerId};
use crate::{Error, ErrorKind, Result};

/// The columns of a [`Raw`], in their order.
pub(super) const COLUMNS: &str = "seq, id, queue, owner, tool, kind, callback, started, state, priority, attempt, \
     max_attempts, retry_safe, fence, created, updated, finished, due, deadline, lease_until, worker, cancel, \
     dead_letter, files, idempotency_key, alias, label, run_at, ttl, retried_from, retry_count, parent, follow, \
     arguments, context, progress, result, error, questions, answers";

/// A row of the table of tasks.
pub(super) struct Raw {
    pub(super) seq: i64,
    task: Task,
    files: i64,
    texts: Texts,
}

/// The columns that hold JSON.
struct Texts {
    follow: Option<String>,
    arguments: Option<String>,
    context: Option<String>,
    progress: Option<String>,
    result: Option<String>,
    error: Option<String>,
    questions: Option<String>,
    answers: Option<String>,
}

impl Raw {
    pub(super) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let state = State::decode(row.get(8)?)
            .ok_or_else(|| rusqlite::Error::FromSqlConversionFailure(8, Type::Integer, "a state".into()))?;
        let asked = NewTask {
            id: TaskId::new(row.get::<_, String>(1)?),
            queue: row.get(2)?,
            tool: row.get(4)?,
            kind: row.get(5)?,
            alias: row.get(25)?,
            label: row.get(26)?,
            owner: row.get(3)?,
            idempotency_key: row.get(24)?,
            priority: row.get(9)?,
            run_at: row.get(27)?,
            deadline: row.get(18)?,
            ttl: row.get(28)?,
            max_attempts: row.get(11)?,
            retry_safe: row.get(12)?,
            arguments: serde_json::Value::Null,
            context: serde_json::Value::Null,
            callback: row.get(6)?,
            then: Vec::new(),
            retried_from: row.get::<_, Option<String>>(29)?.map(TaskId::new),
            retry_count: row.get(30)?,
            parent: row.get::<_, Option<String>>(31)?.map(TaskId::new),
            claim: None,
        };
        let task = Task {
            asked,
            state,
            attempt: row.get(10)?,
            fence: Fence(row.get::<_, i64>(13)?.cast_unsigned()),
            worker: row.get::<_, Option<String>>(20)?.map(WorkerId),
            lease_until: row.get(19)?,
            due: row.get(17)?,
            cancel: row.get(21)?,
            progress: None,
            result: None,
            error: None,
            questions: serde_json::Map::new(),
            answers: serde_json::Map::new(),
            dead_letter: row.get(22)?,
            created: row.get(14)?,
            started: row.get(7)?,
            finished: row.get(16)?,
            updated: row.get(15)?,
        };
        let texts = Texts {
            follow: row.get(32)?,
            arguments: row.get(33)?,
            context: row.get(34)?,
            progress: row.get(35)?,
            result: row.get(36)?,
            error: row.get(37)?,
            questions: row.get(38)?,
            answers: row.get(39)?,
        };
        Ok(Self { seq: row.get(0)?, task, files: row.get(23)?, texts })
    }

    /// Parses what is text, and reads what lies in files.
    pub(super) fn task(self, blobs: &Blobs) -> Result<Task> {
        let Self { mut task, files, mut texts, .. } = self;
        for part in Part::ALL {
            if files & part.bit() != 0 {
                let text = match part {
                    Part::Arguments => &mut texts.arguments,
                    Part::Result => &mut texts.result,
                    Part::Error => &mut texts.error,
                };
                *text = Some(blobs.read(&task.asked.id, task.fence, part)?);
            }
        }
        let parse = Parse(&task.asked.id);
        let (then, arguments) = (parse.or_default(texts.follow)?, parse.or_default(texts.arguments)?);
        let (context, progress) = (parse.or_default(texts.context)?, parse.option(texts.progress)?);
        let (result, error) = (parse.option(texts.result)?, parse.option(texts.error)?);
        let (questions, answers) = (parse.or_default(texts.questions)?, parse.or_default(texts.answers)?);
        (task.asked.then, task.asked.arguments, task.asked.context) = (then, arguments, context);
        (task.progress, task.result, task.error) = (progress, result, error);
        (task.questions, task.answers) = (questions, answers);
        Ok(task)
    }

    /// Whether one of its texts says something.
    pub(super) fn says(&self, blobs: &Blobs, says: impl Fn(&str) -> bool) -> Result<bool> {
        let asked = &self.task.asked;
        if says(&asked.tool) || asked.label.as_deref().is_some_and(&says) {
            return Ok(true);
        }
        if self.files & Part::Arguments.bit() != 0 {
            return Ok(says(&blobs.read(&asked.id, self.task.fence, Part::Arguments)?));
        }
        Ok(self.texts.arguments.as_deref().is_some_and(says))
    }
}

/// Parses the JSON of one task.
struct Parse<'a>(&'a TaskId);

impl Parse<'_> {
    fn option<T: DeserializeOwned>(&self, text: Option<String>) -> Result<Option<T>> {
        let Some(text) = text else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|source| {
            Error::new(ErrorKind::Damaged, format!("read the task {}", self.0)).because(source)
        })
    }

    fn or_default<T: DeserializeOwned + Default>(&self, text: Option<String>) -> Result<T> {
        Ok(self.option(text)?.unwrap_or_default())
    }
}

pub(super) fn get(connection: &Connection, id: &TaskId) -> Result<Option<Raw>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM task WHERE id = ?1"))
        .and_then(|mut statement| statement.query_row([id.as_str()], Raw::of).optional())
        .while_doing(|| format!("read the task {id}"))
}

/// Takes what lies in files into the rows.
pub(super) fn take_in_files(connection: &Connection, blobs: &Blobs) -> Result<()> {
    let doing = || "take files into the rows".to_owned();
    let named: rusqlite::Result<Vec<(i64, String, i64, i64)>> = connection
        .prepare("SELECT seq, id, fence, files FROM task WHERE files != 0")
        .and_then(|mut statement| {
            let rows =
                statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            rows.collect()
        });
    for (seq, id, fence, files) in named.while_doing(doing)? {
        for part in Part::ALL.into_iter().filter(|part| files & part.bit() != 0) {
            let text = blobs.read(&TaskId::new(id.clone()), Fence(fence.cast_unsigned()), part)?;
            let column = part.column();
            connection
                .execute(&format!("UPDATE task SET {column} = ?2, files = 0 WHERE seq = ?1"), (seq, text))
                .while_doing(doing)?;
        }
    }
    Ok(())
}

/// At most two ids that begin so.
pub(super) fn complete(connection: &Connection, owner: Option<&str>, prefix: &str) -> Result<Vec<TaskId>> {
    connection
        .prepare_cached(
            "SELECT id FROM task WHERE id >= ?1 AND id < ?2 AND (?3 IS NULL OR +owner = ?3) ORDER BY id LIMIT 2",
        )
        .and_then(|mut statement| {
            let after = format!("{prefix}{}", char::MAX);
            let ids = statement.query_map((prefix, after, owner), |row| row.get::<_, String>(0))?;
            ids.map(|id| id.map(TaskId::new)).collect()
        })
        .while_doing(|| "look for a task".to_owned())
}

/// When something next happens by time alone.
pub(super) fn next_due(connection: &Connection) -> Result<Option<Ms>> {
    connection
        .prepare_cached(
            "SELECT min(time) FROM (
                 SELECT min(due) AS time FROM task WHERE state = 1
                 UNION ALL SELECT min(lease_until) FROM task WHERE state = 4
                 UNION ALL SELECT min(deadline) FROM task WHERE deadline IS NOT NULL AND state < 4
                 UNION ALL SELECT min(max(next, claimed_until)) FROM delivery AS first
                     WHERE state = 0 AND NOT EXISTS (SELECT 1 FROM delivery AS earlier
                         WHERE earlier.task = first.task AND earlier.state = 0 AND earlier.seq < first.seq))",
        )
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .while_doing(|| "look when something is due".to_owned())
}
