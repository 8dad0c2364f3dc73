//! What is removed of ended tasks, and other changes to them.

use rusqlite::{Connection, params};

use super::super::sqlite::Context as _;
use super::notes::count_bytes;
use super::row::{COLUMNS, Raw};
use super::tally::{FACTS, Facts, Tally};
use crate::Result;
use crate::queue::rules::KEY_COUNTS;
use crate::queue::{Fence, Ms, Retention, TaskChange, TaskId};

/// How many tasks one transaction removes.
const AT_ONCE: i64 = 1_000;

/// A row that was removed, and which files it had.
pub(super) type Removed = (TaskId, Fence, i64);

struct Old {
    facts: Facts,
    state: i64,
    finished: Ms,
    stored: i64,
    fence: i64,
    files: i64,
}

/// Removes the oldest of what is too much, at most 1,000.
pub(super) fn prune(connection: &Connection, keep: Retention, tally: &mut Tally) -> Result<Vec<Removed>> {
    let mut removed = Vec::new();
    let before = tally.now.saturating_sub(keep.age);
    remove(
        connection,
        old(connection, "task_finished", "finished < ?3", before, AT_ONCE, tally.now)?,
        tally,
        &mut removed,
    )?;
    let left = AT_ONCE - i64::try_from(removed.len()).unwrap_or(AT_ONCE);
    let surplus = number(connection)?.saturating_sub(keep.tasks).saturating_sub(removed.len() as u64);
    let surplus = i64::try_from(surplus).unwrap_or(i64::MAX).min(left);
    if surplus > 0 {
        remove(
            connection,
            old(connection, "task_finished", "?3", 1, surplus, tally.now)?,
            tally,
            &mut removed,
        )?;
    }
    let left = AT_ONCE - i64::try_from(removed.len()).unwrap_or(AT_ONCE);
    let mut too_many =
        stored(connection)?.saturating_sub(i64::try_from(keep.output_bytes).unwrap_or(i64::MAX));
    if too_many > 0 && left > 0 {
        let mut written = old(connection, "task_written", "stored_bytes > 0 AND ?3", 1, left, tally.now)?;
        written.retain(|old| {
            let is_needed = too_many > 0;
            too_many -= old.stored;
            is_needed
        });
        remove(connection, written, tally, &mut removed)?;
    }
    Ok(removed)
}

/// How many tasks have ended.
fn number(connection: &Connection) -> Result<u64> {
    connection
        .query_row("SELECT coalesce(sum(tasks), 0) FROM task_counter WHERE state >= 5", [], |row| {
            row.get::<_, i64>(0)
        })
        .map(|number| u64::try_from(number).unwrap_or(0))
        .while_doing(|| "count ended tasks".to_owned())
}

fn stored(connection: &Connection) -> Result<i64> {
    connection
        .query_row("SELECT number FROM meta WHERE name = 'output_bytes'", [], |row| row.get(0))
        .while_doing(|| "look how much output is stored".to_owned())
}

/// Ended tasks that nothing needs, oldest first.
fn old(
    connection: &Connection,
    index: &str,
    which: &str,
    value: Ms,
    limit: i64,
    now: Ms,
) -> Result<Vec<Old>> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {FACTS}, state, finished, stored_bytes, fence, files FROM task INDEXED BY {index}
             WHERE state >= 5 AND {which} AND dead_letter = 0 AND chain = 0
                 AND (idempotency_key IS NULL OR created <= ?2)
                 AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.task = task.seq AND delivery.state = 0)
             ORDER BY finished LIMIT ?1"
        ))
        .and_then(|mut statement| {
            let rows = statement.query_map([limit, now - KEY_COUNTS, value], |row| {
                Ok(Old {
                    facts: Facts::of(row)?,
                    state: row.get(8)?,
                    finished: row.get(9)?,
                    stored: row.get(10)?,
                    fence: row.get(11)?,
                    files: row.get(12)?,
                })
            })?;
            rows.collect()
        });
    found.while_doing(|| "look for old tasks".to_owned())
}

fn remove(
    connection: &Connection,
    old: Vec<Old>,
    tally: &mut Tally,
    removed: &mut Vec<Removed>,
) -> Result<()> {
    let (mut stored, mut gone) = (0, Vec::new());
    for old in old {
        stored += old.stored;
        let ran = old.facts.started().map_or(0, |started| (old.finished - started).max(0));
        tally.removed(&old.facts, old.state, ran);
        gone.push(old.facts.seq);
        removed.push((TaskId::new(old.facts.id), Fence(old.fence.cast_unsigned()), old.files));
    }
    for table in
        ["task_output_part WHERE task", "task_output WHERE task", "delivery WHERE task", "task WHERE seq"]
    {
        let deleted = connection
            .prepare_cached(&format!("DELETE FROM {table} = ?1"))
            .and_then(|mut statement| gone.iter().try_for_each(|seq| statement.execute([seq]).map(drop)));
        deleted.while_doing(|| "remove old tasks".to_owned())?;
    }
    count_bytes(connection, -stored)
}

/// How many free pages are kept for what comes, and how many go at a time.
const FREE_KEPT: i64 = 1_000;
const FREE_PART: i64 = 500;

/// Gives a part of what was freed back to the disk; true when there is more.
pub(super) fn shrink(connection: &Connection) -> Result<bool> {
    let doing = || "give back free pages".to_owned();
    let free: i64 =
        connection.pragma_query_value(None, "freelist_count", |row| row.get(0)).while_doing(doing)?;
    let part = (free - FREE_KEPT).min(FREE_PART);
    if part <= 0 {
        return Ok(false);
    }
    // Each row is a page that went.
    connection
        .prepare(&format!("PRAGMA incremental_vacuum({part})"))
        .and_then(|mut statement| {
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(free - part > FREE_KEPT)
        })
        .while_doing(doing)
}

/// Ended tasks whose chain was not looked at.
pub(super) fn unchained(connection: &Connection, limit: usize) -> Result<Vec<Raw>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM task INDEXED BY task_chain WHERE chain = 1 AND state >= 5 ORDER BY seq LIMIT ?1"
        ))
        .and_then(|mut statement| {
            statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], Raw::of)?.collect()
        })
        .while_doing(|| "look for chains".to_owned())
}

pub(super) fn chained(connection: &Connection, ids: &[TaskId]) -> Result<()> {
    connection
        .prepare_cached("UPDATE task SET chain = 0 WHERE id = ?1 AND chain = 1 AND state >= 5")
        .and_then(|mut statement| ids.iter().try_for_each(|id| statement.execute([id.as_str()]).map(drop)))
        .while_doing(|| "note that chains were looked at".to_owned())
}

/// Takes tasks out of the dead letters; gives how many were there.
pub(super) fn bury(connection: &Connection, rows: &[i64], tally: &mut Tally) -> Result<u64> {
    let mut buried = 0;
    let outcome = connection
        .prepare_cached(
            "UPDATE task SET dead_letter = 0, updated = max(updated, ?2) WHERE seq = ?1 AND dead_letter = 1 RETURNING id",
        )
        .and_then(|mut statement| {
            for seq in rows {
                let mut found = statement.query(params![seq, tally.now])?;
                while let Some(row) = found.next()? {
                    tally.tell(TaskChange::Task(TaskId::new(row.get::<_, String>(0)?)));
                    buried += 1;
                }
            }
            Ok(buried)
        });
    outcome.while_doing(|| "bury dead letters".to_owned())
}
