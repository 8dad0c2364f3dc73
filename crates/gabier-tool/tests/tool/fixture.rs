//! A small list of tools and the guards around it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, pending, ready};
use gabier_tool::guard::{AllowAll, Audit, Authority, Credential, Ended, Inline, Intent, Origin, Unlimited};
use gabier_tool::{
    Call, Caller, CallerKind, Catalog, Clock, Context, Dispatch, Effect, Entry, Error, ErrorKind, Forward,
    Guards, Outcome, Permission, Permissions, Plan, Profile, Redactor, Reply, Resource, Result, Secret,
    Status, Surface, Text, Timestamp, Tool, ToolDef, Toolset,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A clock that stands at 2026-01-02T03:04:05Z; a sleep ends at once when told so, else never.
pub(crate) struct HandClock {
    pub(crate) sleeps_end: bool,
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_millis(1_767_323_045_678).unwrap()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        if self.sleeps_end { Box::pin(ready(())) } else { Box::pin(pending()) }
    }
}

/// Knows one caller; `revoked` refuses it.
pub(crate) struct Gate {
    pub(crate) revoked: bool,
}

impl Authority for Gate {
    fn identify<'a>(&'a self, _: Credential<'a>, origin: Origin) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller(Permissions::ALL, origin.address))))
    }

    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>> {
        let refused = || Error::new(ErrorKind::Unauthenticated, "the token is revoked");
        Box::pin(ready(if self.revoked { Err(refused()) } else { Ok(caller.clone()) }))
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

/// Writes every intent and outcome down; a full disk refuses intents.
#[derive(Default)]
pub(crate) struct Journal {
    pub(crate) lines: Mutex<Vec<String>>,
    pub(crate) full: bool,
}

impl Audit for Journal {
    fn intent<'a>(&'a self, call: &'a Intent<'a>) -> BoxFuture<'a, Result<()>> {
        let line = format!("intent {} {}", call.tool, call.arguments.unwrap());
        self.lines.lock().unwrap().push(line);
        let full = || Error::new(ErrorKind::AuditUnavailable, "writing the audit record");
        Box::pin(ready(if self.full { Err(full()) } else { Ok(()) }))
    }

    fn outcome(&self, call: &Intent<'_>, ended: &Ended) {
        self.lines.lock().unwrap().push(format!("outcome {} {}", call.tool, ended.outcome));
    }
}

pub(crate) fn caller(permissions: Permissions, address: Option<IpAddr>) -> Caller {
    Caller {
        subject: "token:1".into(),
        name: "test".into(),
        kind: CallerKind::Token,
        permissions,
        resources: [Resource::All].into(),
        tools: None,
        profile: None,
        address,
        authenticated_at: HandClock { sleeps_end: false }.now(),
    }
}

/// Say something back.
///
/// With details on a second paragraph.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Echo {
    /// What to say.
    #[schemars(length(min = 1, max = 20_000))]
    text: String,
    /// How often.
    #[serde(default = "once")]
    #[schemars(range(min = 1, max = 5))]
    how_often: u32,
}

fn once() -> u32 {
    1
}

/// What was said.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Said {
    /// The words.
    said: Text,
}

impl Tool<()> for Echo {
    const NAME: &'static str = "echo";
    const EFFECT: Effect = Effect::Read;
    const ALIASES: &'static [&'static str] = &["say"];
    const PROFILE: Profile = Profile::Lean;
    type Output = Said;

    async fn run(self, _: &Context<()>) -> Result<Said> {
        Ok(Said { said: self.text.repeat(self.how_often as usize).into() })
    }
}

/// Remove a thing.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Remove {
    /// The thing.
    name: String,
    /// What opens it.
    password: Option<Secret>,
}

/// What was removed.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Removed {
    /// The thing.
    name: String,
}

impl Tool<()> for Remove {
    const NAME: &'static str = "remove";
    const EFFECT: Effect = Effect::Destroy;
    type Output = Removed;

    async fn prepare(&mut self, _: &Context<()>) -> Result<()> {
        if self.name == "unprepared" { Err(Error::invalid("name", "is not ready")) } else { Ok(()) }
    }

    async fn plan(&self, _: &Context<()>) -> Result<Option<Plan>> {
        Ok(Some(Plan { steps: vec![format!("remove {}", self.name)], targets: Vec::new() }))
    }

    async fn run(self, _: &Context<()>) -> Result<Removed> {
        match self.name.as_str() {
            "panics" => panic!("as told"),
            "hangs" => pending().await,
            "fails" => Err(Error::internal("secret path /etc/x")),
            _ => {
                let _ = self.password.map(|password| password.expose().len());
                Ok(Removed { name: self.name })
            }
        }
    }

    fn outcome(_: &Removed) -> Outcome {
        Outcome::of(Status::Deleted)
    }
}

/// Call another tool.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Relay {
    /// The other tool.
    name: String,
    /// Its arguments.
    #[serde(default)]
    arguments: serde_json::Map<String, Value>,
}

impl Tool<()> for Relay {
    const NAME: &'static str = "relay";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Public;
    const PROFILE: Profile = Profile::LeanOnly;
    type Output = Said;

    fn forward(&self) -> Option<Forward> {
        Some(Forward { tool: self.name.clone(), arguments: self.arguments.clone() })
    }

    async fn run(self, _: &Context<()>) -> Result<Said> {
        Err(Error::internal("a forwarded call runs its target"))
    }
}

pub(crate) const TOOLS: Toolset<()> = Toolset {
    name: "demo",
    tools: &[ToolDef::of::<Echo>(), ToolDef::of::<Remove>(), ToolDef::of::<Relay>()],
};

/// A dispatch, its journal and the caller of the next call.
pub(crate) struct Bench {
    pub(crate) dispatch: Dispatch,
    pub(crate) journal: Arc<Journal>,
    pub(crate) permissions: Permissions,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(false, Journal::default(), Gate { revoked: false })
    }

    pub(crate) fn with(sleeps_end: bool, journal: Journal, gate: Gate) -> Self {
        let mut catalog = Catalog::new();
        catalog.bind(TOOLS, &Arc::new(()));
        let journal = Arc::new(journal);
        let guards = Guards {
            authority: Arc::new(gate),
            policy: Arc::new(AllowAll),
            rate: Arc::new(Unlimited),
            submission: Arc::new(Inline),
            audit: journal.clone(),
            redactor: Arc::new(Redactor::new()),
            clock: Arc::new(HandClock { sleeps_end }),
        };
        Self { dispatch: Dispatch::new(Arc::new(catalog), guards), journal, permissions: Permissions::ALL }
    }

    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> Call {
        let arguments = arguments.as_object().cloned().unwrap_or_default();
        let mut call = Call::new(tool, arguments, caller(self.permissions, None), Surface::Rest);
        "r1".clone_into(&mut call.request_id);
        call
    }

    pub(crate) async fn ask(&self, tool: &str, arguments: &Value) -> Reply {
        self.dispatch.call(self.call(tool, arguments)).await
    }
}
