//! The toolbox against the real parts of a machine, driven through the dispatch as every face drives it.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod disks;
mod every_tool;
mod exec;
mod expressions;
mod files;
mod hosts;
mod machine;
mod service_manager;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use gabier_tool::{Call, Caller, Clock, Envelope, Guards, Surface, Timestamp};
use gabier_toolbox::testing::{dispatch, guards};
use gabier_toolbox::{Services, Settings};
use serde_json::Value;

/// The tools as they are without any setting.
fn services() -> Arc<Services> {
    Arc::new(Services::open(&Settings::default(), None).unwrap())
}

/// The machine's clock: load and answers over sockets need time that really passes.
struct MachineClock(Instant);

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// Calls a tool by its name.
async fn call(services: &Arc<Services>, caller: Caller, tool: &str, arguments: Value) -> Envelope {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let guards = Guards { clock: Arc::new(MachineClock(Instant::now())), ..guards() };
    dispatch(services, guards).call(Call::new(tool, arguments, caller, Surface::Rest)).await.envelope
}

/// The data of a success.
#[track_caller]
fn data(envelope: &Envelope) -> Value {
    assert!(!envelope.is_error(), "{}", envelope.to_value());
    envelope.to_value()["data"].clone()
}

/// The code of a failure, or the status of a success.
fn code(envelope: &Envelope) -> String {
    let value = envelope.to_value();
    let key = if envelope.is_error() { "code" } else { "status" };
    value[key].as_str().unwrap().to_owned()
}
