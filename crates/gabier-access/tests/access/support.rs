//! A hand-turned clock, an engine over a store of memory, and a tool for every kind of need.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_access::{Access, Bootstrap, Minted, NewToken, Settings};
use gabier_store::{Memory, Records};
use gabier_tool::guard::{Authority, Credential, Origin};
use gabier_tool::{
    Caller, Catalog, Clock, Context, Effect, Entry, HostRef, LocalPath, Permission, Result, Surface,
    Timestamp, Tool, ToolDef, Toolset,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// The token of the configuration in these tests.
pub(crate) const BOOTSTRAP: &str = "j2K9-x4Qp-77aB-z1-j2K9-x4Qp-77aB";

/// A clock that stands still until it is turned.
pub(crate) struct HandClock {
    elapsed: watch::Sender<Duration>,
    skew: Mutex<chrono::TimeDelta>,
}

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { elapsed: watch::Sender::new(Duration::ZERO), skew: Mutex::default() })
    }

    pub(crate) fn turn(&self, by: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += by);
    }

    /// Sets the wall clock forward or back; the monotonic one goes on.
    pub(crate) fn set_wall(&self, by: chrono::TimeDelta) {
        *self.skew.lock().unwrap() += by;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000, 0).unwrap()
            + *self.elapsed.borrow()
            + *self.skew.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut elapsed = self.elapsed.subscribe();
        let until = self.monotonic() + duration;
        Box::pin(async move {
            let _ = elapsed.wait_for(|elapsed| *elapsed >= until).await;
        })
    }
}

/// An engine and what it stands on.
pub(crate) struct Door {
    pub(crate) access: Access,
    pub(crate) clock: Arc<HandClock>,
}

impl Door {
    /// An engine over an empty store, without any token.
    pub(crate) fn open() -> Self {
        Self::over(Arc::new(Memory::default()), &Settings::default(), Vec::new())
    }

    /// An engine that knows the bootstrap token.
    pub(crate) fn with_bootstrap() -> Self {
        let token = Bootstrap::token("AUTH_TOKEN", &BOOTSTRAP.to_owned().into()).unwrap();
        Self::over(Arc::new(Memory::default()), &Settings::default(), vec![token])
    }

    pub(crate) fn over(records: Arc<dyn Records>, settings: &Settings, bootstraps: Vec<Bootstrap>) -> Self {
        let clock = HandClock::new();
        let access = Access::new(records, clock.clone(), settings, bootstraps).unwrap();
        Self { access, clock }
    }

    pub(crate) async fn identify(&self, credential: Credential<'_>, address: Option<&str>) -> Result<Caller> {
        let address: Option<IpAddr> = address.map(|address| address.parse().unwrap());
        self.access.identify(credential, Origin { surface: Surface::Rest, address }).await
    }

    /// The caller's name behind a token, or the failure's code.
    pub(crate) async fn who(&self, token: &str) -> String {
        told(self.identify(Credential::Bearer(token), Some("192.0.2.1")).await)
    }

    pub(crate) async fn mint(&self, new: NewToken) -> Minted {
        self.access.create(&self.access.os_user(), new).await.unwrap()
    }
}

/// The caller's name, or the failure's code.
pub(crate) fn told(result: Result<Caller>) -> String {
    match result {
        Ok(caller) => caller.name.to_string(),
        Err(error) => error.kind().code().to_owned(),
    }
}

/// What the tools of these tests answer.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Nothing {}

macro_rules! tools {
    ($($name:ident $word:literal $effect:ident [$($need:ident),*] { $($field:ident: $kind:ty),* })*) => {
        $(
            /// Does nothing.
            #[derive(Deserialize, JsonSchema)]
            pub(crate) struct $name {
                $(
                    /// A parameter.
                    #[expect(dead_code, reason = "only the schema of it counts here")]
                    $field: Option<$kind>,
                )*
            }

            impl Tool<()> for $name {
                const NAME: &'static str = $word;
                const EFFECT: Effect = Effect::$effect;
                const NEEDS: &'static [Permission] = &[$(Permission::$need),*];
                type Output = Nothing;

                async fn run(self, _: &Context<()>) -> Result<Nothing> {
                    Ok(Nothing {})
                }
            }
        )*

        const TOOLS: &[ToolDef<()>] = &[$(ToolDef::of::<$name>()),*];
    };
}

tools! {
    Health "system_health" Read [Public] {}
    Look "look" Read [Read] { host: HostRef, hosts: Vec<HostRef>, path: LocalPath }
    Fetch "http_request" Read [Net, Write] {}
    Scan "port_scan" Read [Net] {}
    Change "change" Write [Write] { host: HostRef }
    Rule "rule" Write [Admin] {}
    Decide "decide" Write [Approve] {}
}

/// The tools of these tests, in the toolset `test`.
pub(crate) fn catalog() -> Catalog {
    let mut catalog = Catalog::new();
    catalog.bind(Toolset { name: "test", tools: TOOLS }, &Arc::new(()));
    catalog
}

/// One tool of these tests.
pub(crate) fn entry(name: &str) -> Arc<Entry> {
    Arc::clone(catalog().get(name).unwrap())
}
