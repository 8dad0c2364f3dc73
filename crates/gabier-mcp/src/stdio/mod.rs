//! One client on a pair of byte streams, one message a line.

mod batches;
mod lines;
mod straight;

use std::sync::Arc;
use std::time::Duration;

use gabier_tool::{Caller, Error, Result};
use rmcp::service::serve_directly_with_ct;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::mcp::Shared;
use crate::server::Server;
use lines::Lines;
use straight::Straight;

/// How long running calls may still answer after the input has ended.
const GRACE: Duration = Duration::from_millis(500);

/// Serves until the input ends or the token fires. No handshake is demanded: each message is served by what it
/// says itself, so that nothing a client sends first can end the process.
pub(crate) async fn serve(
    shared: &Arc<Shared>,
    caller: Caller,
    input: impl AsyncRead + Unpin + Send + 'static,
    output: impl AsyncWrite + Unpin + Send + 'static,
    shutdown: CancellationToken,
) -> Result<()> {
    let ending = shutdown.child_token();
    let closed = CancellationToken::new();
    let connection = Arc::new(Connection::stdio(caller, ending.clone(), closed.clone()));
    let server = || Server { shared: Arc::clone(shared), connection: Arc::clone(&connection) };
    let straight = Arc::new(Straight::new(server()));
    let limit = shared.options.message_limit;
    let lines = Lines::new(input, output, limit, Arc::clone(&straight), ending.clone());
    let running = serve_directly_with_ct(server(), lines, None, CancellationToken::new());
    straight.meet(running.peer().clone());
    tokio::spawn(async move {
        ending.cancelled().await;
        tokio::time::sleep(GRACE).await;
        closed.cancel();
    });
    let ended = running.waiting().await;
    straight.drain().await;
    ended.map_err(|error| Error::internal("serving a pipe").with_source(error))?;
    Ok(())
}
