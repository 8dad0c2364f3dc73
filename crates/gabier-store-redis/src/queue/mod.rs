//! Tasks on Redis in BullMQ's format, with a record of ours beside each job.
//!
//! The keys of ours start with `gabier:{q}:`; `t:<id>` is the record of a task. A job's id is its task's id, its name
//! the tool, its data `{toolName, params, taskId, cbUrl, auth}`. Priority 0 of ours is BullMQ's 1, so jobs without a
//! priority, which producers of another make add, go before all. A task that waits for people or for a limit lies in
//! BullMQ's `waiting-children`, the nearest state that nobody claims from.

mod adding;
mod asking;
mod listing;
mod record;
mod scripts;
mod steps;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gabier_store::Result;
use gabier_store::queue::{Ms, TaskChange};
use redis::Client;
use tokio::sync::broadcast;

use crate::link::Link;
use crate::listen::Listener;
use adding::Adding;
use scripts::Scripts;
use watch::Watch;

/// The prefix of every key of the queue that is ours.
pub(crate) const PREFIX: &str = "gabier:{q}:";

/// Tasks on a Redis server. Each is durable as far as the server's `appendfsync` makes it so before it answers.
pub struct Queue {
    link: Arc<Link>,
    adding: Arc<Adding>,
    scripts: Arc<Scripts>,
    listener: Arc<Listener>,
    watch: Watch,
    /// The server's clock at a moment of ours.
    clock: Mutex<Option<(Instant, Ms)>>,
}

impl Queue {
    pub(crate) fn new(client: &Client, listener: Arc<Listener>) -> Result<Self> {
        let scripts = Arc::new(Scripts::new());
        let watch = Watch::start(client.clone(), Arc::clone(&scripts), listener.teller())?;
        let link = Arc::new(Link::new(client.clone()));
        let adding = Arc::new(Adding::new(Arc::clone(&link), Arc::clone(&scripts)));
        Ok(Self { link, adding, scripts, listener, watch, clock: Mutex::default() })
    }

    /// The tasks behind a URL, by themselves.
    ///
    /// Fails as [`crate::open`] does.
    pub fn at(url: &str) -> Result<Self> {
        let client = crate::address::Address::parse(url)?.client;
        let listener = Arc::new(Listener::start(client.clone())?);
        Self::new(&client, listener)
    }

    fn changes(&self) -> broadcast::Receiver<TaskChange> {
        self.listener.tasks()
    }

    /// The server's clock, as far as it is known here.
    fn guessed(&self) -> Option<Ms> {
        let clock = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.map(|(then, time)| time + Ms::try_from(then.elapsed().as_millis()).unwrap_or(0))
    }

    fn set_clock(&self, time: Ms) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), time));
    }

    async fn time(&self) -> Result<Ms> {
        let mut asked = redis::pipe();
        asked.cmd("TIME");
        let ((seconds, micros),): ((Ms, Ms),) = self.link.ask("ask for the time", &asked).await?;
        let time = seconds * 1_000 + micros / 1_000;
        self.set_clock(time);
        Ok(time)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given numbers and borrowed text alike")]
fn bytes(text: impl ToString) -> Vec<u8> {
    text.to_string().into_bytes()
}
