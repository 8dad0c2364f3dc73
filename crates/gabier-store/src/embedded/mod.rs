//! Records and tasks in a SQLite database that the processes of one user on one machine share.

mod filesystem;
mod maintain;
mod mark;
mod pulse;
mod readers;
mod rows;
mod schema;
mod sqlite;
mod tasks;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::{Connection, TransactionBehavior};
use serde_json::Value;
use tokio::sync::watch;

use self::mark::Mark;
use self::pulse::Pulse;
use self::readers::Readers;
use self::rows::Prepared;
use self::sqlite::{Access, Context as _, connect};
use self::tasks::{Bell, Tasks};
use self::writer::Writer;
use crate::private;
use crate::records::{Change, Expect, Record, Records, Version};
use crate::{Clock, Error, ErrorKind, Presence, Result};

/// The database within the data directory.
const FILE: &str = "gabier.db";
/// What a process locks while it opens the database, so that one alone creates or migrates it.
const OPENING: &str = "gabier.db.opening";

/// The embedded store: what was acknowledged survives `kill -9` and power loss.
///
/// One thread writes, with one `fsync` for all requests that arrive together; two read; one watches for the changes
/// of other processes. Dropping it waits for what is being written.
pub struct Embedded {
    // Dropped in this order: the last connection to close folds the log into the file, and readers may not.
    readers: Readers,
    pulse: Pulse,
    tasks: Tasks,
    writer: Writer,
    file: PathBuf,
}

impl Embedded {
    /// Opens the store in a data directory, which is made (0700) when it is not there. Blocks for some milliseconds,
    /// and up to 5 s when another process is just creating or migrating it.
    ///
    /// With a presence the changes of other processes show at once, and theirs are told of ours.
    ///
    /// Fails with `Exposed` when others than the user have access, `Unsupported` on a network file system, `Newer`
    /// when a newer program wrote it, `Damaged` when it is no database of ours, `Busy` or `Io`.
    pub fn open(directory: &Path, presence: Option<Arc<Presence>>) -> Result<Self> {
        Self::open_by(directory, presence, Clock::default())
    }

    /// The same, with tasks that live by this clock.
    pub fn open_by(directory: &Path, presence: Option<Arc<Presence>>, clock: Clock) -> Result<Self> {
        private::make_directory(directory)?;
        filesystem::refuse_network(directory)?;
        let file = directory.join(FILE);
        // Held to the end: a last process that closes meanwhile would fold the log away under our connections.
        let _opening = private::lock(&directory.join(OPENING))?;
        let connection = prepare(&file)?;
        let readers = Readers::start(&file)?;
        let pulse = Pulse::start(&file)?;
        let waker = pulse.waker();
        if let Some(presence) = &presence {
            let waker = waker.clone();
            presence.on_wake(move || waker.wake());
        }
        let (bell, others) = (Arc::new(OnceLock::<Bell>::new()), presence.clone());
        let rung = Arc::clone(&bell);
        let committed = move |have_records_moved| {
            if have_records_moved {
                waker.wake();
            }
            if let Some(bell) = rung.get() {
                bell.own();
            }
            if let Some(others) = &others {
                others.wake_others();
            }
        };
        let writer = Writer::start(connection, file.clone(), committed)?;
        let tasks = Tasks::start(&file, writer.handle()?, presence, clock)?;
        let _ = bell.set(tasks.bell());
        Ok(Self { readers, pulse, tasks, writer, file })
    }

    /// The failure after which this process writes no more: of a sync, whose outcome nobody can know.
    pub fn failed(&self) -> Option<Error> {
        self.writer.failed()
    }

    /// The database file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(Version, Vec<bool>)> {
        let changes: Vec<Prepared> = changes.into_iter().map(Prepared::new).collect();
        self.writer.write(move |connection| rows::make(connection, &changes)).await
    }
}

impl Records for Embedded {
    fn get<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Record>>> {
        let (kind, key) = (kind.to_owned(), key.to_owned());
        self.readers.read(move |connection| rows::get(connection, &kind, &key)).boxed()
    }

    fn list<'a>(&'a self, kind: &'a str) -> BoxFuture<'a, Result<Vec<Record>>> {
        let kind = kind.to_owned();
        self.readers.read(move |connection| rows::list(connection, &kind)).boxed()
    }

    fn kinds(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        self.readers.read(rows::kinds).boxed()
    }

    fn put<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        value: Value,
        expect: Expect,
    ) -> BoxFuture<'a, Result<Version>> {
        async move { Ok(self.commit(vec![Change::put(kind, key, value, expect)]).await?.0) }.boxed()
    }

    fn remove<'a>(&'a self, kind: &'a str, key: &'a str, expect: Expect) -> BoxFuture<'a, Result<bool>> {
        async move { Ok(self.commit(vec![Change::remove(kind, key, expect)]).await?.1 == [true]) }.boxed()
    }

    fn apply(&self, changes: Vec<Change>) -> BoxFuture<'_, Result<()>> {
        async move { self.commit(changes).await.map(drop) }.boxed()
    }

    fn generation(&self) -> Result<u64> {
        self.pulse.generation()
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.pulse.subscribe()
    }

    fn check(&self) -> BoxFuture<'_, Result<Vec<String>>> {
        let directory = self.file.parent().unwrap_or(Path::new(".")).to_owned();
        let check = move |connection: &Connection| {
            let faults = rows::check(connection)?;
            // What cannot be read cannot be counted.
            if faults.is_empty() { Tasks::check(connection, &directory) } else { Ok(faults) }
        };
        self.readers.read(check).boxed()
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Embedded").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Makes sure that the file is there, private and of this program's format; gives the connection that writes.
fn prepare(file: &Path) -> Result<Connection> {
    match private::create_file(file) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            for suffix in ["", "-wal", "-shm"] {
                let mut name = file.as_os_str().to_owned();
                name.push(suffix);
                private::refuse_exposed_file(Path::new(&name))?;
            }
        }
        Err(source) => return Err(Error::io(format!("create {}", file.display()), source)),
    }
    let mut connection = connect(file, Access::Write)?;
    schema::migrate(&mut connection, file)?;
    agree(&mut connection, file)?;
    Ok(connection)
}

/// Brings the mark to what is committed, should a crash or a program of others have left them apart.
fn agree(connection: &mut Connection, file: &Path) -> Result<()> {
    let mark = Mark::open(file)?;
    if mark.read() == Some(rows::generation(connection)?) {
        return Ok(());
    }
    let doing = || format!("write to {}", file.display());
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).while_doing(doing)?;
    mark.write(rows::generation(&transaction)?)?;
    transaction.rollback().while_doing(doing)
}

/// What a caller meets when the thread that should answer is gone.
fn ended() -> Error {
    Error::new(ErrorKind::Unavailable, "use the store: its thread has ended")
}
