//! Webhooks that are to be delivered.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::sqlite::Context as _;
use super::codes::Code as _;
use crate::Result;
use crate::queue::{Cursor, Delivered, Delivery, DeliveryEvent, DeliveryState, Ms, Page, TaskId};

const COLUMNS: &str = "id, task_id, event, url, state, attempts, next, last, created";

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    Ok(Delivery {
        id: row.get(0)?,
        task: TaskId::new(row.get::<_, String>(1)?),
        event: DeliveryEvent::decode(row.get(2)?).unwrap_or(DeliveryEvent::Error),
        url: row.get(3)?,
        state: DeliveryState::decode(row.get(4)?).unwrap_or(DeliveryState::Dead),
        attempts: row.get(5)?,
        next: row.get(6)?,
        last: row.get(7)?,
        created: row.get(8)?,
    })
}

/// Puts one as it is.
pub(super) fn put(connection: &Connection, task: i64, owner: &str, delivery: &Delivery) -> Result<()> {
    let Delivery { id, task: task_id, event, url, state, attempts, next, last, created } = delivery;
    connection
        .prepare_cached(&format!(
            "INSERT INTO delivery ({COLUMNS}, task, owner) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT DO NOTHING"
        ))
        .and_then(|mut statement| {
            let values = params![
                id,
                task_id.as_str(),
                event.code(),
                url,
                state.code(),
                attempts,
                next,
                last,
                created,
                task,
                owner
            ];
            statement.execute(values)
        })
        .map(drop)
        .while_doing(|| format!("put the delivery {id}"))
}

/// Claims what is due: of each task the first that waits.
pub(super) fn claim(connection: &Connection, want: usize, lease: Ms, now: Ms) -> Result<Vec<Delivery>> {
    try_claim(connection, want, lease, now).while_doing(|| "claim deliveries".to_owned())
}

fn try_claim(connection: &Connection, want: usize, lease: Ms, now: Ms) -> rusqlite::Result<Vec<Delivery>> {
    let due: Vec<i64> = connection
        .prepare_cached(
            "SELECT seq FROM delivery AS first INDEXED BY delivery_due
             WHERE state = 0 AND next <= ?1 AND claimed_until <= ?1 AND NOT EXISTS (
                 SELECT 1 FROM delivery AS earlier INDEXED BY delivery_waiting
                 WHERE earlier.task = first.task AND earlier.state = 0 AND earlier.seq < first.seq)
             ORDER BY next, seq LIMIT ?2",
        )?
        .query_map(params![now, i64::try_from(want).unwrap_or(i64::MAX)], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut claim = connection.prepare_cached(&format!(
        "UPDATE delivery SET claimed_until = ?2 WHERE seq = ?1 RETURNING {COLUMNS}"
    ))?;
    due.into_iter().map(|seq| claim.query_row([seq, now + lease], delivery)).collect()
}

/// Notes how a try ended.
pub(super) fn delivered(connection: &Connection, id: &str, how: &Delivered) -> Result<()> {
    let (state, next, last) = match how {
        Delivered::Done { last } => (DeliveryState::Done, None, last),
        Delivered::Again { at, last } => (DeliveryState::Waiting, Some(at), last),
        Delivered::Dead { last } => (DeliveryState::Dead, None, last),
    };
    connection
        .prepare_cached(
            "UPDATE delivery SET state = ?2, next = ?3, last = ?4, attempts = attempts + 1, claimed_until = 0
             WHERE id = ?1 AND state = 0",
        )
        .and_then(|mut statement| statement.execute(params![id, state.code(), next, last]))
        .map(drop)
        .while_doing(|| format!("note how the delivery {id} went"))
}

/// Makes one due again; false when there is none.
pub(super) fn replay(connection: &Connection, id: &str, now: Ms) -> Result<bool> {
    let doing = || format!("replay the delivery {id}");
    connection
        .execute(
            "UPDATE delivery SET state = 0, attempts = 0, next = ?2, claimed_until = 0 WHERE id = ?1 AND state != 0",
            params![id, now],
        )
        .while_doing(doing)?;
    connection
        .query_row("SELECT 1 FROM delivery WHERE id = ?1", [id], |_| Ok(()))
        .optional()
        .map(|found| found.is_some())
        .while_doing(doing)
}

/// A page of deliveries, newest first.
pub(super) fn list(
    connection: &Connection,
    owner: Option<&str>,
    state: Option<DeliveryState>,
    cursor: Option<&Cursor>,
    limit: usize,
) -> Result<Page<Delivery>> {
    let before: i64 = cursor.and_then(|cursor| cursor.0.parse().ok()).unwrap_or(i64::MAX);
    // The state is written out, so that the index of dead ones serves.
    let state = state.map_or("1".to_owned(), |state| format!("state = {}", state.code()));
    let found: rusqlite::Result<Vec<(Delivery, i64)>> = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, seq FROM delivery WHERE {state} AND (?1 IS NULL OR owner = ?1) AND seq < ?2
             ORDER BY seq DESC LIMIT ?3"
        ))
        .and_then(|mut statement| {
            let more = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
            let rows =
                statement.query_map(params![owner, before, more], |row| Ok((delivery(row)?, row.get(9)?)))?;
            rows.collect()
        });
    let mut found = found.while_doing(|| "list deliveries".to_owned())?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| has_more).map(|(_, seq)| Cursor(seq.to_string()));
    Ok(Page { items: found.into_iter().map(|(delivery, _)| delivery).collect(), next })
}
