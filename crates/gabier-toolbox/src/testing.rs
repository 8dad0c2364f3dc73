//! What tests of tools use: one call through the real dispatch, as a caller of choice, on a clock that stands.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use gabier_access::secret::{Keys, Vault};
pub use gabier_host::FakeHost;
use gabier_host::{Alias, FakeFleet, Host as _, HostChange, Inventory};
use gabier_store::Memory;
use gabier_tool::guard::{AllowAll, Authority, Credential, Origin, Submission, Unlimited, Unrecorded, Work};
use gabier_tool::{
    Call, Caller, CallerKind, Catalog, Clock, Dispatch, Done, Entry, Envelope, Guards, Permission,
    Permissions, Redactor, Resource, Result, Surface, Timestamp, Tool, ToolDef, Toolset,
};
use serde_json::{Map, Value};

use crate::hosts::{Hosts, Running};
use crate::{Services, Settings};

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

/// Calls a tool as the operating system's user, over a host that is known by its alias; the answer as [`told`].
pub async fn call_on_host<T: Tool<Services>>(host: &FakeHost, arguments: &str) -> String {
    call_on::<T>(services_over(std::slice::from_ref(host)).await, arguments).await
}

/// Services over hosts that are known by their aliases, with records and a vault in memory.
///
/// # Panics
///
/// When an alias is none.
pub async fn services_over(hosts: &[FakeHost]) -> Services {
    let records = Arc::new(Memory::default());
    let clock: Arc<dyn Clock> = Arc::new(StillClock::default());
    let inventory = Inventory::new(Arc::clone(&records) as _, Arc::clone(&clock));
    for host in hosts {
        let alias: Alias = host.alias().parse().expect("the alias of a test is one");
        let change = HostChange {
            host: Some("192.0.2.1".to_owned()),
            user: Some("root".to_owned()),
            ..HostChange::default()
        };
        inventory.upsert(&alias, change).await.expect("a host of a test can be kept");
    }
    let keys = Keys { key: Some("7".repeat(64).into()), ..Keys::default() };
    let vault = Vault::new(Arc::clone(&records) as _, clock, Arc::new(Redactor::new()), keys);
    let fleet: FakeFleet = hosts.iter().cloned().collect();
    let services = Services::open(&Settings::default(), None).expect("the default settings are sound");
    services.reaching(Hosts {
        inventory,
        fleet: Arc::new(fleet),
        vault: Arc::new(vault),
        records,
        running: Running::default(),
    })
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
