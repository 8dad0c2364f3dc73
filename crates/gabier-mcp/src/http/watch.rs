//! Streams end when their caller loses its rights, not only when it sends the next request.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use futures::StreamExt;
use gabier_tool::{Caller, Listening};

use super::Front;
use super::answer::is;

/// How often the caller of a stream is looked at again.
const EVERY: Duration = Duration::from_secs(1);

/// Ends a stream of events once its caller is refused; other answers stay as they are.
pub(crate) fn watched(front: &Arc<Front>, caller: Caller, response: Response) -> Response {
    if !is(response.headers(), "text/event-stream") {
        return response;
    }
    let guards = front.shared.dispatch.guards().clone();
    let refused = Box::pin(async move {
        loop {
            guards.clock.sleep(EVERY).await;
            if guards.authority.refresh(&caller).await.is_err() {
                break;
            }
        }
    });
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(refused)))
}

/// Does the same for a stream that lasts until somebody ends it, and says so to the listener.
pub(crate) fn listening(front: &Arc<Front>, caller: Caller, mut response: Response) -> Response {
    response.extensions_mut().insert(Listening);
    watched(front, caller, response)
}
