//! How much may run at once and start in a second.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::super::sqlite::Context as _;
use crate::Result;
use crate::queue::rules::{self, Bucket};
use crate::queue::{Limit, Ms, Scope};

/// The limits, as they stand while tasks are claimed.
pub(super) struct Limits(HashMap<Scope, Room>);

struct Room {
    limit: Limit,
    bucket: Bucket,
    running: usize,
    started: usize,
}

impl Limits {
    /// Those that are set; none at all costs one look.
    pub(super) fn load(connection: &Connection, now: Ms) -> Result<Option<Self>> {
        let mut limits = all(connection)?;
        if limits.is_empty() {
            return Ok(None);
        }
        for room in limits.values_mut() {
            room.bucket = room.bucket.later(room.limit.per_second.unwrap_or(0.0), now);
        }
        let mut limits = Self(limits);
        limits.count_running(connection)?;
        Ok(Some(limits))
    }

    fn count_running(&mut self, connection: &Connection) -> Result<()> {
        let counted = connection
            .prepare_cached("SELECT queue, tool, alias FROM task WHERE state = 4 AND lease_until IS NOT NULL")
            .and_then(|mut statement| {
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    for scope in scopes(row.get(0)?, row.get(1)?, row.get(2)?) {
                        if let Some(room) = self.0.get_mut(&scope) {
                            room.running += 1;
                        }
                    }
                }
                Ok(())
            });
        counted.while_doing(|| "count what runs".to_owned())
    }

    /// What may start, by priority and age; what must wait is stepped over.
    pub(super) fn ready(&mut self, connection: &Connection, queue: &str, want: usize) -> Result<Vec<i64>> {
        if self.0.get(&Scope::Queue(queue.to_owned())).is_some_and(|room| room.left() == 0) {
            return Ok(Vec::new());
        }
        let sql = "SELECT seq, tool, alias FROM task INDEXED BY task_ready WHERE queue = ?1 AND state = 0
                   ORDER BY priority, seq";
        let ready = connection.prepare_cached(sql).and_then(|mut statement| {
            let (mut rows, mut ready) = (statement.query([queue])?, Vec::new());
            while ready.len() < want
                && let Some(row) = rows.next()?
            {
                if self.start(&scopes(queue.to_owned(), row.get(1)?, row.get(2)?)) {
                    ready.push(row.get(0)?);
                }
            }
            Ok(ready)
        });
        ready.while_doing(|| format!("look for tasks in {queue}"))
    }

    /// Takes a place under each of these; false when one has none.
    fn start(&mut self, scopes: &[Scope]) -> bool {
        if scopes.iter().any(|scope| self.0.get(scope).is_some_and(|room| room.left() == 0)) {
            return false;
        }
        for scope in scopes {
            if let Some(room) = self.0.get_mut(scope) {
                room.running += 1;
                room.started += 1;
                room.bucket.tokens -= 1.0;
            }
        }
        true
    }

    /// Writes what was taken.
    pub(super) fn settle(self, connection: &Connection) -> Result<()> {
        for (scope, room) in self.0.iter().filter(|(_, room)| room.started > 0) {
            let (kind, name) = words(scope);
            connection
                .prepare_cached("UPDATE task_limit SET tokens = ?3, at = ?4 WHERE scope = ?1 AND name = ?2")
                .and_then(|mut statement| {
                    statement.execute(params![kind, name, room.bucket.tokens, room.bucket.at])
                })
                .while_doing(|| format!("use the limit of the {kind} {name}"))?;
        }
        Ok(())
    }
}

impl Room {
    fn left(&self) -> usize {
        rules::room(self.limit, self.running, self.bucket)
    }
}

/// Sets a limit, or lifts it.
pub(super) fn set(connection: &Connection, scope: &Scope, limit: Option<Limit>, now: Ms) -> Result<()> {
    let (kind, name) = words(scope);
    let doing = || format!("set the limit of the {kind} {name}");
    let Some(limit) = limit else {
        return connection
            .execute("DELETE FROM task_limit WHERE scope = ?1 AND name = ?2", [kind, name])
            .map(drop)
            .while_doing(doing);
    };
    let before = all(connection)?.remove(scope).map(|room| (room.limit, room.bucket));
    let bucket = Bucket::under(limit, before, now);
    let values = params![kind, name, limit.running, limit.per_second, bucket.tokens, bucket.at];
    connection
        .execute(
            "INSERT OR REPLACE INTO task_limit (scope, name, running, per_second, tokens, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            values,
        )
        .map(drop)
        .while_doing(doing)
}

/// When the next start under a rate may take place, if a task waits for one.
pub(super) fn next_start(connection: &Connection) -> Result<Option<Ms>> {
    let limits = all(connection)?;
    let rates = limits.values().filter_map(|room| Some((room.limit.per_second?, room.bucket)));
    let next = rates.filter(|(_, bucket)| bucket.tokens < 1.0).map(|(rate, bucket)| bucket.next(rate)).min();
    let Some(next) = next else { return Ok(None) };
    let is_waiting = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM task INDEXED BY task_ready WHERE state = 0)",
        [],
        |row| row.get::<_, bool>(0),
    );
    Ok(is_waiting.while_doing(|| "look for waiting tasks".to_owned())?.then_some(next))
}

fn all(connection: &Connection) -> Result<HashMap<Scope, Room>> {
    connection
        .prepare_cached("SELECT scope, name, running, per_second, tokens, at FROM task_limit")
        .and_then(|mut statement| {
            let rows = statement.query_map([], |row| {
                let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
                let scope = match &*kind {
                    "queue" => Scope::Queue(name),
                    "tool" => Scope::Tool(name),
                    _ => Scope::Alias(name),
                };
                let limit = Limit { running: row.get(2)?, per_second: row.get(3)? };
                let bucket = Bucket { tokens: row.get(4)?, at: row.get(5)? };
                Ok((scope, Room { limit, bucket, running: 0, started: 0 }))
            })?;
            rows.collect()
        })
        .while_doing(|| "read the limits".to_owned())
}

fn scopes(queue: String, tool: String, alias: Option<String>) -> Vec<Scope> {
    [Scope::Queue(queue), Scope::Tool(tool)].into_iter().chain(alias.map(Scope::Alias)).collect()
}

fn words(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::Queue(name) => ("queue", name),
        Scope::Tool(name) => ("tool", name),
        Scope::Alias(name) => ("alias", name),
    }
}
