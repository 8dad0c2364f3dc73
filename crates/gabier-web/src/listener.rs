//! The accept loop: bounded connections, slow ones closed, TLS on demand, a graceful stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gabier_tool::{Error, ErrorKind, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connections::{Connections, Place};
use crate::front::{Front, Peer};
use crate::options::WebOptions;
use crate::pace::{Pace, Paced, Times};
use crate::tls::Certificate;

/// How often the certificate's files are looked at.
const CERTIFICATE_WATCH: Duration = Duration::from_secs(2);

/// How long the loop rests when the system has no more sockets to give.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// A server that holds its port and serves once it is told to.
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
    front: Arc<Front>,
    certificate: Option<Arc<Certificate>>,
}

impl Bound {
    pub(crate) async fn new(
        options: &WebOptions,
        front: Arc<Front>,
        certificate: Option<Arc<Certificate>>,
    ) -> Result<Self> {
        let refused = |error: std::io::Error| {
            Error::new(ErrorKind::Unavailable, format!("listening on {}", options.bind)).with_source(error)
        };
        let listener = TcpListener::bind(options.bind).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, front, certificate })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL, such as `http://127.0.0.1:8000`.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until the token fires; then event streams end, calls get their time to end, and the rest is closed.
    pub async fn serve(self, shutdown: CancellationToken) -> Result<()> {
        let Self { listener, front, certificate, .. } = self;
        let limits = front.options().limits;
        let tls = match &certificate {
            Some(certificate) => Some(TlsAcceptor::from(certificate.server_config()?)),
            None => None,
        };
        let server = Arc::new(Server {
            connections: Connections::new(limits.connections, limits.connections_per_address),
            builder: builder(limits.head_bytes),
            front,
            tls,
            stop: shutdown.clone(),
            kill: CancellationToken::new(),
        });
        let tracker = TaskTracker::new();
        let watch = shutdown.run_until_cancelled(watch(certificate));
        let accept = shutdown.run_until_cancelled(accept(&listener, &server, &tracker));
        tokio::join!(watch, accept);
        drop(listener);
        server.front.stop_streams();
        tracker.close();
        if tokio::time::timeout(limits.drain_time, tracker.wait()).await.is_err() {
            tracing::warn!(
                connections = tracker.len(),
                "calls did not end in time; closing their connections"
            );
            server.kill.cancel();
            tracker.wait().await;
        }
        Ok(())
    }
}

fn builder(head_bytes: usize) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The socket itself keeps the times: hyper's own timeout would end idle connections as well.
        .header_read_timeout(None)
        .max_header_size(head_bytes)
        .max_buf_size(64 * 1024)
        .half_close(false)
        .keep_alive(true);
    builder
}

async fn watch(certificate: Option<Arc<Certificate>>) {
    let Some(certificate) = certificate else { return };
    loop {
        tokio::time::sleep(CERTIFICATE_WATCH).await;
        certificate.reload_if_changed();
    }
}

async fn accept(listener: &TcpListener, server: &Arc<Server>, tracker: &TaskTracker) {
    loop {
        match listener.accept().await {
            Ok((socket, remote)) => {
                let trusted = server.front.trusts(remote.ip());
                // Without a place the socket is dropped here, before TLS and before a byte is read.
                if let Some(place) = server.connections.admit((!trusted).then_some(remote.ip())) {
                    tracker.spawn(Arc::clone(server).greet(socket, remote, place));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
}

/// What all connections of a server share.
struct Server {
    connections: Arc<Connections>,
    builder: http1::Builder,
    front: Arc<Front>,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
    kill: CancellationToken,
}

impl Server {
    async fn greet(self: Arc<Self>, socket: TcpStream, remote: SocketAddr, place: Place) {
        tokio::select! {
            () = self.meet(socket, remote, &place) => {}
            () = place.evicted() => {}
        }
    }

    async fn meet(&self, socket: TcpStream, remote: SocketAddr, place: &Place) {
        let Ok(local) = socket.local_addr() else { return };
        let _ = socket.set_nodelay(true);
        let peer = Peer { remote: remote.ip(), local: local.ip(), secure: self.tls.is_some() };
        let Some(tls) = &self.tls else { return self.converse(socket, peer, place).await };
        let handshake = tokio::time::timeout(self.front.options().limits.head_time, tls.accept(socket));
        if let Some(Ok(Ok(socket))) = self.stop.run_until_cancelled(handshake).await {
            self.converse(socket, peer, place).await;
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Send + Unpin>(&self, socket: S, peer: Peer, place: &Place) {
        let limits = self.front.options().limits;
        let pace = Pace::new();
        let times = Times { head: limits.head_time, idle: limits.idle_time };
        let socket = TokioIo::new(Paced::new(socket, Arc::clone(&pace), times));
        let service = service_fn(|request| {
            pace.busy();
            place.keep();
            self.front.answer(request, peer, Arc::clone(&pace))
        });
        let connection = self.builder.serve_connection(socket, service);
        tokio::pin!(connection);
        tokio::select! {
            // An error here is the client's: a broken head, a lost connection, a missed deadline.
            _ = connection.as_mut() => return,
            () = self.stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = self.kill.run_until_cancelled(connection).await;
    }
}
