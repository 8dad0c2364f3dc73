//! A call over HTTP, from the request to the reply, whoever hangs up meanwhile.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use gabier_tool::{Call, Dispatch, Entry, Mode, Reply};
use tokio_util::sync::CancellationToken;

/// A call in its request. When the client hangs up, work within the call is told so and goes on only to its recorded
/// end; work that may outlive the call goes on as a task.
pub(crate) struct Attended {
    reply: Option<BoxFuture<'static, Reply>>,
    /// Ends work that nobody waits for any more; none where it may outlive the call.
    cancel: Option<CancellationToken>,
}

impl Attended {
    pub(crate) fn new(dispatch: Arc<Dispatch>, entry: &Entry, call: Call) -> Self {
        let cancel = (entry.facts.mode == Mode::Inline).then(|| call.cancel.clone());
        Self { reply: Some(Box::pin(async move { dispatch.call(call).await })), cancel }
    }
}

impl Future for Attended {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let Some(reply) = &mut self.reply else { return Poll::Pending };
        let polled = reply.as_mut().poll(cx);
        if polled.is_ready() {
            self.reply = None;
        }
        polled
    }
}

impl Drop for Attended {
    fn drop(&mut self) {
        let Some(rest) = self.reply.take() else { return };
        if let Some(cancel) = &self.cancel {
            cancel.cancel();
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(rest);
        }
    }
}
