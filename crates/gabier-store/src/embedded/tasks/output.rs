//! What tasks wrote, as rows: the head and the tail of each stream.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::sqlite::Context as _;
use super::codes::Code as _;
use crate::Result;
use crate::queue::rules::{kept, line_ends};
use crate::queue::{Output, OutputRange, Skipped, Stream, TaskId, Written};

/// The longest part in one row, in bytes.
const LONGEST: usize = 64 << 10;

/// How much of a stream there is.
#[derive(Debug, Clone, Copy, Default)]
struct Extent {
    total_bytes: u64,
    total_lines: u64,
    head: u64,
    stored: u64,
}

/// Appends to a stream; gives by how much more bytes are stored.
pub(super) fn append(connection: &Connection, task: i64, stream: Stream, bytes: &[u8]) -> Result<i64> {
    try_append(connection, task, stream, bytes).while_doing(|| "keep what a task wrote".to_owned())
}

fn try_append(connection: &Connection, task: i64, stream: Stream, bytes: &[u8]) -> rusqlite::Result<i64> {
    let (most_head, most_tail) = kept(stream);
    let mut extent = extent(connection, task, stream)?.unwrap_or_default();
    let before = extent.stored;
    // A head that another store cut shorter, or behind which something is missing, does not grow any more.
    let most_head = if extent.total_bytes > extent.head { extent.head } else { most_head };
    let room = usize::try_from(most_head - extent.head.min(most_head)).unwrap_or(usize::MAX);
    let (head, tail) = bytes.split_at(room.min(bytes.len()));
    // What would be cut off at once is not written.
    let surplus = tail.len().saturating_sub(usize::try_from(most_tail).unwrap_or(usize::MAX));
    let mut at = extent.total_bytes;
    for part in head.chunks(LONGEST) {
        at += insert(connection, task, stream, at, part)?;
    }
    at += surplus as u64;
    for part in tail[surplus..].chunks(LONGEST) {
        at += insert(connection, task, stream, at, part)?;
    }
    extent.total_bytes = at;
    extent.total_lines += line_ends(bytes);
    extent.head += head.len() as u64;
    extent.stored += (head.len() + tail.len() - surplus) as u64;
    while extent.stored > most_head + most_tail {
        extent.stored -= cut(connection, task, stream, extent.head)?;
    }
    note(connection, task, stream, extent)?;
    Ok(extent.stored.cast_signed() - before.cast_signed())
}

/// Leaves a part of a stream out, and with it what is kept of its end so far; gives by how much more bytes are stored.
pub(super) fn skip(connection: &Connection, task: i64, stream: Stream, skipped: Skipped) -> Result<i64> {
    try_skip(connection, task, stream, skipped).while_doing(|| "count what a task wrote".to_owned())
}

fn try_skip(connection: &Connection, task: i64, stream: Stream, skipped: Skipped) -> rusqlite::Result<i64> {
    let mut extent = extent(connection, task, stream)?.unwrap_or_default();
    let before = extent.stored;
    connection
        .prepare_cached("DELETE FROM task_output_part WHERE task = ?1 AND stream = ?2 AND at >= ?3")?
        .execute(params![task, stream.code(), extent.head.cast_signed()])?;
    extent.stored = extent.head;
    extent.total_bytes += skipped.bytes;
    extent.total_lines += skipped.lines;
    note(connection, task, stream, extent)?;
    Ok(extent.stored.cast_signed() - before.cast_signed())
}

/// Puts what another store kept of a stream; gives how many bytes are stored.
pub(super) fn put(connection: &Connection, task: i64, written: &Written) -> Result<i64> {
    try_put(connection, task, written).while_doing(|| "keep what a task wrote".to_owned())
}

fn try_put(connection: &Connection, task: i64, written: &Written) -> rusqlite::Result<i64> {
    let (most_head, most_tail) = kept(written.stream);
    let bytes = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (head, tail) = written.within(bytes(most_head), bytes(most_tail));
    let mut at = 0;
    for part in head.chunks(LONGEST) {
        at += insert(connection, task, written.stream, at, part)?;
    }
    at = written.total_bytes.saturating_sub(tail.len() as u64);
    for part in tail.chunks(LONGEST) {
        at += insert(connection, task, written.stream, at, part)?;
    }
    let stored = (head.len() + tail.len()) as u64;
    let Written { stream, total_bytes, total_lines, .. } = *written;
    note(connection, task, stream, Extent { total_bytes, total_lines, head: head.len() as u64, stored })?;
    Ok(stored.cast_signed())
}

fn note(connection: &Connection, task: i64, stream: Stream, extent: Extent) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO task_output (task, stream, total_bytes, total_lines, head, stored)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            task,
            stream.code(),
            extent.total_bytes.cast_signed(),
            extent.total_lines.cast_signed(),
            extent.head.cast_signed(),
            extent.stored.cast_signed(),
        ])
        .map(drop)
}

