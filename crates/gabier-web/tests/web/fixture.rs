//! A server with a few tools, and what its engines say.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, ready};
use gabier_tool::guard::{
    AllowAll, Audit, Authority, Credential, Ended, Inline, Intent, Origin, Records, Unlimited,
};
use gabier_tool::{
    Caller, CallerKind, Catalog, Clock, Context, Dispatch, Effect, Entry, Error, ErrorKind, Guards, Health,
    Level, Outcome, PartState, Permission, Permissions, Redactor, Result, Secret, Status, Timestamp, Tool,
    ToolDef, Toolset,
};
use gabier_web::{Metrics, ShortRoute, Web, WebOptions};
use http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::client::{Answer, Connection};

pub(crate) const TOKEN: &str = "Authorization: Bearer good";
pub(crate) const JSON: &str = "Content-Type: application/json";

/// What the tools reach, and the tests look at.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) ran: AtomicUsize,
    pub(crate) waiting: Notify,
    pub(crate) ended: Mutex<Vec<(String, &'static str)>>,
    pub(crate) recorded: Notify,
    pub(crate) revoked: AtomicBool,
    pub(crate) unready: AtomicBool,
}

/// Says what it is told.
#[derive(Deserialize, JsonSchema)]
struct Echo {
    /// What to say.
    #[schemars(length(min = 1, max = 100), extend("x-aliases" = ["text"], "examples" = ["hello"]))]
    words: String,
    /// How often.
    #[schemars(range(min = 1, max = 20))]
    how_often: Option<u8>,
    /// Whether loudly.
    #[serde(default)]
    loud: bool,
}

/// What was said.
#[derive(Serialize, JsonSchema)]
struct Said {
    /// Every time it was said.
    said: Vec<Line>,
}

/// One time.
#[derive(Serialize, JsonSchema)]
struct Line {
    /// The words.
    words: String,
}

impl Tool<World> for Echo {
    const NAME: &'static str = "echo";
    const EFFECT: Effect = Effect::Read;
    const ALIASES: &'static [&'static str] = &["say"];
    type Output = Said;

    async fn run(self, ctx: &Context<World>) -> Result<Said> {
        ctx.services.ran.fetch_add(1, Ordering::SeqCst);
        let words = if self.loud { self.words.to_uppercase() } else { self.words };
        let said = (0..self.how_often.unwrap_or(1)).map(|_| Line { words: words.clone() }).collect();
        Ok(Said { said })
    }
}

/// Keeps something.
#[derive(Deserialize, JsonSchema)]
struct Keep {
    /// Its name.
    name: String,
}

/// What is kept.
#[derive(Serialize, JsonSchema)]
struct Kept {
    /// Its name.
    name: String,
}

impl Tool<World> for Keep {
    const NAME: &'static str = "thing_keep";
    const EFFECT: Effect = Effect::Write;
    type Output = Kept;

    async fn run(self, ctx: &Context<World>) -> Result<Kept> {
        ctx.services.ran.fetch_add(1, Ordering::SeqCst);
        Ok(Kept { name: self.name })
    }

    fn outcome(_: &Kept) -> Outcome {
        Outcome::of(Status::Created)
    }
}

/// Sends packets.
#[derive(Deserialize, JsonSchema)]
struct Send {}

/// Nothing to say.
#[derive(Serialize, JsonSchema)]
struct Nothing {}

impl Tool<World> for Send {
    const NAME: &'static str = "packet_send";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Net;
    type Output = Nothing;

    async fn run(self, _: &Context<World>) -> Result<Nothing> {
        Ok(Nothing {})
    }
}

/// Opens with a secret.
#[derive(Deserialize, JsonSchema)]
struct Open {
    /// The secret.
    #[serde(rename = "key")]
    _key: Secret,
}

impl Tool<World> for Open {
    const NAME: &'static str = "door_open";
    const EFFECT: Effect = Effect::Read;
    type Output = Nothing;

    async fn run(self, _: &Context<World>) -> Result<Nothing> {
        Ok(Nothing {})
    }
}

/// Waits until it is cancelled, and says so on the way.
#[derive(Deserialize, JsonSchema)]
struct Wait {}

