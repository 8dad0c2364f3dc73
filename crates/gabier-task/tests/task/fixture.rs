//! Processes over one store in memory, on a clock that passes by itself once nobody has anything to do.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use gabier_egress as egress;
use gabier_store::queue::WorkerId;
use gabier_store::{Clock as StoreClock, Memory};
use gabier_task::{Backing, Peers, Role, Settings, Tasks};
use gabier_tool::guard::{AllowAll, Authority, Credential, Origin, Unlimited, Unrecorded};
use gabier_tool::{
    Call, Caller, CallerKind, Catalog, Clock, Context, Dispatch, Effect, Entry, Error, ErrorKind, Guards,
    Level, Mode, Permission, Permissions, Question, Redactor, Reply, Result, Retry, Secret, Surface,
    Timestamp, Tool, ToolDef, Toolset,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// 2026-01-02T03:04:05Z, where every test begins.
pub(crate) const BEGIN: i64 = 1_767_323_045_000;

/// What webhooks are signed with.
pub(crate) const WEBHOOK_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The clock of a runtime whose time is paused.
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.monotonic().as_millis()).unwrap();
        Timestamp::from_timestamp_millis(BEGIN + passed).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Knows everybody who is not revoked.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) is_revoked: AtomicBool,
    /// Which look-up of a task's owner from now on fails for want of the store, from 1; 0 when none does.
    pub(crate) failing: AtomicU32,
}

impl Gate {
    fn check(&self, caller: Caller) -> Result<Caller> {
        if self.is_revoked.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unauthenticated, "the token is revoked"));
        }
        Ok(caller)
    }
}

impl Authority for Gate {
    fn identify<'a>(&'a self, _: Credential<'a>, _: Origin) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller("user:1"))))
    }

    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller.clone())))
    }

    fn restore<'a>(&'a self, subject: &'a str) -> BoxFuture<'a, Result<Caller>> {
        if self.failing.load(Ordering::SeqCst) > 0 && self.failing.fetch_sub(1, Ordering::SeqCst) == 1 {
            return Box::pin(ready(Err(Error::new(ErrorKind::Unavailable, "the store is away"))));
        }
        Box::pin(ready(self.check(caller(subject))))
    }

    fn permits(&self, _: &Caller, _: &Entry) -> bool {
        true
    }

    fn authorise(&self, _: &Caller, _: &Entry, _: &[Permission], _: &Value) -> Result<()> {
        Ok(())
    }
}

pub(crate) fn caller(subject: &str) -> Caller {
    Caller {
        subject: subject.into(),
        name: subject.into(),
        kind: CallerKind::Token,
        permissions: [Permission::Read, Permission::Write].into_iter().collect::<Permissions>(),
        resources: [].into(),
        tools: None,
        profile: None,
        address: None,
        authenticated_at: Timestamp::from_timestamp_millis(BEGIN).unwrap(),
    }
}

/// What the tools of a test did.
#[derive(Default)]
pub(crate) struct World {
    /// When each start took place, in milliseconds since the test began.
    pub(crate) starts: Mutex<Vec<i64>>,
    /// How many starts of `flaky` fail.
    pub(crate) failures: AtomicU32,
    /// How many starts of `work` do not get to their work for want of the store.
    pub(crate) away: AtomicU32,
}

/// Works for a while.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Work {
    /// How long, in milliseconds.
    ms: u64,
    /// Whether it stops with a panic.
    #[serde(default)]
    panics: bool,
    /// Whether it says so where it has begun nothing.
    #[serde(default)]
    tells: bool,
}

/// What work gives.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Worked {
    /// How long it took.
    ms: u64,
}

async fn work(ctx: &Context<World>, ms: u64) -> Worked {
    ctx.services.starts.lock().unwrap().push(ctx.now().timestamp_millis() - BEGIN);
    ctx.progress(1.0, Some(2.0), Some("at work"));
    ctx.log(Level::Info, "begun");
    ctx.clock().sleep(Duration::from_millis(ms)).await;
    Worked { ms }
}

