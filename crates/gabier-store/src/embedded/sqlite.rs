//! Connections to the database file, and what their failures mean.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::{Error, ErrorKind, Result};

/// How long a connection waits for another process's write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How many prepared statements a connection keeps: all that stand in the code, and some lists.
const STATEMENTS: usize = 96;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// Opens one more connection to a file that exists, with its pragmas set: they hold per connection.
pub(super) fn connect(file: &Path, access: Access) -> Result<Connection> {
    let flags = match access {
        Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
        Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
    };
    Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .and_then(|connection| set_pragmas(&connection, access).map(|()| connection))
        .while_doing(|| format!("open {}", file.display()))
}

fn set_pragmas(connection: &Connection, access: Access) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "trusted_schema", false)?;
    // Else a statement is planned anew whenever another value is bound to its LIMIT.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    if access == Access::Read {
        return Ok(());
    }
    // Has an effect in a new file only, and must come before the log is switched on.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // FULL: what was acknowledged survives a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 4_000, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
    Ok(())
}

/// Says what was being done when SQLite failed.
pub(super) trait Context<T> {
    /// Turns SQLite's error into ours: its kind, what was being done, and SQLite's words as the source.
    fn while_doing(self, doing: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for rusqlite::Result<T> {
    fn while_doing(self, doing: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::new(kind(&source), doing()).because(source))
    }
}

fn kind(error: &rusqlite::Error) -> ErrorKind {
    let Some(failure) = error.sqlite_error() else { return ErrorKind::Damaged };
    match failure.code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
            ErrorKind::Busy
        }
        ErrorCode::DiskFull => ErrorKind::Full,
        // The index of the log could not grow: no room, and nothing was written.
        ErrorCode::SystemIoFailure if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => ErrorKind::Full,
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => ErrorKind::Damaged,
        ErrorCode::TooBig => ErrorKind::Unsupported,
        _ => ErrorKind::Io,
    }
}

/// Whether writing must end: after a failed fsync nobody knows what the disk holds, and trying again would lie.
pub(super) fn is_fatal(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<rusqlite::Error>());
    let Some(failure) = source.and_then(rusqlite::Error::sqlite_error) else { return false };
    match failure.code {
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => true,
        ErrorCode::SystemIoFailure => {
            !matches!(failure.extended_code, ffi::SQLITE_IOERR_SHMSIZE | ffi::SQLITE_IOERR_NOMEM)
        }
        _ => false,
    }
}

#[cfg(test)]
pub(super) fn failure(extended_code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(extended_code), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::StatementStatus;

    fn check(code: i32) -> (ErrorKind, bool) {
        let error = Err::<(), _>(failure(code)).while_doing(|| "write".into()).unwrap_err();
        (error.kind(), is_fatal(&error))
    }

    #[test]
    fn a_failed_fsync_is_fatal_and_a_full_disk_is_not() {
        assert_eq!(check(ffi::SQLITE_IOERR_FSYNC), (ErrorKind::Io, true));
        assert_eq!(check(ffi::SQLITE_CORRUPT), (ErrorKind::Damaged, true));
        assert_eq!(check(ffi::SQLITE_FULL), (ErrorKind::Full, false));
        assert_eq!(check(ffi::SQLITE_IOERR_SHMSIZE), (ErrorKind::Full, false));
        assert_eq!(check(ffi::SQLITE_BUSY), (ErrorKind::Busy, false));
        assert_eq!(check(ffi::SQLITE_CANTOPEN), (ErrorKind::Io, false));
    }

    #[test]
    fn a_kept_statement_is_not_planned_anew_for_other_values() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gabier.db");
        crate::private::create_file(&file).unwrap();
        let connection = connect(&file, Access::Write).unwrap();
        connection.execute_batch("CREATE TABLE note (at INTEGER) STRICT").unwrap();
        for limit in 1..5 {
            let mut statement =
                connection.prepare_cached("SELECT at FROM note WHERE at <= ?1 LIMIT ?2").unwrap();
            assert!(!statement.exists([limit, limit]).unwrap());
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "for {limit}");
        }
    }

    #[test]
    fn every_writing_connection_syncs_each_commit_to_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gabier.db");
        crate::private::create_file(&file).unwrap();
        for _ in 0..2 {
            let connection = connect(&file, Access::Write).unwrap();
            let pragma =
                |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
            let journal: String =
                connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            let numbers =
                ["synchronous", "busy_timeout", "wal_autocheckpoint", "journal_size_limit", "auto_vacuum"];
            assert_eq!((numbers.map(pragma), &*journal), ([2, 5_000, 4_000, 64 << 20, 2], "wal"));
        }
    }
}
