//! What producers and workers of another make do: a thread that reads BullMQ's event streams.
//!
//! Nothing is taken from anybody: reading a stream leaves the markers that BullMQ's workers wait for where they are.
//! An event says only that something happened in a queue; what, the records are compared for (`sweep`).

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gabier_store::queue::{Ms, TaskChange};
use gabier_store::{Error, ErrorKind, Result};
use redis::{Client, Connection, RedisResult, Value};
use tokio::sync::broadcast;

use super::PREFIX;
use super::scripts::Scripts;

/// How long one read waits: the poll that backs what is told.
const BREATH: u64 = 500;
/// Between two reads while much happens.
const GAP: Duration = Duration::from_millis(20);
/// Between two sweeps at least.
const SWEEP: Duration = Duration::from_millis(250);
/// How far a sweep looks back beyond the last one.
const OVERLAP: Ms = 2_000;
/// Between two looks at all that has not ended.
const ROUND: Duration = Duration::from_mins(1);

/// The queue whose producers may be of another make before any task of ours is in it.
const DEFAULT: &str = "async-tasks";

/// The thread that watches.
pub(super) struct Watch {
    shared: Arc<Shared>,
}

struct Shared {
    queues: Mutex<BTreeSet<String>>,
    has_ended: AtomicBool,
    scripts: Arc<Scripts>,
    tasks: broadcast::Sender<TaskChange>,
}

impl Watch {
    /// Starts the thread; it connects by itself.
    pub(super) fn start(
        client: Client,
        scripts: Arc<Scripts>,
        tasks: broadcast::Sender<TaskChange>,
    ) -> Result<Self> {
        let queues = Mutex::new(BTreeSet::from([DEFAULT.to_owned()]));
        let shared = Arc::new(Shared { queues, has_ended: AtomicBool::new(false), scripts, tasks });
        let watching = Arc::clone(&shared);
        thread::Builder::new()
            .name("redis-watch".to_owned())
            .spawn(move || watching.watch(&client))
            .map_err(|source| {
                Error::new(ErrorKind::Io, "start the thread that watches Redis").because(source)
            })?;
        Ok(Self { shared })
    }

    /// Watches a queue, too.
    pub(super) fn know(&self, queue: &str) {
        let mut queues = self.shared.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if !queues.contains(queue) {
            queues.insert(queue.to_owned());
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::Relaxed);
    }
}

/// Where the reading of each queue's events stands.
struct Seen {
    last: BTreeMap<String, String>,
    /// When each was compared with our records, and how many events of others it had then.
    swept: BTreeMap<String, (Ms, String)>,
    unswept: BTreeSet<String>,
    sweep: Instant,
    round: Option<Instant>,
}

impl Shared {
    fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    fn watch(&self, client: &Client) {
        while !self.has_ended() {
            if let Err(error) = self.read(client) {
                tracing::debug!(%error, "the connection that watches the queues was lost");
            }
            if !self.has_ended() {
                thread::sleep(Duration::from_millis(300));
            }
        }
    }

    fn read(&self, client: &Client) -> RedisResult<()> {
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut seen = Seen {
            last: BTreeMap::new(),
            swept: BTreeMap::new(),
            unswept: BTreeSet::new(),
            sweep: Instant::now(),
            round: None,
        };
        while !self.has_ended() {
            self.survey(&mut connection, &mut seen)?;
            for queue in wait(&mut connection, &mut seen)? {
                let _ = self.tasks.send(TaskChange::Work(queue.clone()));
                seen.unswept.insert(queue);
            }
            if seen.sweep.elapsed() >= SWEEP {
                seen.sweep = Instant::now();
                for queue in std::mem::take(&mut seen.unswept) {
                    self.sweep(&mut connection, &queue, &mut seen)?;
                }
            }
        }
        Ok(())
    }

    /// Learns of new queues, and now and then looks at everything that has not ended.
    fn survey(&self, connection: &mut Connection, seen: &mut Seen) -> RedisResult<()> {
        let is_due = seen.round.is_none_or(|round| round.elapsed() >= ROUND);
        let known: BTreeSet<_> = self.queues.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !is_due && known.iter().all(|queue| seen.last.contains_key(queue)) {
            return Ok(());
        }
        let others: BTreeSet<String> =
            redis::cmd("SMEMBERS").arg(format!("{PREFIX}queues")).query(connection)?;
        for queue in known.into_iter().chain(others) {
            let Entry::Vacant(unknown) = seen.last.entry(queue) else { continue };
            let _ = self.tasks.send(TaskChange::Work(unknown.key().clone()));
            let newest = newest(connection, unknown.key())?;
            unknown.insert(newest);
        }
        if is_due {
            seen.round = Some(Instant::now());
            let mut after = "0".to_owned();
            while !after.is_empty() && !self.has_ended() {
                after = self.scripts.sweep_live.arg(after).invoke(connection)?;
            }
        }
        Ok(())
    }

    fn sweep(&self, connection: &mut Connection, queue: &str, seen: &mut Seen) -> RedisResult<()> {
        let (last, others) = match seen.swept.get(queue) {
            Some((last, others)) => (*last, others.as_str()),
            None => (now(connection)?, ""),
        };
        let mut script = self.scripts.sweep.arg(queue);
        let (now, _changed, others): (Ms, u64, String) =
            script.arg(last - OVERLAP).arg(others).invoke(connection)?;
        seen.swept.insert(queue.to_owned(), (now, others));
        Ok(())
    }
}

/// Waits until something happens in a queue; gives in which.
fn wait(connection: &mut Connection, seen: &mut Seen) -> RedisResult<Vec<String>> {
    let queues: Vec<_> = seen.last.keys().cloned().collect();
    let mut read = redis::cmd("XREAD");
    read.arg("COUNT").arg(1).arg("BLOCK").arg(BREATH).arg("STREAMS");
    read.arg(queues.iter().map(|queue| stream(queue)).collect::<Vec<_>>());
    read.arg(seen.last.values().collect::<Vec<_>>());
    if read.query::<Value>(connection)? == Value::Nil {
        return Ok(Vec::new());
    }
    // What happens meanwhile is told together.
    thread::sleep(GAP);
    let mut moved = Vec::new();
    for queue in queues {
        let newest = newest(connection, &queue)?;
        if seen.last.insert(queue.clone(), newest.clone()) != Some(newest) {
            moved.push(queue);
        }
    }
    Ok(moved)
}

fn stream(queue: &str) -> String {
    format!("bull:{queue}:events")
}

fn newest(connection: &mut Connection, queue: &str) -> RedisResult<String> {
    let entries: Vec<(String, Value)> =
        redis::cmd("XREVRANGE").arg(stream(queue)).arg("+").arg("-").arg("COUNT").arg(1).query(connection)?;
    Ok(entries.into_iter().next().map_or_else(|| "0-0".to_owned(), |(id, _)| id))
}

fn now(connection: &mut Connection) -> RedisResult<Ms> {
    let (seconds, micros): (Ms, Ms) = redis::cmd("TIME").query(connection)?;
    Ok(seconds * 1_000 + micros / 1_000)
}
