//! Where calls go: this process, or a server.

use std::sync::Arc;

use futures::future::BoxFuture;
use gabier_tool::{
    Call, Caller, Clock, Dispatch, Envelope, Error, Feedback, Patience, Result, Surface, ToolInfo, View,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

/// What lists tools and runs calls.
pub trait Backend: Send + Sync + 'static {
    /// The tools that the caller may use.
    fn tools(&self) -> BoxFuture<'_, Result<Vec<ToolInfo>>>;

    /// Carries out a call. Every failure is an answer.
    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        feedback: Arc<dyn Feedback>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Answer>;
}

/// How a call ended: `application/vnd.gabier.view+json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The envelope.
    pub envelope: Value,
    /// How it looks.
    #[serde(default)]
    pub view: View,
    /// The exit code that agrees with it.
    pub exit_code: u8,
}

impl Answer {
    /// A success of this machine's own, for commands that are no tools.
    pub fn of(data: Value, view: View) -> Self {
        let envelope = Envelope::Success {
            outcome: gabier_tool::Outcome::default(),
            data,
            sanitised: gabier_tool::Sanitised::default(),
        };
        Self { envelope: envelope.to_value(), view, exit_code: 0 }
    }

    /// A failure on this side of the call.
    pub fn failed(error: Error, clock: &dyn Clock) -> Self {
        let envelope = Envelope::Failure { error, at: clock.now() };
        Self { exit_code: envelope.exit_code(), envelope: envelope.to_value(), view: View::default() }
    }

    /// The id of the task that the call became, when the answer is only its handle.
    pub(crate) fn handle(&self) -> Option<&str> {
        let next = self.envelope.get("next")?.as_str()?;
        let id = self.envelope.pointer("/data/id")?.as_str()?;
        (!self.is_error() && next.starts_with("task_wait")).then_some(id)
    }

    /// True for failures.
    pub fn is_error(&self) -> bool {
        self.envelope.get("error").is_some_and(|mark| mark == true)
    }
}

/// The tools of this process.
pub struct Local {
    dispatch: Arc<Dispatch>,
    caller: Caller,
    surface: Surface,
}

impl Local {
    /// Calls a dispatch as a caller.
    pub fn new(dispatch: Arc<Dispatch>, caller: Caller, surface: Surface) -> Self {
        Self { dispatch, caller, surface }
    }
}

impl Backend for Local {
    fn tools(&self) -> BoxFuture<'_, Result<Vec<ToolInfo>>> {
        let authority = &self.dispatch.guards().authority;
        let entries = self.dispatch.catalog().iter();
        let tools = entries.filter(|entry| authority.permits(&self.caller, entry)).map(|entry| entry.info());
        Box::pin(std::future::ready(Ok(tools.collect())))
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        feedback: Arc<dyn Feedback>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let call = Call::new(name, arguments, self.caller.clone(), self.surface);
            // A person watches it to its end.
            let call = Call { feedback, cancel, wants_view: true, patience: Patience::Endless, ..call };
            let reply = self.dispatch.call(call).await;
            Answer {
                exit_code: reply.envelope.exit_code(),
                envelope: reply.envelope.to_value(),
                view: reply.view,
            }
        })
    }
}
