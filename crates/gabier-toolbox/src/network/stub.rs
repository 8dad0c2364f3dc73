//! What tests of network tools speak to: a web server of a few lines, and services around settings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Settings;
use crate::Services;

/// Services whose network tools have these settings.
pub(super) fn services(settings: &Settings) -> Services {
    let settings = crate::Settings {
        dns: settings.dns.clone(),
        web_search: settings.web_search.clone(),
        port_scan: settings.port_scan.clone(),
        ..crate::Settings::default()
    };
    Services::open(&settings, None).expect("the settings of a test are sound")
}

/// A web server that gives every request the same answer and remembers the last request.
pub(super) struct Stub {
    port: u16,
    request: Arc<Mutex<String>>,
    connections: Arc<AtomicUsize>,
}

impl Stub {
    /// A server that answers 200.
    pub(super) async fn ok(body: &'static [u8]) -> Self {
        Self::start("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body).await
    }

    /// A server with an answer of its own.
    pub(super) async fn start(head: &'static str, body: &'static [u8]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        let stub = Self { port, request: Arc::default(), connections: Arc::default() };
        let (request, connections) = (Arc::clone(&stub.request), Arc::clone(&stub.connections));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let mut bytes = Vec::new();
                let mut piece = [0; 4096];
                while !is_whole(&bytes) {
                    match stream.read(&mut piece).await {
                        Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
                        _ => break,
                    }
                }
                *request.lock().expect("no holder panics") = String::from_utf8_lossy(&bytes).into_owned();
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(body).await;
            }
        });
        stub
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(super) fn request(&self) -> String {
        self.request.lock().expect("no holder panics").clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// True when the head and as much body as it promises are there.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