impl Tool<World> for Work {
    const NAME: &'static str = "work";
    const EFFECT: Effect = Effect::Write;
    const MODE: Mode = Mode::Hybrid;
    const LIMIT: Duration = Duration::from_hours(1);
    type Output = Worked;

    async fn run(self, ctx: &Context<World>) -> Result<Worked> {
        assert!(!self.panics, "as it was asked to");
        let away = &ctx.services.away;
        if away.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            let error = Error::new(ErrorKind::Unavailable, "the store is away");
            return Err(if self.tells { error.untouched() } else { error });
        }
        Ok(work(ctx, self.ms).await)
    }
}

/// Works in the background, again if need be.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Flaky {
    /// How long, in milliseconds.
    #[serde(default)]
    ms: u64,
}

impl Tool<World> for Flaky {
    const NAME: &'static str = "flaky";
    const EFFECT: Effect = Effect::Write;
    const MODE: Mode = Mode::Background;
    const LIMIT: Duration = Duration::from_hours(1);
    const RETRY: Retry = Retry::Safe { attempts: 3, base: Duration::from_secs(5), jitter: 0 };
    type Output = Worked;

    async fn run(self, ctx: &Context<World>) -> Result<Worked> {
        let worked = work(ctx, self.ms).await;
        let failures = &ctx.services.failures;
        if failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            return Err(Error::new(ErrorKind::ConnectionFailed, "reaching the peer failed"));
        }
        Ok(worked)
    }
}

/// Logs in somewhere.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Login {
    /// With what.
    password: Secret,
}

/// How a login went.
#[derive(Serialize, JsonSchema)]
pub(crate) struct LoggedIn {
    /// How long the password was.
    length: usize,
}

impl Tool<World> for Login {
    const NAME: &'static str = "login";
    const EFFECT: Effect = Effect::Write;
    const MODE: Mode = Mode::Hybrid;
    type Output = LoggedIn;

    async fn run(self, _: &Context<World>) -> Result<LoggedIn> {
        Ok(LoggedIn { length: self.password.expose().len() })
    }
}

/// Asks before it works.
#[derive(Deserialize, JsonSchema)]
pub(crate) struct Careful {}

impl Tool<World> for Careful {
    const NAME: &'static str = "careful";
    const EFFECT: Effect = Effect::Write;
    const MODE: Mode = Mode::Background;
    type Output = Worked;

    async fn run(self, ctx: &Context<World>) -> Result<Worked> {
        let question = Question { key: "go".to_owned(), text: "Go on?".to_owned(), schema: json!({}) };
        ctx.ask(&question).await?;
        Ok(work(ctx, 1).await)
    }
}

const TOOLS: &[ToolDef<World>] =
    &[ToolDef::of::<Work>(), ToolDef::of::<Flaky>(), ToolDef::of::<Login>(), ToolDef::of::<Careful>()];

/// Whether there are other workers, as a test says.
struct Told(Arc<AtomicBool>);

impl Peers for Told {
    fn has_worker(&self) -> gabier_store::Result<bool> {
        Ok(self.0.load(Ordering::SeqCst))
    }
}

/// A machine: its store, its clock and what its tools do.
pub(crate) struct Machine {
    pub(crate) memory: Memory,
    pub(crate) world: Arc<World>,
    pub(crate) gate: Arc<Gate>,
    clock: Arc<dyn Clock>,
}

