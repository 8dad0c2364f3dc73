//! Streams over a host: to addresses it reaches, and to its subsystems.

use std::sync::Arc;
use std::time::Duration;

use gabier_host::{ByteStream, Target};
use gabier_tool::{Error, ErrorKind, Result};
use tokio::time::{Instant, timeout_at};

use crate::failure::Failure;
use crate::pool::Pool;
use crate::transport::{Refusal, Service};

/// The longest a host takes to connect onwards.
const LIMIT: Duration = Duration::from_secs(20);

/// A stream from the host to an address it reaches, on a connection of its own.
pub(crate) async fn forward(
    pool: &Pool,
    target: &Target,
    address: &str,
    port: u16,
) -> Result<Box<dyn ByteStream>> {
    let deadline = Instant::now() + LIMIT;
    let at = |failure: Failure| Error::from(failure.at(&target.endpoint, false));
    let connection = pool.dedicated(target, deadline).await.map_err(at)?;
    let opening = connection.forward(address, port, Arc::clone(&connection));
    let doing = format!("forwarding to {address}:{port} over {}", target.alias());
    match timeout_at(deadline, opening).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(Refusal::Busy)) => {
            Err(at(Failure::unreachable("FORWARD_FAILED", format!("{doing}: the host cannot reach it"))))
        }
        Ok(Err(Refusal::Forbidden(why))) => {
            let failure = Failure::new(
                ErrorKind::NotAvailable,
                "FORWARD_FORBIDDEN",
                format!("{doing}: the host does not"),
            );
            Err(at(failure.with("server", why)))
        }
        Ok(Err(Refusal::Lost(why))) => {
            Err(at(Failure::unreachable("ECONNRESET", format!("{doing}: the connection was lost"))
                .with("server", why)))
        }
        Err(_) => Err(at(Failure::unreachable("ETIMEDOUT", format!("{doing}: no answer in time")))),
    }
}

/// A stream to a service (`sftp`) on a connection for files. The connection stays taken as long as the stream lives.
pub(crate) async fn serve(pool: &Pool, target: &Target, service: Service) -> Result<Box<dyn ByteStream>> {
    let deadline = Instant::now() + pool.connector().settings.wait_limit;
    let at = |failure: Failure| Error::from(failure.at(&target.endpoint, false));
    let doing = format!("opening the {service} on {}", target.alias());
    for _ in 0..3 {
        let lease = pool.bulk(target, deadline).await.map_err(at)?;
        let connection = Arc::clone(&lease.connection);
        match timeout_at(deadline, connection.service(service, lease)).await {
            Ok(Ok(stream)) => return Ok(Box::new(stream)),
            Ok(Err(Refusal::Forbidden(why))) => {
                let failure =
                    Failure::new(ErrorKind::NotAvailable, "NO_SUBSYSTEM", format!("{doing}: {why}"));
                return Err(at(failure));
            }
            // A connection that died unnoticed, or one whose places the server counts otherwise than we do.
            Ok(Err(Refusal::Lost(_) | Refusal::Busy)) => {
                tokio::time::sleep(crate::connect::jitter(Duration::from_millis(10))).await;
            }
            Err(_) => {
                return Err(at(Failure::unreachable("ETIMEDOUT", format!("{doing}: no answer in time"))));
            }
        }
    }
    Err(at(Failure::unreachable("NO_CHANNEL", format!("{doing}: the server opens no channel"))))
}