impl Tool<World> for Wait {
    const NAME: &'static str = "wait";
    const EFFECT: Effect = Effect::Read;
    const LIMIT: Duration = Duration::from_mins(1);
    type Output = Nothing;

    async fn run(self, ctx: &Context<World>) -> Result<Nothing> {
        ctx.services.waiting.notify_one();
        ctx.cancelled().cancelled().await;
        Ok(Nothing {})
    }
}

/// Works in steps.
#[derive(Deserialize, JsonSchema)]
struct Work {}

impl Tool<World> for Work {
    const NAME: &'static str = "work";
    const EFFECT: Effect = Effect::Read;
    type Output = Nothing;

    async fn run(self, ctx: &Context<World>) -> Result<Nothing> {
        ctx.progress(1.0, Some(2.0), Some("half"));
        ctx.log(Level::Info, "a line");
        Ok(Nothing {})
    }
}

/// Fails as told.
#[derive(Deserialize, JsonSchema)]
struct Fail {
    /// The code to fail with.
    code: String,
}

impl Tool<World> for Fail {
    const NAME: &'static str = "fail";
    const EFFECT: Effect = Effect::Read;
    type Output = Nothing;

    async fn run(self, _: &Context<World>) -> Result<Nothing> {
        let kind = ErrorKind::of_code(&self.code).unwrap_or(ErrorKind::Internal);
        Err(Error::new(kind, "failing as told").with("retry_after_ms", 2500))
    }
}

/// Is there for everybody.
#[derive(Deserialize, JsonSchema)]
struct Greet {}

impl Tool<World> for Greet {
    const NAME: &'static str = "greet";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Public;
    type Output = Nothing;

    async fn run(self, _: &Context<World>) -> Result<Nothing> {
        Ok(Nothing {})
    }
}

pub(crate) const TOOLS: Toolset<World> = Toolset {
    name: "demo",
    tools: &[
        ToolDef::of::<Echo>(),
        ToolDef::of::<Keep>(),
        ToolDef::of::<Send>(),
        ToolDef::of::<Open>(),
        ToolDef::of::<Wait>(),
        ToolDef::of::<Work>(),
        ToolDef::of::<Fail>(),
        ToolDef::of::<Greet>(),
    ],
};

/// Knows one token, `good`, or none at all.
struct Keys {
    needs_token: bool,
    world: Arc<World>,
}

impl Keys {
    fn caller(kind: CallerKind, permissions: Permissions) -> Caller {
        Caller {
            subject: "test".into(),
            name: "test".into(),
            kind,
            permissions,
            resources: Arc::new([]),
            tools: None,
            profile: None,
            address: None,
            authenticated_at: Timestamp::default(),
        }
    }
}

impl Authority for Keys {
    fn identify<'a>(&'a self, credential: Credential<'a>, _: Origin) -> BoxFuture<'a, Result<Caller>> {
        let is_revoked = self.world.revoked.load(Ordering::SeqCst);
        let rights = Permissions::ALL;
        let found = match credential {
            Credential::Bearer("good") if self.needs_token && !is_revoked => {
                Ok(Self::caller(CallerKind::Token, rights))
            }
            Credential::Bearer("guess") => {
                Err(Error::new(ErrorKind::RateLimited, "guessing").with("retry_after_ms", 61_000))
            }
            Credential::None if self.needs_token => {
                Ok(Self::caller(CallerKind::Anonymous, Permissions::NONE))
            }
            Credential::None => Ok(Self::caller(CallerKind::Anonymous, rights)),
            _ => Err(Error::new(ErrorKind::Unauthenticated, "the token is not valid")),
        };
        Box::pin(ready(found))
    }

    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>> {
        let is_revoked = caller.kind == CallerKind::Token && self.world.revoked.load(Ordering::SeqCst);
        let found = if is_revoked {
            Err(Error::new(ErrorKind::Unauthenticated, "the token was revoked"))
        } else {
            Ok(caller.clone())
        };
        Box::pin(ready(found))
    }

    fn permits(&self, caller: &Caller, entry: &Entry) -> bool {
        caller.permissions.has_any(entry.facts.needs)
    }