/// A process of that machine.
pub(crate) struct Process {
    pub(crate) tasks: Tasks,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) shutdown: CancellationToken,
    /// Whether it sees another worker.
    pub(crate) sees_worker: Arc<AtomicBool>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let begin = Instant::now();
        let read = move || BEGIN + i64::try_from(begin.elapsed().as_millis()).unwrap();
        Self {
            memory: Memory::with_clock(StoreClock::by(read)),
            world: Arc::default(),
            gate: Arc::default(),
            clock: Arc::new(RuntimeClock(begin)),
        }
    }

    /// When each start took place.
    pub(crate) fn starts(&self) -> Vec<i64> {
        self.world.starts.lock().unwrap().clone()
    }

    /// A process that runs no tasks of others yet.
    pub(crate) fn process(&self, name: &str, role: Role) -> Process {
        self.process_with(name, role, TOOLS)
    }

    pub(crate) fn process_with(&self, name: &str, role: Role, tools: &'static [ToolDef<World>]) -> Process {
        let sees_worker = Arc::new(AtomicBool::new(false));
        let backing = Backing {
            queue: Arc::new(self.memory.clone()),
            records: Arc::new(self.memory.clone()),
            peers: Arc::new(Told(Arc::clone(&sees_worker))),
            worker: WorkerId(name.to_owned()),
        };
        let mut settings = Settings::default();
        settings.webhooks.secret = Some(Secret::from(WEBHOOK_SECRET.to_owned()));
        let loopback = egress::Allow {
            cidr: "127.0.0.0/8".parse().unwrap(),
            port: None,
            tool: Some("webhook".to_owned()),
        };
        let way_out = egress::Egress::new(egress::Settings { allow: vec![loopback], metadata: false });
        let clock = Arc::clone(&self.clock);
        let tasks = Tasks::new(settings, role, clock, Some(Arc::new(way_out)), move || Ok(backing.clone()));
        let mut catalog = Catalog::new();
        catalog.bind(Toolset { name: "test", tools }, &self.world);
        let guards = Guards {
            authority: Arc::clone(&self.gate) as _,
            policy: Arc::new(AllowAll),
            rate: Arc::new(Unlimited),
            submission: Arc::new(tasks.clone()),
            audit: Arc::new(Unrecorded),
            redactor: Arc::new(Redactor::new()),
            clock: Arc::clone(&self.clock),
        };
        let dispatch = Arc::new(Dispatch::new(Arc::new(catalog), guards));
        tasks.join(&dispatch);
        Process { tasks, dispatch, shutdown: CancellationToken::new(), sees_worker }
    }

    /// A process whose worker runs.
    pub(crate) fn worker(&self, name: &str) -> Process {
        let process = self.process(name, Role::Worker);
        process.start();
        process
    }
}

impl Process {
    pub(crate) fn start(&self) {
        let (tasks, shutdown) = (self.tasks.clone(), self.shutdown.clone());
        tokio::spawn(async move { tasks.work(shutdown).await });
    }

    /// A call of `user:1` through REST.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Reply {
        self.dispatch.call(request(tool, arguments)).await
    }

    /// The same, as the JSON of its envelope.
    pub(crate) async fn ask(&self, tool: &str, arguments: Value) -> Value {
        self.call(tool, arguments).await.envelope.to_value()
    }

    /// The id of the task that the call gave.
    pub(crate) async fn hand_over(&self, tool: &str, arguments: Value) -> String {
        let answer = self.ask(tool, arguments).await;
        answer["data"]["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// The state of a task.
    pub(crate) async fn status(&self, id: &str) -> String {
        self.tasks.status(&caller("user:1"), id).await.unwrap().status
    }

    /// The task at its end, or after so many seconds.
    pub(crate) async fn end(&self, id: &str, seconds: u64) -> gabier_task::ShownTask {
        let silent = gabier_tool::Silent;
        let limit = Duration::from_secs(seconds);
        let cancel = CancellationToken::new();
        self.tasks.wait(&caller("user:1"), id, limit, None, &silent, &cancel).await.unwrap()
    }
}

pub(crate) fn request(tool: &str, arguments: Value) -> Call {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    Call::new(tool, arguments, caller("user:1"), Surface::Rest)
}
