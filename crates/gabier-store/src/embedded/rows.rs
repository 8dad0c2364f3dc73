//! The SQL of records.

use rusqlite::types::Type;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};
use serde_json::Value;

use super::sqlite::Context as _;
use crate::{Change, ErrorKind, Record, Result, Version};

pub(super) fn get(connection: &Connection, kind: &str, key: &str) -> Result<Option<Record>> {
    let doing = || format!("read the {kind} record {key}");
    statement(connection, "SELECT key, version, value FROM record WHERE kind = ?1 AND key = ?2")
        .and_then(|mut statement| statement.query_row([kind, key], record).optional())
        .while_doing(doing)
}

pub(super) fn list(connection: &Connection, kind: &str) -> Result<Vec<Record>> {
    let doing = || format!("read the {kind} records");
    statement(connection, "SELECT key, version, value FROM record WHERE kind = ?1 ORDER BY key")
        .and_then(|mut statement| statement.query_map([kind], record)?.collect())
        .while_doing(doing)
}

pub(super) fn kinds(connection: &Connection) -> Result<Vec<String>> {
    statement(connection, "SELECT DISTINCT kind FROM record ORDER BY kind")
        .and_then(|mut statement| statement.query_map([], |row| row.get(0))?.collect())
        .while_doing(|| "read the kinds of records".to_owned())
}

pub(super) fn generation(connection: &Connection) -> Result<u64> {
    statement(connection, "SELECT number FROM meta WHERE name = 'generation'")
        .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
        .map(i64::cast_unsigned)
        .while_doing(|| "read the generation".to_owned())
}

/// Makes the changes of one call inside the caller's transaction; gives their version, and for each whether the
/// record was there before. On an error the caller rolls back.
pub(super) fn make(connection: &Connection, changes: &[Prepared]) -> Result<(Version, Vec<bool>)> {
    let version = Version::new(generation(connection)? + 1);
    let mut found = Vec::with_capacity(changes.len());
    let mut has_changed = false;
    for prepared in changes {
        let was_there = prepared.make(connection, version)?;
        has_changed |= was_there || prepared.value.is_some();
        found.push(was_there);
    }
    if has_changed {
        statement(connection, "UPDATE meta SET number = ?1 WHERE name = 'generation'")
            .and_then(|mut statement| statement.execute([version.get().cast_signed()]))
            .while_doing(|| "move the generation".to_owned())?;
    }
    Ok((version, found))
}

/// The faults of the whole file: what SQLite finds, and where it finds none, records that cannot be read.
pub(super) fn check(connection: &Connection) -> Result<Vec<String>> {
    let faults = integrity(connection).and_then(|faults| match faults.as_slice() {
        [line] if line == "ok" => unreadable(connection),
        _ => Ok(faults),
    });
    match faults.while_doing(|| "check the database".to_owned()) {
        // Some damage ends the search for damage.
        Err(error) if error.kind() == ErrorKind::Damaged => {
            Ok(vec!["the database file is malformed".to_owned()])
        }
        outcome => outcome,
    }
}

fn integrity(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    connection.prepare("PRAGMA integrity_check")?.query_map([], |row| row.get(0))?.collect()
}

fn unreadable(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let name = |row: &Row<'_>| {
        let (kind, key): (String, String) = (row.get(0)?, row.get(1)?);
        Ok(format!("the {kind} record {key} is not JSON"))
    };
    connection
        .prepare("SELECT kind, key FROM record WHERE NOT json_valid(value)")?
        .query_map([], name)?
        .collect()
}

/// A change whose value is text already: the caller's thread does that work, not the writer's.
pub(super) struct Prepared {
    change: Change,
    value: Option<String>,
}

impl Prepared {
    pub(super) fn new(mut change: Change) -> Self {
        let value = match &mut change {
            Change::Put { value, .. } => Some(std::mem::take(value).to_string()),
            Change::Remove { .. } => None,
        };
        Self { change, value }
    }

    fn make(&self, connection: &Connection, version: Version) -> Result<bool> {
        let (Change::Put { kind, key, expect, .. } | Change::Remove { kind, key, expect }) = &self.change;
        let doing = || format!("write the {kind} record {key}");
        let present = statement(connection, "SELECT version FROM record WHERE kind = ?1 AND key = ?2")
            .and_then(|mut statement| statement.query_row([kind, key], self::version).optional())
            .while_doing(doing)?;
        expect.check(kind, key, present)?;
        match &self.value {
            Some(value) => statement(
                connection,
                "INSERT INTO record (kind, key, version, value) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET version = excluded.version, value = excluded.value",
            )
            .and_then(|mut statement| {
                statement.execute(params![kind, key, version.get().cast_signed(), value])
            }),
            None => statement(connection, "DELETE FROM record WHERE kind = ?1 AND key = ?2")
                .and_then(|mut statement| statement.execute([kind, key])),
        }
        .while_doing(doing)?;
        Ok(present.is_some())
    }
}

fn statement<'a>(connection: &'a Connection, sql: &str) -> rusqlite::Result<CachedStatement<'a>> {
    connection.prepare_cached(sql)
}

fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    row.get("version").map(i64::cast_unsigned).map(Version::new)
}

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let value: Value = serde_json::from_str(row.get_ref("value")?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(2, Type::Text, error.into()))?;
    Ok(Record { key: row.get("key")?, value, version: version(row)? })
}