    fn authorise(&self, caller: &Caller, _: &Entry, needs: &[Permission], _: &Value) -> Result<()> {
        if caller.permissions.has_any(needs) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unauthenticated, "this needs a token"))
    }
}

struct Real(Instant);

impl Clock for Real {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_millis(1_700_000_000_000).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

struct Ledger(Arc<World>);

impl Audit for Ledger {
    fn intent<'a>(&'a self, _: &'a Intent<'a>) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn outcome(&self, call: &Intent<'_>, ended: &Ended) {
        self.0.ended.lock().unwrap().push((call.tool.to_owned(), ended.outcome));
        self.0.recorded.notify_one();
    }
}

struct Parts(Arc<World>);

impl Health for Parts {
    fn states(&self) -> BoxFuture<'_, Vec<PartState>> {
        let ready = !self.0.unready.load(Ordering::SeqCst);
        let part = |name: &str, ready| PartState { name: name.to_owned(), ready, message: String::new() };
        Box::pin(std::future::ready(vec![part("store", ready), part("http", true)]))
    }
}

pub(crate) fn catalog(world: &Arc<World>) -> Arc<Catalog> {
    let mut catalog = Catalog::new();
    catalog.bind(TOOLS, world);
    Arc::new(catalog)
}

/// Options on a free loopback port, with a short route of each kind.
pub(crate) fn options() -> WebOptions {
    let short = |method, path: &str| ShortRoute { method, path: path.to_owned(), tool: "echo".to_owned() };
    WebOptions {
        service: "demo".to_owned(),
        version: "1.2.3".to_owned(),
        bind: "127.0.0.1:0".parse().unwrap(),
        short_routes: vec![short(Method::GET, "/tools/echo"), short(Method::POST, "/tools/say")],
        ..WebOptions::default()
    }
}

pub(crate) fn web(options: WebOptions, world: &Arc<World>, needs_token: bool) -> Web {
    try_web(options, world, needs_token).unwrap()
}

/// The same, when the options may be refused.
pub(crate) fn try_web(options: WebOptions, world: &Arc<World>, needs_token: bool) -> Result<Web> {
    let metrics = Metrics::new(&options.service, &options.version);
    let guards = Guards {
        authority: Arc::new(Keys { needs_token, world: Arc::clone(world) }),
        policy: Arc::new(AllowAll),
        rate: metrics.counting(Arc::new(Unlimited)),
        submission: Arc::new(Inline),
        audit: Arc::new(Records(vec![Arc::clone(&metrics) as _, Arc::new(Ledger(Arc::clone(world)))])),
        redactor: Arc::new(Redactor::new()),
        clock: Arc::new(Real(Instant::now())),
    };
    let dispatch = Arc::new(Dispatch::new(catalog(world), guards));
    Web::new(options, dispatch, Arc::new(Parts(Arc::clone(world))), metrics)
}

/// A running server. It stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) world: Arc<World>,
    pub(crate) stop: CancellationToken,
    pub(crate) task: Option<tokio::task::JoinHandle<Result<()>>>,
}

impl Server {
    /// With the default options, and without any token.
    pub(crate) async fn open() -> Self {
        Self::start(options(), false).await
    }

    /// With the default options, and one token.
    pub(crate) async fn guarded() -> Self {
        Self::start(options(), true).await
    }

    pub(crate) async fn start(options: WebOptions, needs_token: bool) -> Self {
        let world = Arc::new(World::default());
        let web = web(options, &world, needs_token);
        Self::serve(web, world).await
    }

    pub(crate) async fn serve(web: Web, world: Arc<World>) -> Self {
        let bound = web.bind().await.unwrap();
        let address = bound.local_addr();
        let stop = CancellationToken::new();
        let task = Some(tokio::spawn(bound.serve(stop.clone())));
        Self { address, world, stop, task }
    }

    /// One request on its own connection.
    pub(crate) async fn send(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        Connection::open(self.address).await.send(line, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], "").await
    }

    /// A call with a JSON body.
    pub(crate) async fn call(&self, tool: &str, body: &str) -> Answer {
        self.send(&format!("POST /api/v1/tools/{tool}"), &[JSON], body).await
    }

    pub(crate) fn runs(&self) -> usize {
        self.world.ran.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
