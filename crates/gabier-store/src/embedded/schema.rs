//! The format of the database file, and the steps from each format to the next.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::sqlite::Context as _;
use crate::{Error, ErrorKind, Result};

/// Tells our files from those of other programs ("gabr").
const APPLICATION_ID: i32 = 0x6761_6272;

/// The format a step leads to, and its SQL.
type Migration = (i64, &'static str);

/// In order; a published one is never edited.
const MIGRATIONS: &[Migration] = &[(1, RECORDS), (2, include_str!("tasks/schema.sql"))];

/// The format that this program writes.
pub(super) const FORMAT: i64 = 2;

const RECORDS: &str = "CREATE TABLE meta (
         name TEXT PRIMARY KEY,
         number INTEGER NOT NULL
     ) STRICT, WITHOUT ROWID;
     INSERT INTO meta VALUES ('generation', 0);
     CREATE TABLE record (
         kind TEXT NOT NULL,
         key TEXT NOT NULL,
         version INTEGER NOT NULL,
         value TEXT NOT NULL,
         PRIMARY KEY (kind, key)
     ) STRICT;";

/// Brings the file to this program's format. The caller keeps other processes from doing the same.
pub(super) fn migrate(connection: &mut Connection, file: &Path) -> Result<()> {
    migrate_by(connection, file, MIGRATIONS)
}

/// Refuses a file that a newer program has taken over meanwhile.
pub(super) fn refuse_newer(connection: &Connection, file: &Path) -> Result<()> {
    let found = found_format(connection, file)?;
    if found > newest(MIGRATIONS) {
        return Err(newer(file, found, newest(MIGRATIONS)));
    }
    Ok(())
}

/// Refuses what is no store of a format that this program knows.
pub(super) fn refuse_others(connection: &Connection, file: &Path) -> Result<()> {
    refuse_newer(connection, file)?;
    let found = found_format(connection, file)?;
    refuse_foreign(connection, file, found)?;
    if found == 0 {
        return Err(Error::new(ErrorKind::Damaged, format!("open {}: it is empty", file.display())));
    }
    Ok(())
}

/// The format of a file, which must be one of ours.
pub(super) fn format_of(connection: &Connection, file: &Path) -> Result<i64> {
    let found = found_format(connection, file)?;
    refuse_foreign(connection, file, found)?;
    Ok(found)
}

fn newest(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |(format, _)| *format)
}

fn migrate_by(connection: &mut Connection, file: &Path, migrations: &[Migration]) -> Result<()> {
    let doing = || format!("bring {} to the format of this program", file.display());
    let known = newest(migrations);
    let found = found_format(connection, file)?;
    if found > known {
        return Err(newer(file, found, known));
    }
    refuse_foreign(connection, file, found)?;
    for (format, sql) in migrations.iter().filter(|(format, _)| *format > found) {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).while_doing(doing)?;
        transaction.execute_batch(sql).while_doing(doing)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).while_doing(doing)?;
        transaction.pragma_update(None, "user_version", format).while_doing(doing)?;
        transaction.commit().while_doing(doing)?;
    }
    Ok(())
}

fn found_format(connection: &Connection, file: &Path) -> Result<i64> {
    connection
        .prepare_cached("PRAGMA user_version")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .while_doing(|| format!("read the format of {}", file.display()))
}

fn newer(file: &Path, found: i64, known: i64) -> Error {
    let message = format!(
        "open {}: its format is {found} and this program knows formats up to {known}; use the newer gabier that \
         wrote it, or another data directory",
        file.display()
    );
    Error::new(ErrorKind::Newer, message)
}

fn refuse_foreign(connection: &Connection, file: &Path, found: i64) -> Result<()> {
    let doing = || format!("read the tables of {}", file.display());
    let application: i32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).while_doing(doing)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .while_doing(doing)?;
    let is_ours = application == APPLICATION_ID || (application == 0 && found == 0 && tables == 0);
    if is_ours && found >= 0 {
        return Ok(());
    }
    let message = format!("open {}: it is a database of another program", file.display());
    Err(Error::new(ErrorKind::Damaged, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &[Migration] = &[
        (1, "CREATE TABLE host (name TEXT) STRICT; INSERT INTO host VALUES ('web1');"),
        (2, "ALTER TABLE host ADD COLUMN port INTEGER NOT NULL DEFAULT 22;"),
        (3, "UPDATE host SET port = port + 1;"),
    ];

    fn migrated(connection: &mut Connection, migrations: &[Migration]) -> String {
        match migrate_by(connection, Path::new("gabier.db"), migrations) {
            Ok(()) => connection
                .query_row("SELECT name || ' ' || port FROM host", [], |row| row.get(0))
                .unwrap_or_else(|error| error.to_string()),
            Err(error) => format!("{:?}: {error}", error.kind()),
        }
    }

    #[test]
    fn the_format_that_is_told_is_that_of_the_last_step() {
        assert_eq!(FORMAT, newest(MIGRATIONS));
    }

    #[test]
    fn every_older_format_is_brought_up_once() {
        for older in 0..=THREE.len() {
            let mut connection = Connection::open_in_memory().unwrap();
            migrated(&mut connection, &THREE[..older]);
            assert_eq!(migrated(&mut connection, THREE), "web1 23", "from format {older}");
            assert_eq!(migrated(&mut connection, THREE), "web1 23", "a second time from {older}");
        }
    }

    #[test]
    fn a_migration_that_fails_leaves_the_format_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = &[THREE[0], (2, "CREATE TABLE half (x) STRICT; nonsense;")];
        assert!(migrated(&mut connection, broken).starts_with("Io: bring gabier.db"));
        assert_eq!(found_format(&connection, Path::new("gabier.db")).unwrap(), 1);
        assert_eq!(migrated(&mut connection, THREE), "web1 23");
    }

    #[test]
    fn a_newer_format_is_refused_with_both_numbers() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrated(&mut connection, THREE);
        let refused = migrated(&mut connection, &THREE[..2]);
        assert!(
            refused
                .starts_with("Newer: open gabier.db: its format is 3 and this program knows formats up to 2")
        );
    }

    #[test]
    fn a_database_of_another_program_is_not_touched() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE theirs (x);").unwrap();
        assert_eq!(
            migrated(&mut connection, THREE),
            "Damaged: open gabier.db: it is a database of another program"
        );
    }
}
