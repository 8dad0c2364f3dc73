//! A web server of a few lines, and a resolver of a table.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::{BoxFuture, ready};
use gabier_egress::{Allow, Egress, Names, Page, Reach, Request, Settings};
use gabier_tool::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers every request with what a function makes of its head, and remembers the heads.
pub(crate) struct Stub {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Stub {
    /// A server on every loopback address.
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("[::]:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (heads, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (seen, counted, answer) = (Arc::clone(&heads), Arc::clone(&connections), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&seen), Arc::clone(&answer)));
            }
        });
        Self { port, heads, connections }
    }

    /// A server that says `trapped`.
    pub(crate) async fn trap() -> Self {
        Self::start(|_| plain("trapped")).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(
    mut stream: TcpStream,
    heads: Arc<Mutex<Vec<String>>>,
    answer: Arc<impl Fn(&str) -> Vec<u8> + Send + Sync>,
) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let reply = answer(&head);
    heads.lock().unwrap().push(head);
    let _ = stream.write_all(&reply).await;
    let _ = stream.shutdown().await;
}

pub(crate) fn plain(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

pub(crate) fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    .into_bytes()
}

/// A resolver of a table: each question gets the next answer, and the last one again and again.
#[derive(Default)]
pub(crate) struct Table {
    answers: HashMap<&'static str, Vec<Vec<IpAddr>>>,
    pub(crate) asked: AtomicUsize,
}

impl Table {
    pub(crate) fn with(mut self, name: &'static str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.answers.entry(name).or_default().push(addresses);
        self
    }
}

impl Names for Table {
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.answers.get(name).map(|answers| answers[asked.min(answers.len() - 1)].clone());
        Box::pin(ready(found.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))))
    }
}

/// An egress that opens some ports of loopback.
pub(crate) fn opening(ports: &[u16]) -> Egress {
    let allow = ports
        .iter()
        .map(|port| Allow { cidr: "127.0.0.0/8".parse().unwrap(), port: Some(*port), tool: None })
        .collect();
    Egress::new(Settings { allow, metadata: false })
}

pub(crate) async fn get(egress: &Egress, reach: Reach, url: &str) -> Result<Page, Error> {
    egress.send(Request::get("http_request", reach, url)).await
}

/// How a request ended: its body, the rule that refused it, or the code of the failure.
pub(crate) fn ended(result: &Result<Page, Error>) -> String {
    match result {
        Ok(page) => String::from_utf8_lossy(&page.body).into_owned(),
        Err(error) => match error.details().get("rule").and_then(|rule| rule.as_str()) {
            Some(rule) => rule.to_owned(),
            None => error.kind().code().to_owned(),
        },
    }
}
