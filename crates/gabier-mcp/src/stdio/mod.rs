//! One client on a pair of byte streams, one message a line.

mod batches;
mod lines;

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
    let connection = Connection::stdio(caller, ending.clone(), closed.clone());
    let server = Server { shared: Arc::clone(shared), connection: Arc::new(connection) };
    let lines = Lines::new(input, output, shared.options.message_limit, ending.clone());
    let running = serve_directly_with_ct(server, lines, None, CancellationToken::new());
    tokio::spawn(async move {
        ending.cancelled().await;
        tokio::time::sleep(GRACE).await;
        closed.cancel();
    });
    running.waiting().await.map_err(|error| Error::internal("serving a pipe").with_source(error))?;
    Ok(())
}
