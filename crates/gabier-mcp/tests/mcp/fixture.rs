//! A small list of tools behind the face, and clients that send what they are told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::body::Body;
use futures::future::{BoxFuture, pending, ready};
use gabier_mcp::{Mcp, McpOptions};
use gabier_tool::guard::{AllowAll, Authority, Credential, Inline, Origin, Unlimited, Unrecorded};
use gabier_tool::{
    Answer, Caller, CallerKind, Catalog, Clock, Context, Dispatch, Effect, Entry, Error, ErrorKind, Guards,
    Level, Permission, Permissions, Profile, Question, Redactor, Resource, Result, Timestamp, Tool, ToolDef,
    Toolset,
};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Time as it passes; the wall clock stands still.
struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_millis(1_767_323_045_678).unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Lets everybody do what their permissions say, until all are revoked.
#[derive(Default)]
struct Gate {
    revoked: Arc<AtomicBool>,
}

impl Authority for Gate {
    fn identify<'a>(&'a self, _: Credential<'a>, _: Origin) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller("alice"))))
    }

    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>> {
        let refused = || Error::new(ErrorKind::Unauthenticated, "the token is revoked");
        Box::pin(ready(if self.revoked.load(Ordering::SeqCst) { Err(refused()) } else { Ok(caller.clone()) }))
    }

    fn permits(&self, caller: &Caller, entry: &Entry) -> bool {
        caller.permissions.has_any(entry.facts.needs)
    }

    fn authorise(&self, caller: &Caller, _: &Entry, needs: &[Permission], _: &Value) -> Result<()> {
        if caller.permissions.has_any(needs) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Forbidden, "calling the tool needs a right that the token lacks"))
    }
}

pub(crate) fn caller(name: &str) -> Caller {
    Caller {
        subject: name.into(),
        name: name.into(),
        kind: CallerKind::Token,
        permissions: Permissions::ALL,
        resources: [Resource::All].into(),
        tools: None,
        profile: None,
        address: None,
        authenticated_at: Timestamp::default(),
    }
}

pub(crate) fn stranger() -> Caller {
    Caller { kind: CallerKind::Anonymous, permissions: Permissions::NONE, ..caller("anonymous") }
}

/// What the tools reach: how many slow calls run and how many were cancelled.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) started: AtomicUsize,
    pub(crate) ended: AtomicUsize,
}

/// Say something back.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("x-annotations" = {"streamingHint": true}))]
struct Echo {
    /// What to say.
    #[schemars(length(min = 1, max = 20_000))]
    text: String,
    /// How often.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 5))]
    times: u32,
}

fn once() -> u32 {
    1
}

/// What was said.
#[derive(Debug, Serialize, JsonSchema)]
struct Said {
    /// The words.
    said: String,
    /// The words in another language.
    translated: Option<String>,
}

impl Tool<World> for Echo {
    const NAME: &'static str = "echo";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const TITLE: &'static str = "Echo";
    type Output = Said;

    async fn run(self, _: &Context<World>) -> Result<Said> {
        Ok(Said { said: self.text.repeat(self.times as usize), translated: None })
    }
}

/// Wait until nobody waits any longer.
#[derive(Debug, Deserialize, JsonSchema)]
struct Wait {}

impl Tool<World> for Wait {
    const NAME: &'static str = "wait";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    type Output = Said;

    async fn run(self, ctx: &Context<World>) -> Result<Said> {
        struct Ended<'a>(&'a AtomicUsize);
        impl Drop for Ended<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        ctx.services.started.fetch_add(1, Ordering::SeqCst);
        let _ended = Ended(&ctx.services.ended);
        pending().await
    }
}

/// Speak while working.
#[derive(Debug, Deserialize, JsonSchema)]
struct Speak {}

impl Tool<World> for Speak {
    const NAME: &'static str = "speak";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    type Output = Said;

    async fn run(self, ctx: &Context<World>) -> Result<Said> {
        ctx.progress(1.0, Some(2.0), Some("half"));
        ctx.log(Level::Warn, "careful");
        ctx.stream(&json!({"type": "text", "text": "piece"}));
        ctx.progress(2.0, Some(2.0), None);
        Ok(Said { said: "spoken".to_owned(), translated: None })
    }
}

/// Remove a thing, after asking.
#[derive(Debug, Deserialize, JsonSchema)]
struct Remove {
    /// The thing.
    name: String,
}

/// What was removed.
#[derive(Debug, Serialize, JsonSchema)]
struct Removed {
    /// The thing.
    name: String,
}

