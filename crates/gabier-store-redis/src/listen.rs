//! How this process learns what others did: a thread that listens to what scripts publish.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gabier_store::queue::{TaskChange, TaskId};
use gabier_store::{Error, ErrorKind, Result};
use redis::{Client, RedisResult};
use tokio::sync::{broadcast, watch};

use crate::generation::KEY;
use crate::records::PREFIX;

/// How long the thread sleeps in a read before it looks whether anybody still listens.
const BREATH: Duration = Duration::from_millis(500);
/// How long it waits before it connects again.
const PAUSE: Duration = Duration::from_millis(300);

/// The channel of tasks.
const TASKS: &str = "gabier:{q}:changes";

/// What is heard, for all who ask.
pub(crate) struct Listener {
    heard: Arc<Heard>,
}

struct Heard {
    generation: watch::Sender<u64>,
    tasks: broadcast::Sender<TaskChange>,
    has_ended: AtomicBool,
}

impl Listener {
    /// Starts the thread; it connects by itself.
    pub(crate) fn start(client: Client) -> Result<Self> {
        let heard = Arc::new(Heard {
            generation: watch::Sender::new(0),
            tasks: broadcast::Sender::new(4_096),
            has_ended: AtomicBool::new(false),
        });
        let listening = Arc::clone(&heard);
        thread::Builder::new()
            .name("redis-listen".to_owned())
            .spawn(move || listening.listen(&client))
            .map_err(|source| {
                Error::new(ErrorKind::Io, "start the thread that listens to Redis").because(source)
            })?;
        Ok(Self { heard })
    }

    /// The generation as it moves.
    pub(crate) fn generation(&self) -> watch::Receiver<u64> {
        self.heard.generation.subscribe()
    }

    /// What became of tasks.
    pub(crate) fn tasks(&self) -> broadcast::Receiver<TaskChange> {
        self.heard.tasks.subscribe()
    }

    /// What tells all who listen for tasks.
    pub(crate) fn teller(&self) -> broadcast::Sender<TaskChange> {
        self.heard.tasks.clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.heard.has_ended.store(true, Ordering::Relaxed);
    }
}

impl Heard {
    fn listen(&self, client: &Client) {
        while !self.has_ended.load(Ordering::Relaxed) {
            if let Err(error) = self.hear(client) {
                tracing::debug!(%error, "the connection that listens to Redis was lost");
            }
            if !self.has_ended.load(Ordering::Relaxed) {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Listens until the connection is lost or nobody is there.
    fn hear(&self, client: &Client) -> RedisResult<()> {
        let mut asking = client.get_connection_with_timeout(Duration::from_secs(2))?;
        let mut listening = client.get_connection_with_timeout(Duration::from_secs(2))?;
        let mut channels = listening.as_pubsub();
        channels.subscribe(&[format!("{PREFIX}changes"), TASKS.to_owned()])?;
        channels.set_read_timeout(Some(BREATH))?;
        // What was published while nobody listened is not heard any more: everything may be different.
        let generation: Option<u64> = redis::cmd("GET").arg(KEY).query(&mut asking)?;
        drop(asking);
        self.moved(generation.unwrap_or(0));
        let _ = self.tasks.send(TaskChange::Anything);
        while !self.has_ended.load(Ordering::Relaxed) {
            match channels.get_message() {
                Ok(message) if message.get_channel_name() == TASKS => {
                    self.told(&message.get_payload::<String>()?);
                }
                Ok(message) => self.moved(message.get_payload::<u64>()?),
                Err(error) if error.is_timeout() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn moved(&self, generation: u64) {
        self.generation.send_if_modified(|known| std::mem::replace(known, generation) != generation);
    }

    /// What one call changed, each change between zero bytes: `t` and a task, `w` and a queue, or `a` for anything.
    fn told(&self, text: &str) {
        for change in text.split('\0') {
            let change = match change.split_at_checked(1) {
                Some(("t", id)) => TaskChange::Task(TaskId::new(id)),
                Some(("w", queue)) => TaskChange::Work(queue.to_owned()),
                _ => TaskChange::Anything,
            };
            let _ = self.tasks.send(change);
        }
    }
}
