//! The one thread of a process that writes, committing what came together in one transaction.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::mark::Mark;
use super::sqlite::{Context as _, is_fatal};
use super::{ended, rows, schema};
use crate::{Error, ErrorKind, Result};

/// How many requests one transaction takes at most.
const BATCH: usize = 256;
/// How long the others of the last commit are waited for at most.
const PATIENCE: Duration = Duration::from_millis(1);

/// How many commits after one in which a request failed expect that another does.
const WARY: u32 = 32;

/// Hands requests to the writing thread; requests that arrive while it commits share the next commit.
pub(super) struct Writer {
    requests: Option<Handle>,
    thread: Option<JoinHandle<()>>,
    failed: Arc<OnceLock<Error>>,
}

/// What hands requests over; the thread goes on while there is one.
#[derive(Clone)]
pub(super) struct Handle(Sender<Box<dyn Request>>);

impl Handle {
    /// Hands over what is to run within a transaction. Once that is durable, `committed` is called on the writing
    /// thread, and then the answer comes. Requests are run in the order in which they were handed over, and may run
    /// twice if the first attempt was undone.
    pub(super) fn submit<T: Send + 'static>(
        &self,
        run: impl FnMut(&Connection) -> Result<T> + Send + 'static,
        committed: impl FnOnce(&T) + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T>>> {
        let (reply, answer) = oneshot::channel();
        let request = Box::new(Pending { run, committed, outcome: None, reply });
        self.0.send(request).map_err(|_| ended())?;
        Ok(answer)
    }
}

impl Writer {
    /// Starts the thread. `committed` is called on it after every commit that changed something, and told whether the
    /// generation of the records moved.
    pub(super) fn start(
        connection: Connection,
        file: PathBuf,
        committed: impl Fn(bool) + Send + 'static,
    ) -> Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let mark = Mark::open(&file)?;
        let failed = Arc::new(OnceLock::new());
        let generation = rows::generation(&connection)?;
        let failing = Arc::clone(&failed);
        let mut work = Work { connection, file, mark, committed, failed: failing, wary: 0, generation };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work.until_closed(&receiver))
            .map_err(|source| Error::io("start the thread that writes", source))?;
        Ok(Self { requests: Some(Handle(sender)), thread: Some(thread), failed })
    }

    /// Runs within a transaction, and resolves when that is durable. May run twice if the first attempt was undone.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        run: impl FnMut(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let answer = self.handle()?.submit(run, |_| ())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The failure after which nothing is written any more.
    pub(super) fn failed(&self) -> Option<Error> {
        self.failed.get().cloned()
    }

    /// What hands requests over from elsewhere.
    pub(super) fn handle(&self) -> Result<&Handle> {
        self.requests.as_ref().ok_or_else(ended)
    }
}

