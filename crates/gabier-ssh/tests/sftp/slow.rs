//! A stream that is slower than memory: with a rate, or with a delay in each direction.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::mpsc;

pub(crate) struct Slow;

impl Slow {
    /// So many bytes per second in each direction.
    pub(crate) fn rate(stream: UnixStream, rate: u32) -> DuplexStream {
        Self::between(stream, rate, Duration::ZERO)
    }

    /// So many milliseconds in each direction, at 12 MiB per second.
    pub(crate) fn delay(stream: UnixStream, milliseconds: u64) -> DuplexStream {
        Self::between(stream, 12 << 20, Duration::from_millis(milliseconds))
    }

    /// A port that leads to another with so many milliseconds in each direction.
    pub(crate) async fn line(port: u16, milliseconds: u64) -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) = (split(near), split(far));
                let delay = Duration::from_millis(milliseconds);
                tokio::spawn(carry(from_client, to_server, 12 << 20, delay));
                tokio::spawn(carry(from_server, to_client, 12 << 20, delay));
            }
        });
        own
    }

    fn between(stream: UnixStream, rate: u32, delay: Duration) -> DuplexStream {
        let (ours, theirs) = tokio::io::duplex(256 << 10);
        let (from_client, to_client) = split(theirs);
        let (from_server, to_server) = split(stream);
        tokio::spawn(carry(from_client, to_server, rate, delay));
        tokio::spawn(carry(from_server, to_client, rate, delay));
        ours
    }
}

async fn carry<R, W>(mut from: ReadHalf<R>, mut to: WriteHalf<W>, rate: u32, delay: Duration)
where
    R: tokio::io::AsyncRead + Send + 'static,
    W: tokio::io::AsyncWrite + Send + 'static,
{
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(4096);
    tokio::spawn(async move {
        let mut waiting = VecDeque::new();
        while let Some(piece) = receiver.recv().await {
            waiting.push_back(piece);
            while let Some((due, bytes)) = waiting.pop_front() {
                tokio::time::sleep_until(due.into()).await;
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
        let _ = to.shutdown().await;
    });
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let pause = f64::from(u32::try_from(count).unwrap()) / f64::from(rate);
        tokio::time::sleep(Duration::from_secs_f64(pause)).await;
        if sender.send((Instant::now() + delay, buffer[..count].to_vec())).await.is_err() {
            return;
        }
    }
}
