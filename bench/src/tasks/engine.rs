//! Our engine as a server holds it: calls of a tool through a dispatch become tasks, workers in the same process run
//! them. The tool does nothing and may start once, which is the stronger of the two promises.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use gabier_store::queue::{Filter, State};
use gabier_store::{Openers, Opening, Store};
use gabier_task::{Backing, Role, Settings, Tasks};
use gabier_tool::{
    Call, Catalog, Context, Dispatch, Effect, Mode, Result as ToolResult, Surface, Tool, ToolDef, Toolset,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::judge::{MachineClock, caller, guards};
use super::phases::Lane;
use crate::process::own_cpu;

/// The store of a URL.
pub(super) fn open(url: &str) -> Result<Store> {
    let openers = Openers::default().with("redis", gabier_store_redis::open);
    Ok(openers.open(url, &Opening::role("serve"))?)
}

/// What the tool left behind.
#[derive(Default)]
struct World {
    ran: AtomicU32,
    last: Mutex<Option<Instant>>,
    started: Notify,
}

/// Does nothing.
#[derive(Deserialize, JsonSchema)]
struct Noop {
    /// Which it is.
    number: u32,
    /// Makes it as long as a usual task.
    text: String,
}

/// That nothing was done.
#[derive(Serialize, JsonSchema)]
struct Nothing {
    /// That it is done.
    ok: bool,
}

impl Tool<World> for Noop {
    const NAME: &'static str = "noop";
    const EFFECT: Effect = Effect::Write;
    const MODE: Mode = Mode::Background;
    type Output = Nothing;

    async fn run(self, ctx: &Context<World>) -> ToolResult<Nothing> {
        let world = &ctx.services;
        *world.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(Instant::now());
        world.ran.fetch_add(1, Ordering::SeqCst);
        world.started.notify_one();
        Ok(Nothing { ok: self.number < u32::MAX || self.text.is_empty() })
    }
}

const TOOLS: &[ToolDef<World>] = &[ToolDef::of::<Noop>()];

/// The engine on one store.
pub(super) struct Engine {
    store: Store,
    world: Arc<World>,
    next: AtomicU32,
}

/// A process of it.
struct Running {
    dispatch: Arc<Dispatch>,
    tasks: Tasks,
    shutdown: CancellationToken,
    work: Option<JoinHandle<()>>,
}

impl Engine {
    pub(super) fn new(store: Store) -> Self {
        Self { store, world: Arc::default(), next: AtomicU32::new(0) }
    }

    fn process(&self, slots: u32) -> Running {
        let settings = Settings { concurrency: slots, max_queue: 0, ..Settings::default() };
        let Store { queue, records, presence, .. } = self.store.clone();
        let backing = Backing::new(queue, records, presence);
        let clock = Arc::new(MachineClock(Instant::now()));
        let tasks = Tasks::new(settings, Role::Worker, clock, None, move || Ok(backing.clone()));
        let mut catalog = Catalog::new();
        catalog.bind(Toolset { name: "bench", tools: TOOLS }, &self.world);
        let dispatch = Arc::new(Dispatch::new(Arc::new(catalog), guards(Arc::new(tasks.clone()))));
        tasks.join(&dispatch);
        Running { dispatch, tasks, shutdown: CancellationToken::new(), work: None }
    }

    async fn add_all(&self, process: &Running, number: u32, at_once: u32) -> Result<()> {
        let calls = stream::iter(0..number).map(|_| self.add_one(process));
        calls.buffer_unordered(at_once as usize).try_collect::<()>().await
    }

    async fn add_one(&self, process: &Running) -> Result<()> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Value::Object(arguments) = json!({"number": number, "text": "x".repeat(150)}) else {
            unreachable!("it is an object")
        };
        let reply = process.dispatch.call(Call::new("noop", arguments, caller(), Surface::Rest)).await;
        ensure!(!reply.envelope.is_error(), "adding: {}", reply.envelope.to_value());
        Ok(())
    }

    /// Waits until the store knows of all tasks how they ended.
    async fn end_of_all(&self) -> Result<()> {
        while self.world.ran.load(Ordering::SeqCst) < self.next.load(Ordering::Relaxed) {
            sleep(Duration::from_micros(200)).await;
        }
        let open = Filter { states: vec![State::Pending, State::Running], ..Filter::default() };
        while !self.store.queue.list(open.clone(), None, 1).await?.items.is_empty() {
            sleep(Duration::from_micros(200)).await;
        }
        Ok(())
    }
}

impl Running {
    fn start(&mut self) {
        let (tasks, shutdown) = (self.tasks.clone(), self.shutdown.clone());
        self.work = Some(tokio::spawn(async move { tasks.work(shutdown).await }));
    }

    async fn stop(self) -> Result<()> {
        self.shutdown.cancel();
        if let Some(work) = self.work {
            work.await?;
        }
        Ok(())
    }
}

fn rate(number: u32, begin: Instant) -> f64 {
    f64::from(number) / begin.elapsed().as_secs_f64()
}

impl Lane for Engine {
    async fn add(&mut self, number: u32, at_once: u32) -> Result<f64> {
        let process = self.process(1);
        let begin = Instant::now();
        self.add_all(&process, number, at_once).await?;
        Ok(rate(number, begin))
    }

    async fn drain(&mut self, number: u32, slots: u32) -> Result<f64> {
        let mut process = self.process(slots);
        let begin = Instant::now();
        process.start();
        self.end_of_all().await?;
        let rate = rate(number, begin);
        process.stop().await?;
        Ok(rate)
    }

    async fn flow(&mut self, number: u32, at_once: u32, slots: u32) -> Result<f64> {
        let mut process = self.process(slots);
        process.start();
        let begin = Instant::now();
        self.add_all(&process, number, at_once).await?;
        self.end_of_all().await?;
        let rate = rate(number, begin);
        process.stop().await?;
        Ok(rate)
    }

    async fn latencies(&mut self, number: u32) -> Result<Vec<Duration>> {
        let mut process = self.process(1);
        process.start();
        // What earlier phases left.
        let _ = self.world.started.notified().now_or_never();
        let mut found = Vec::new();
        for _ in 0..number {
            let begin = Instant::now();
            let (added, ()) = tokio::join!(self.add_one(&process), self.world.started.notified());
            added?;
            let last = *self.world.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            found.push(last.context("a start")?.saturating_duration_since(begin));
            sleep(Duration::from_millis(2)).await;
        }
        process.stop().await?;
        Ok(found)
    }

    fn cpu(&self) -> Result<Duration> {
        own_cpu()
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