impl Drop for Writer {
    /// Waits until what was handed over is committed and the file is closed.
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// One caller's work, with its types erased.
trait Request: Send {
    fn run(&mut self, connection: &Connection) -> Result<()>;
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Pending<T, F, C> {
    run: F,
    committed: C,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F, C> Request for Pending<T, F, C>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T> + Send,
    C: FnOnce(&T) + Send,
{
    fn run(&mut self, connection: &Connection) -> Result<()> {
        let outcome = (self.run)(connection);
        let verdict = outcome.as_ref().map(|_| ()).map_err(Clone::clone);
        self.outcome = Some(outcome);
        verdict
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let Self { outcome, reply, committed: tell, .. } = *self;
        let outcome = committed.and_then(|()| outcome.unwrap_or_else(|| Err(ended())));
        if let Ok(value) = &outcome {
            tell(value);
        }
        // A caller that went away asked for no answer.
        let _ = reply.send(outcome);
    }
}

struct Work<F> {
    connection: Connection,
    file: PathBuf,
    mark: Mark,
    committed: F,
    failed: Arc<OnceLock<Error>>,
    /// How many commits are still made with savepoints, since a request failed.
    wary: u32,
    /// The generation of the records as of the last commit.
    generation: u64,
}

/// The last commit, from which the next is guessed.
#[derive(Default)]
struct Last {
    number: usize,
    took: Duration,
}

impl Last {
    /// Takes what is there. Those who shared the last commit are about to ask again: a part of what a commit takes is
    /// well spent on waiting for them, who would else wait for a commit of their own. Who is alone waits for nobody.
    fn gather(
        &self,
        first: Box<dyn Request>,
        requests: &Receiver<Box<dyn Request>>,
    ) -> Vec<Box<dyn Request>> {
        let mut batch: Vec<_> = std::iter::once(first).chain(requests.try_iter()).take(BATCH).collect();
        let end = Instant::now() + (self.took / 4).min(PATIENCE);
        while batch.len() < self.number.min(BATCH) {
            let Ok(next) = requests.recv_timeout(end.saturating_duration_since(Instant::now())) else {
                break;
            };
            batch.push(next);
        }
        batch
    }
}

impl<F: Fn(bool)> Work<F> {
    fn until_closed(&mut self, requests: &Receiver<Box<dyn Request>>) {
        let mut last = Last::default();
        while let Ok(first) = requests.recv() {
            let batch = last.gather(first, requests);
            let (begun, number) = (Instant::now(), batch.len());
            self.commit(batch);
            last = Last { number, took: begun.elapsed() };
        }
    }

    fn commit(&mut self, mut batch: Vec<Box<dyn Request>>) {
        let (changes, generation) = (self.connection.total_changes(), self.generation);
        match self.try_commit(&mut batch) {
            // One request too big for the disk's last bytes must not fail its neighbours.
            Err(error) if error.kind() == ErrorKind::Full && batch.len() > 1 => {
                for request in batch {
                    self.commit(vec![request]);
                }
            }
            outcome => {
                for request in batch {
                    request.answer(outcome.clone());
                }
                // A claim that found nothing wakes nobody.
                if outcome.is_ok() && self.connection.total_changes() != changes {
                    (self.committed)(self.generation != generation);
                }
            }
        }
    }

    fn try_commit(&mut self, batch: &mut [Box<dyn Request>]) -> Result<()> {
        if let Some(failed) = self.failed.get() {
            let message = format!("write to {}: it stopped after a failure; start anew", self.file.display());
            return Err(Error::new(ErrorKind::Unavailable, message).because(failed.clone()));
        }
        let outcome = self.transact(batch);
        if let Err(error) = &outcome
            && is_fatal(error)
        {
            tracing::error!(file = %self.file.display(), error = error as &dyn std::error::Error, "the store stops");
            let _ = self.failed.set(error.clone());
        }
        outcome
    }

    /// Commits a batch: all in one go, or, where one of them fails, each within a savepoint of its own, so that the
    /// others are spared. Savepoints copy every page that they touch, so they are for those who need them.
    fn transact(&mut self, batch: &mut [Box<dyn Request>]) -> Result<()> {
        if self.wary == 0 {
            if self.run_together(batch)? {
                return Ok(());
            }
            self.wary = WARY;
        }
        self.wary -= 1;
        self.run_apart(batch)
    }

    /// False, and nothing done, when a request fails that has neighbours.
    fn run_together(&mut self, batch: &mut [Box<dyn Request>]) -> Result<bool> {
        let transaction = begin(&mut self.connection, &self.file)?;
        let number = batch.len();
        for request in batch {
            match request.run(&transaction) {
                Ok(()) => {}
                Err(error) if concerns_all(&error) => return Err(error),
                // What it did is undone with the transaction; it has its answer.
                Err(_) => return Ok(number == 1),
            }
        }
        self.generation = finish(transaction, &self.mark, &self.file)?;
        Ok(true)
    }

    fn run_apart(&mut self, batch: &mut [Box<dyn Request>]) -> Result<()> {
        let doing = || doing(&self.file);
        let mut transaction = begin(&mut self.connection, &self.file)?;
        for request in batch {
            let savepoint = transaction.savepoint().while_doing(doing)?;
            match request.run(&savepoint) {
                Ok(()) => savepoint.commit().while_doing(doing)?,
                Err(error) if concerns_all(&error) => return Err(error),
                Err(_) => savepoint.finish().while_doing(doing)?,
            }
        }
        self.generation = finish(transaction, &self.mark, &self.file)?;
        Ok(())
    }
}

fn doing(file: &Path) -> String {
    format!("write to {}", file.display())
}

/// Begins a transaction in a store of this format.
fn begin<'a>(connection: &'a mut Connection, file: &Path) -> Result<Transaction<'a>> {
    let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
    let transaction = begun.while_doing(|| doing(file))?;
    schema::refuse_newer(&transaction, file)?;
    Ok(transaction)
}

/// Makes a transaction durable; gives the generation of the records.
fn finish(transaction: Transaction<'_>, mark: &Mark, file: &Path) -> Result<u64> {
    let generation = rows::generation(&transaction)?;
    mark.write(generation)?;
    transaction.commit().while_doing(|| doing(file)).map(|()| generation)
}

/// Whether an error comes from the store itself, so that the whole transaction is in doubt.
fn concerns_all(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::Conflict | ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::sqlite::{Access, connect, failure};
    use futures::future::join_all;
    use rusqlite::ffi;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    struct Bench {
        writer: Writer,
        commits: Arc<AtomicUsize>,
        file: PathBuf,
        _directory: tempfile::TempDir,
    }

    fn bench() -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("gabier.db");
        crate::private::create_file(&file).unwrap();
        let mut connection = connect(&file, Access::Write).unwrap();
        schema::migrate(&mut connection, &file).unwrap();
        connection.execute_batch("CREATE TABLE note (text TEXT)").unwrap();
        let commits = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&commits);
        let count = move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        };
        let writer = Writer::start(connection, file.clone(), count).unwrap();
        Bench { writer, commits, file, _directory: directory }
    }

    impl Bench {
        async fn note(&self, text: &str) -> Result<()> {
            let text = text.to_owned();
            self.writer.write(move |connection| insert(connection, &text)).await
        }

        fn notes(&self) -> Vec<String> {
            let connection = connect(&self.file, Access::Read).unwrap();
            let mut statement = connection.prepare("SELECT substr(text, 1, 9) FROM note ORDER BY 1").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        }

        /// Keeps the thread busy until the returned sender is dropped, so that requests gather behind it.
        async fn hold(&self) -> (Sender<()>, impl Future<Output = Result<()>>) {
            let (release, held) = mpsc::channel::<()>();
            let (begun, begins) = oneshot::channel();
            let mut begun = Some(begun);
            let (reply, answer) = oneshot::channel();
            let run = move |_: &Connection| {
                let _ = begun.take().map(|begun| begun.send(()));
                let _ = held.recv();
                Ok(())
            };
            let requests = self.writer.requests.as_ref().unwrap();
            let committed = |(): &()| ();
            let request = Box::new(Pending { run, committed, outcome: None, reply });
            requests.0.send(request).ok().unwrap();
            begins.await.unwrap();
            (release, async { answer.await.unwrap() })
        }
    }

    fn insert(connection: &Connection, text: &str) -> Result<()> {
        connection.execute("INSERT INTO note VALUES (?1)", [text]).while_doing(|| "insert".into()).map(drop)
    }

    #[tokio::test]
    async fn requests_that_come_together_share_a_commit() {
        let bench = bench();
        let (release, held) = bench.hold().await;
        let notes = join_all((0..100).map(|number| {
            let bench = &bench;
            async move { bench.note(&format!("{number:03}")).await }
        }));
        let (outcomes, held, ()) = futures::join!(notes, held, async {
            drop(release);
        });
        assert!(held.is_ok() && outcomes.iter().all(Result::is_ok));
        assert_eq!(bench.notes().len(), 100);
        drop(bench.writer);
        assert_eq!(bench.commits.load(Ordering::SeqCst), 1, "what held the thread changed nothing");
    }

    #[tokio::test]
    async fn a_request_that_fails_leaves_no_trace_and_spares_its_neighbours() {
        let bench = bench();
        let (release, held) = bench.hold().await;
        let failing = bench.writer.write(|connection| {
            insert(connection, "trace")?;
            Err::<(), _>(Error::new(ErrorKind::Conflict, "no"))
        });
        let (before, failing, after, held, ()) =
            futures::join!(bench.note("before"), failing, bench.note("after"), held, async {
                drop(release);
            });
        assert!(before.is_ok() && after.is_ok() && held.is_ok());
        assert_eq!(failing.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(bench.notes(), ["after", "before"]);
    }

    #[tokio::test]
    async fn a_full_disk_fails_only_what_does_not_fit_and_is_over_when_there_is_room() {
        let bench = bench();
        let limit = |pages: i64| {
            bench.writer.write(move |connection| {
                let limit = connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()));
                limit.while_doing(|| "limit".into())
            })
        };
        limit(12).await.unwrap();
        let (release, held) = bench.hold().await;
        let huge = "h".repeat(1 << 20);
        let (small, big, other, held, ()) =
            futures::join!(bench.note("small"), bench.note(&huge), bench.note("other"), held, async {
                drop(release);
            });
        assert_eq!(big.unwrap_err().kind(), ErrorKind::Full);
        assert!(small.is_ok() && other.is_ok() && held.is_ok());
        assert_eq!(bench.notes(), ["other", "small"]);
        limit(1 << 20).await.unwrap();
        bench.note(&huge).await.unwrap();
        assert_eq!(bench.notes(), ["hhhhhhhhh", "other", "small"]);
    }

    #[tokio::test]
    async fn after_a_failed_fsync_nothing_is_acknowledged_any_more() {
        let bench = bench();
        bench.note("before").await.unwrap();
        let failing = bench.writer.write(|connection| {
            insert(connection, "in doubt")?;
            Err::<(), _>(failure(ffi::SQLITE_IOERR_FSYNC)).while_doing(|| "sync".into())
        });
        assert_eq!(failing.await.unwrap_err().kind(), ErrorKind::Io);
        for _ in 0..2 {
            assert_eq!(bench.note("after").await.unwrap_err().kind(), ErrorKind::Unavailable);
        }
        assert_eq!(bench.notes(), ["before"]);
    }

    #[tokio::test]
    async fn a_format_that_moved_on_is_not_written_to() {
        let bench = bench();
        connect(&bench.file, Access::Write).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert_eq!(bench.note("old").await.unwrap_err().kind(), ErrorKind::Newer);
        assert_eq!(bench.notes(), Vec::<String>::new());
    }
}
