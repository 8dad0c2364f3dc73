//! A line between a client and the server: a proxy in user space with a delay and, for all its connections together,
//! a bandwidth each way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// What waits at most before a narrow line, as in a router with a short queue.
const QUEUE: Duration = Duration::from_millis(50);

/// What a line does to what passes.
#[derive(Clone, Copy, Default)]
pub(super) struct Shape {
    /// How long a byte is on its way, each way.
    pub(super) one_way: Duration,
    /// Bytes per second, each way; none = unlimited.
    pub(super) rate: Option<f64>,
}

/// A line that takes connections on a port of its own until it is dropped.
pub(super) struct Line {
    pub(super) port: u16,
    accepting: JoinHandle<()>,
}

impl Line {
    /// Opens a line to a port of this machine.
    pub(super) async fn to(port: u16, shape: Shape) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let own = listener.local_addr()?.port();
        let [there, back] = [(); 2].map(|()| Arc::new(Way::new(shape)));
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (there, back) = (Arc::clone(&there), Arc::clone(&back));
                tokio::spawn(async move {
                    let far = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).await;
                    // A server that is gone is told by closing.
                    let Ok(far) = far else { return };
                    drop((near.set_nodelay(true), far.set_nodelay(true)));
                    let ((near_read, near_write), (far_read, far_write)) =
                        (near.into_split(), far.into_split());
                    tokio::join!(carry(near_read, far_write, &there), carry(far_read, near_write, &back));
                });
            }
        });
        Ok(Self { port: own, accepting })
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One direction of a line, shared by its connections.
struct Way {
    shape: Shape,
    /// When the line has sent what it was given so far.
    free_at: Mutex<Instant>,
}

impl Way {
    fn new(shape: Shape) -> Self {
        Self { shape, free_at: Mutex::new(Instant::now()) }
    }

    /// Takes so many bytes, once there is room for them; gives when they arrive.
    async fn admit(&self, bytes: usize) -> Instant {
        let Some(rate) = self.shape.rate else { return Instant::now() + self.shape.one_way };
        // Whoever waits for room keeps the lock, so that all connections are served in turn.
        let mut free_at = self.free_at.lock().await;
        sleep_until(free_at.checked_sub(QUEUE).unwrap_or(*free_at)).await;
        let bytes = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
        *free_at = (*free_at).max(Instant::now()) + Duration::from_secs_f64(bytes / rate);
        *free_at + self.shape.one_way
    }

    fn chunk(&self) -> usize {
        if self.shape.rate.is_some() { 4 << 10 } else { 64 << 10 }
    }
}

/// Carries bytes from one side to the other until either ends.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: &Way) {
    let (sender, mut receiver) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let take = async move {
        let mut buffer = vec![0; way.chunk()];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let arrives = way.admit(length).await;
            if sender.send((arrives, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    };
    let give = async move {
        while let Some((arrives, bytes)) = receiver.recv().await {
            sleep_until(arrives).await;
            if to.write_all(&bytes).await.is_err() {
                break;
            }
        }
        drop(to.shutdown().await);
    };
    tokio::join!(take, give);
}