fn extent(connection: &Connection, task: i64, stream: Stream) -> rusqlite::Result<Option<Extent>> {
    connection
        .prepare_cached(
            "SELECT total_bytes, total_lines, head, stored FROM task_output WHERE task = ?1 AND stream = ?2",
        )?
        .query_row([task, stream.code()], |row| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            let (total_bytes, total_lines) = (number(0)?, number(1)?);
            Ok(Extent { total_bytes, total_lines, head: number(2)?, stored: number(3)? })
        })
        .optional()
}

fn insert(
    connection: &Connection,
    task: i64,
    stream: Stream,
    at: u64,
    bytes: &[u8],
) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("INSERT INTO task_output_part (task, stream, at, bytes) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![task, stream.code(), at.cast_signed(), bytes])?;
    Ok(bytes.len() as u64)
}

/// Removes the oldest part of the tail; gives how long it was.
fn cut(connection: &Connection, task: i64, stream: Stream, head: u64) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "DELETE FROM task_output_part WHERE rowid = (SELECT rowid FROM task_output_part
                 WHERE task = ?1 AND stream = ?2 AND at >= ?3 ORDER BY at LIMIT 1) RETURNING length(bytes)",
        )?
        .query_row([task, stream.code(), head.cast_signed()], |row| row.get::<_, i64>(0))
        .map(i64::cast_unsigned)
}

/// Reads a part of a stream.
pub(super) fn read(
    connection: &Connection,
    id: &TaskId,
    stream: Stream,
    range: OutputRange,
) -> Result<Output> {
    try_read(connection, id, stream, range).while_doing(|| format!("read what the task {id} wrote"))
}

fn try_read(
    connection: &Connection,
    id: &TaskId,
    stream: Stream,
    range: OutputRange,
) -> rusqlite::Result<Output> {
    let task: Option<i64> = connection
        .prepare_cached("SELECT seq FROM task WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(task) = task else { return Ok(Output::default()) };
    let Some(extent) = extent(connection, task, stream)? else { return Ok(Output::default()) };
    let tail = extent.total_bytes - (extent.stored - extent.head);
    let gap = (tail > extent.head).then_some((extent.head, tail));
    let is_in_gap = gap.is_some_and(|(head, tail)| (head..tail).contains(&range.from));
    let from = if is_in_gap { tail } else { range.from.min(extent.total_bytes) };
    let end = if from < tail && gap.is_some() { extent.head } else { extent.total_bytes };
    let length = usize::try_from(end - from).unwrap_or(usize::MAX).min(range.length);
    Ok(Output {
        from,
        bytes: bytes(connection, task, stream, from, length)?,
        total_bytes: extent.total_bytes,
        total_lines: extent.total_lines,
        stored_bytes: extent.stored,
        gap,
    })
}

fn bytes(
    connection: &Connection,
    task: i64,
    stream: Stream,
    from: u64,
    length: usize,
) -> rusqlite::Result<Vec<u8>> {
    let mut statement = connection.prepare_cached(
        "SELECT at, bytes FROM task_output_part WHERE task = ?1 AND stream = ?2 AND at >= coalesce((
             SELECT max(at) FROM task_output_part WHERE task = ?1 AND stream = ?2 AND at <= ?3), 0) ORDER BY at",
    )?;
    let mut rows = statement.query([task, stream.code(), from.cast_signed()])?;
    let mut bytes = Vec::new();
    while bytes.len() < length
        && let Some(row) = rows.next()?
    {
        let (at, part) = (row.get::<_, i64>(0)?.cast_unsigned(), row.get_ref(1)?.as_blob()?);
        let skipped = usize::try_from(from.saturating_sub(at)).unwrap_or(usize::MAX).min(part.len());
        let part = &part[skipped..];
        bytes.extend(&part[..part.len().min(length - bytes.len())]);
    }
    Ok(bytes)
}

/// Everything that is kept of what a task wrote, stream by stream.
pub(super) fn all(connection: &Connection, task: i64) -> rusqlite::Result<Vec<Vec<u8>>> {
    let mut statement = connection
        .prepare_cached("SELECT stream, bytes FROM task_output_part WHERE task = ?1 ORDER BY stream, at")?;
    let (mut rows, mut streams, mut last) = (statement.query([task])?, Vec::<Vec<u8>>::new(), None);
    while let Some(row) = rows.next()? {
        let stream: i64 = row.get(0)?;
        let part = row.get_ref(1)?.as_blob()?;
        match streams.last_mut() {
            Some(bytes) if last == Some(stream) => bytes.extend(part),
            _ => streams.push(part.to_vec()),
        }
        last = Some(stream);
    }
    Ok(streams)
}