impl Tool<World> for Remove {
    const NAME: &'static str = "remove";
    const EFFECT: Effect = Effect::Destroy;
    type Output = Removed;

    async fn run(self, ctx: &Context<World>) -> Result<Removed> {
        let question = Question {
            key: "sure".to_owned(),
            text: format!("Remove {}?", self.name),
            schema: json!({
                "type": "object", "properties": {"yes": {"type": "boolean"}}, "required": ["yes"],
            }),
        };
        match ctx.ask(&question).await? {
            Answer::Accepted(content) if content["yes"] == true => Ok(Removed { name: self.name }),
            _ => Err(Error::new(ErrorKind::Cancelled, "removing was not wanted")),
        }
    }
}

const TOOLS: Toolset<World> = Toolset {
    name: "demo",
    tools: &[ToolDef::of::<Echo>(), ToolDef::of::<Wait>(), ToolDef::of::<Speak>(), ToolDef::of::<Remove>()],
};

/// The face over the list, and the world of its tools.
pub(crate) struct Bench {
    pub(crate) mcp: Mcp,
    pub(crate) world: Arc<World>,
    pub(crate) router: axum::Router,
    pub(crate) shutdown: CancellationToken,
    pub(crate) revoked: Arc<AtomicBool>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(McpOptions::default())
    }

    pub(crate) fn with(options: McpOptions) -> Self {
        let world = Arc::<World>::default();
        let mut catalog = Catalog::new();
        catalog.bind(TOOLS, &world);
        let gate = Gate::default();
        let revoked = Arc::clone(&gate.revoked);
        let guards = Guards {
            authority: Arc::new(gate),
            policy: Arc::new(AllowAll),
            rate: Arc::new(Unlimited),
            submission: Arc::new(Inline),
            audit: Arc::new(Unrecorded),
            redactor: Arc::new(Redactor::new()),
            clock: Arc::new(TestClock(Instant::now())),
        };
        let mcp = Mcp::new(options, Arc::new(Dispatch::new(Arc::new(catalog), guards)));
        let shutdown = CancellationToken::new();
        let router = mcp.router(shutdown.clone());
        Self { mcp, world, router, shutdown, revoked }
    }

    /// Sends a request as alice; a header is `name: value`.
    pub(crate) async fn send(
        &self,
        method: Method,
        uri: &str,
        headers: &[&str],
        body: &str,
    ) -> Response<Body> {
        self.send_as(caller("alice"), method, uri, headers, body).await
    }

    pub(crate) async fn send_as(
        &self,
        caller: Caller,
        method: Method,
        uri: &str,
        headers: &[&str],
        body: &str,
    ) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(uri).header("host", "localhost");
        for header in headers {
            let (name, value) = header.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(caller);
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Posts a message the way plain curl does and gives the status and the answer.
    pub(crate) async fn post(&self, body: &Value) -> (u16, Value) {
        self.post_text(&[], &body.to_string()).await
    }

    pub(crate) async fn post_text(&self, headers: &[&str], body: &str) -> (u16, Value) {
        let mut all = vec!["content-type: application/json"];
        all.extend(headers);
        let response = self.send(Method::POST, "/mcp", &all, body).await;
        let status = response.status().as_u16();
        (status, serde_json::from_str(&text(response).await).unwrap_or_default())
    }

    /// A request of 2026-07-28 with its headers.
    pub(crate) async fn modern(&self, method: &str, params: Value) -> (u16, Value) {
        let named = params["name"].as_str().map(|name| format!("mcp-name: {name}"));
        let call = format!("mcp-method: {method}");
        let mut headers =
            vec!["accept: application/json, text/event-stream", "mcp-protocol-version: 2026-07-28"];
        headers.extend([call.as_str()]);
        headers.extend(named.as_deref());
        self.post_text(&headers, &modern(method, params).to_string()).await
    }
}

/// A message of 2026-07-28.
pub(crate) fn modern(method: &str, mut params: Value) -> Value {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    for (key, value) in meta.as_object().unwrap() {
        params["_meta"][key] = value.clone();
    }
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

/// A call of a tool.
pub(crate) fn call(id: impl Serialize, tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// The handshake of the older revisions.
pub(crate) fn initialize(revision: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": revision, "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "test", "version": "1"},
    }})
}

pub(crate) async fn text(response: Response<Body>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// The messages in a stream of events.
pub(crate) fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data:"));
    data.filter_map(|text| serde_json::from_str(text.trim()).ok()).collect()
}

/// Waits for something that is about to happen.
pub(crate) async fn until(mut happened: impl FnMut() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("it happens within five seconds");
}
