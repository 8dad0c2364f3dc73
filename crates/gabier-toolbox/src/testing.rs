//! What tests of tools use: one call through the real dispatch, as a caller of choice, on a clock that stands.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use gabier_tool::guard::{AllowAll, Authority, Credential, Origin, Submission, Unlimited, Unrecorded, Work};
use gabier_tool::{
    Call, Caller, CallerKind, Catalog, Clock, Dispatch, Done, Entry, Envelope, Guards, Permission,
    Permissions, Redactor, Resource, Result, Surface, Timestamp, Tool, ToolDef, Toolset,
};
use serde_json::{Map, Value};

use crate::Services;

/// The operating system's user with every right.
pub fn os_user() -> Caller {
    Caller {
        subject: "user:1000".into(),
        name: "tester".into(),
        kind: CallerKind::OsUser,
        permissions: Permissions::ALL,
        resources: [Resource::All].into(),
        tools: None,
        profile: None,
        address: None,
        authenticated_at: StillClock::default().now(),
    }
}

/// The bearer of a token with every right over the named resources.
pub fn token_bearer(resources: &[&str]) -> Caller {
    Caller {
        subject: "token:1a2b3c4d".into(),
        name: "bearer".into(),
        kind: CallerKind::Token,
        resources: resources.iter().map(|resource| Resource::parse(resource)).collect(),
        address: Some([127, 0, 0, 1].into()),
        ..os_user()
    }
}

/// Calls a tool as the operating system's user; the answer as [`told`].
pub async fn call_on<T: Tool<Services>>(services: Services, arguments: &str) -> String {
    call_as::<T>(&Arc::new(services), os_user(), arguments).await
}

/// Calls a tool as someone; the answer as [`told`].
pub async fn call_as<T: Tool<Services>>(services: &Arc<Services>, caller: Caller, arguments: &str) -> String {
    told(&envelope_of::<T>(services, caller, arguments).await)
}

/// Calls a tool as someone and gives the whole answer.
///
/// # Panics
///
/// When the arguments are no JSON object.
pub async fn envelope_of<T: Tool<Services>>(
    services: &Arc<Services>,
    caller: Caller,
    arguments: &str,
) -> Envelope {
    let arguments: Map<String, Value> =
        serde_json::from_str(arguments).expect("the arguments of a test are a JSON object");
    let mut catalog = Catalog::new();
    catalog.bind(Toolset { name: "test", tools: Alone::<T>::TOOLS }, services);
    let dispatch = Dispatch::new(Arc::new(catalog), guards());
    dispatch.call(Call::new(T::NAME, arguments, caller, Surface::Rest)).await.envelope
}

/// A dispatch over all tools, as the product has it but for the guards.
pub fn dispatch(services: &Arc<Services>, guards: Guards) -> Dispatch {
    let mut catalog = Catalog::new();
    for toolset in crate::TOOLSETS {
        catalog.bind(*toolset, services);
    }
    Dispatch::new(Arc::new(catalog), guards)
}

/// Guards that let everything pass, on a clock that stands.
pub fn guards() -> Guards {
    Guards {
        authority: Arc::new(Everyone),
        policy: Arc::new(AllowAll),
        rate: Arc::new(Unlimited),
        submission: Arc::new(Unhurried),
        audit: Arc::new(Unrecorded),
        redactor: Arc::new(Redactor::new()),
        clock: Arc::new(StillClock::default()),
    }
}

/// The data as JSON for `ok`, else the status or code, a space, and the data or the message.
pub fn told(envelope: &Envelope) -> String {
    let value = envelope.to_value();
    match envelope {
        Envelope::Failure { error, .. } => format!("{} {}", error.kind().code(), error.message()),
        Envelope::Success { data, .. } if value["status"] == "ok" => data.to_string(),
        Envelope::Success { data, outcome, .. } => format!("{} {data}", outcome.status.name()),
    }
}

/// A list of one tool.
struct Alone<T>(std::marker::PhantomData<T>);

impl<T: Tool<Services>> Alone<T> {
    const TOOLS: &'static [ToolDef<Services>] = &[ToolDef::of::<T>()];
}

/// Lets everybody do everything.
struct Everyone;

impl Authority for Everyone {
    fn identify<'a>(&'a self, _: Credential<'a>, _: Origin) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(os_user())))
    }

    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller.clone())))
    }

    fn permits(&self, _: &Caller, _: &Entry) -> bool {
        true
    }

    fn authorise(&self, _: &Caller, _: &Entry, _: &[Permission], _: &Value) -> Result<()> {
        Ok(())
    }
}

/// Runs work to its end without a limit: the clock of a test passes no time by itself.
struct Unhurried;

impl Submission for Unhurried {
    fn submit(&self, work: Work) -> BoxFuture<'static, Result<Done>> {
        work.started.run()
    }
}

/// A clock that moves only by being slept on.
#[derive(Default)]
pub struct StillClock(Mutex<Duration>);

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        let start = Timestamp::from_timestamp(1_767_323_045, 678_000_000).expect("a moment of 2026");
        start + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().expect("no holder of the clock panics")
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        *self.0.lock().expect("no holder of the clock panics") += duration;
        Box::pin(ready(()))
    }
}
