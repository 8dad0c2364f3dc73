//! What a person does with the whole store: compact, back up, restore.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::sqlite::{Access, Context as _, connect};
use super::tasks::Tasks;
use super::{Embedded, FILE, OPENING, filesystem, rows, schema};
use crate::{Error, ErrorKind, Result, private};

/// How long a restore waits for other processes to let go of the store.
const PATIENCE: Duration = Duration::from_millis(500);

impl Embedded {
    /// The format of files that this program writes.
    pub const FORMAT: i64 = schema::FORMAT;

    /// Rewrites the file without its gaps, folds the log into it, and removes files that no task names. Writers wait
    /// meanwhile; with a big store longer than they like.
    pub async fn compact(&self) -> Result<()> {
        self.write_notes().await?;
        let (file, directory) = (self.file.clone(), self.directory().to_owned());
        self.readers
            .read(move |_| {
                let connection = connect(&file, Access::Write)?;
                Tasks::sweep(&connection, &directory)?;
                connection
                    .execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)")
                    .while_doing(|| format!("compact {}", file.display()))
            })
            .await
    }

    /// Writes a copy as of this moment to a file that is not there yet: one file (0600) that holds everything. Others
    /// go on reading and writing.
    pub async fn backup(&self, to: &Path) -> Result<()> {
        self.write_notes().await?;
        let (to, directory) = (to.to_owned(), self.directory().to_owned());
        self.readers
            .read(move |connection| {
                private::create_file(&to).map_err(|source| Error::io(writing(&to), source))?;
                copy_to(connection, &to, &directory).inspect_err(|_| drop(fs::remove_file(&to)))
            })
            .await
    }

    /// Puts a backup in the place of the store in a data directory, after looking through it. What was there is kept
    /// beside it as `gabier.db.replaced`.
    ///
    /// Fails with `Damaged` or `Newer` when the backup is not sound, and with `Busy` while a process has the store
    /// open; nothing is changed then.
    pub fn restore(directory: &Path, from: &Path) -> Result<()> {
        validate(from)?;
        private::make_directory(directory)?;
        filesystem::refuse_network(directory)?;
        let _opening = private::lock(&directory.join(OPENING))?;
        let file = directory.join(FILE);
        fold(&file)?;
        replace(&file, from).map_err(|source| Error::io(format!("restore {}", file.display()), source))
    }

    /// The format that the store in a data directory has; none when there is no store.
    ///
    /// Fails with `Damaged` when it is no database of ours.
    pub fn format_in(directory: &Path) -> Result<Option<i64>> {
        let file = directory.join(FILE);
        if !file.exists() {
            return Ok(None);
        }
        schema::format_of(&connect(&file, Access::Read)?, &file).map(Some)
    }

    fn directory(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new("."))
    }
}

fn writing(file: &Path) -> String {
    format!("write {}", file.display())
}

fn copy_to(connection: &Connection, to: &Path, directory: &Path) -> Result<()> {
    let doing = || writing(to);
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()]).while_doing(doing)?;
    let copy = connect(to, Access::Write)?;
    Tasks::take_in_files(&copy, directory)?;
    // One plain file, which can be read where nothing can be written.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).while_doing(doing)?;
    drop(copy);
    sync(to).map_err(|source| Error::io(doing(), source))
}

/// Makes a file and its name durable.
fn sync(file: &Path) -> io::Result<()> {
    File::open(file)?.sync_all()?;
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => File::open(directory)?.sync_all(),
        _ => Ok(()),
    }
}

/// Refuses what is no sound store of ours.
fn validate(backup: &Path) -> Result<()> {
    let connection = connect(backup, Access::Read)?;
    schema::refuse_others(&connection, backup)?;
    match rows::check(&connection)?.first() {
        None => Ok(()),
        Some(fault) => {
            Err(Error::new(ErrorKind::Damaged, format!("restore from {}: {fault}", backup.display())))
        }
    }
}

/// Folds the log into a store that nobody has open; one that cannot be read any more is left as it is.
fn fold(file: &Path) -> Result<()> {
    if !file.exists() {
        return Ok(());
    }
    let alone = connect(file, Access::Write).and_then(|connection| {
        connection
            .busy_timeout(PATIENCE)
            .and_then(|()| connection.pragma_update_and_check(None, "locking_mode", "EXCLUSIVE", |_| Ok(())))
            .and_then(|()| connection.execute_batch("BEGIN EXCLUSIVE; COMMIT"))
            .while_doing(|| format!("restore {}: other processes must end first", file.display()))
    });
    match alone {
        Err(error) if error.kind() == ErrorKind::Busy => Err(error),
        _ => Ok(()),
    }
}

fn replace(file: &Path, from: &Path) -> io::Result<()> {
    let beside = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        std::path::PathBuf::from(name)
    };
    let (new, old) = (beside(".restoring"), beside(".replaced"));
    let _ = fs::remove_file(&new);
    let mut copy = private::create_file(&new)?;
    io::copy(&mut File::open(from)?, &mut copy)?;
    copy.sync_all()?;
    if file.exists() {
        let _ = fs::remove_file(&old);
        fs::hard_link(file, &old)?;
    }
    for log in ["-wal", "-shm"] {
        let _ = fs::remove_file(beside(log));
    }
    fs::rename(&new, file)?;
    sync(file)
}
