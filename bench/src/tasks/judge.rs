//! Guards that let everybody do everything, and the machine's clock: a dispatch with nothing but the engine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::{BoxFuture, ready};
use gabier_tool::guard::{AllowAll, Authority, Credential, Origin, Submission, Unlimited, Unrecorded};
use gabier_tool::{
    Caller, CallerKind, Clock, Entry, Guards, Permission, Permissions, Redactor, Result, Timestamp,
};
use serde_json::Value;

/// The guards around a submission.
pub(super) fn guards(submission: Arc<dyn Submission>) -> Guards {
    Guards {
        authority: Arc::new(Everybody),
        policy: Arc::new(AllowAll),
        rate: Arc::new(Unlimited),
        submission,
        audit: Arc::new(Unrecorded),
        redactor: Arc::new(Redactor::new()),
        clock: Arc::new(MachineClock(Instant::now())),
    }
}

/// The one who calls.
pub(super) fn caller() -> Caller {
    Caller {
        subject: "user:1".into(),
        name: "bench".into(),
        kind: CallerKind::Token,
        permissions: [Permission::Read, Permission::Write].into_iter().collect::<Permissions>(),
        resources: [].into(),
        tools: None,
        profile: None,
        address: None,
        authenticated_at: MachineClock(Instant::now()).now(),
    }
}

struct Everybody;

impl Authority for Everybody {
    fn identify<'a>(&'a self, _: Credential<'a>, _: Origin) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller())))
    }

    fn refresh<'a>(&'a self, caller: &'a Caller) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller.clone())))
    }

    fn restore<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Caller>> {
        Box::pin(ready(Ok(caller())))
    }

    fn permits(&self, _: &Caller, _: &Entry) -> bool {
        true
    }

    fn authorise(&self, _: &Caller, _: &Entry, _: &[Permission], _: &Value) -> Result<()> {
        Ok(())
    }
}

/// The clock of this machine.
pub(super) struct MachineClock(pub(super) Instant);

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "a benchmark runs in real time")]
    fn now(&self) -> Timestamp {
        std::time::SystemTime::now().into()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}
