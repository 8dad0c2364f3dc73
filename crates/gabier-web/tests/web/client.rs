//! An HTTP client that sends exactly what a test writes.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// Longer than any answer takes, shorter than a hanging test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value; several of one name are joined by a comma.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The failure's code, or the success's status.
    pub(crate) fn word(&self) -> String {
        let value = self.json();
        value.get("code").unwrap_or(&value["status"]).as_str().unwrap_or_default().to_owned()
    }
}

/// One connection to the server.
pub(crate) struct Connection<S = TcpStream> {
    pub(crate) socket: S,
    rest: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(server: SocketAddr) -> Self {
        Self::over(TcpStream::connect(server).await.unwrap())
    }

    /// From another loopback address, which has its own limits.
    pub(crate) async fn open_from(from: &str, server: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        Self::over(socket.connect(server).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn over(socket: S) -> Self {
        Self { socket, rest: Vec::new() }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request with these header lines and this body.
    pub(crate) async fn send(&mut self, line: &str, headers: &[&str], body: &str) -> Answer {
        self.write(request(line, headers, body)).await;
        self.answer().await
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Answer {
        self.try_answer().await.expect("the server answers")
    }

    /// The next answer, unless the server ends the connection first.
    pub(crate) async fn try_answer(&mut self) -> Option<Answer> {
        tokio::time::timeout(PATIENCE, self.read_answer()).await.expect("the server does not hang")
    }

    async fn read_answer(&mut self) -> Option<Answer> {
        let head = self.try_head().await?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: Vec::new() };
        if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.rest.len() < length {
                self.more().await?;
            }
            answer.body = self.rest.drain(..length).collect();
        } else if answer.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk().await {
                answer.body.extend(chunk);
            }
        }
        Some(answer)
    }

    /// The head of the next answer.
    pub(crate) async fn read_head(&mut self) -> String {
        self.try_head().await.expect("the server answers")
    }

    async fn try_head(&mut self) -> Option<String> {
        let end = loop {
            if let Some(at) = self.rest.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            self.more().await?;
        };
        Some(String::from_utf8(self.rest.drain(..end + 4).collect()).unwrap())
    }

    /// The next chunk of a chunked body; `None` at its end, and when the connection ends.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let end = loop {
            if let Some(at) = self.rest.windows(2).position(|window| window == b"\r\n") {
                break at;
            }
            self.more().await?;
        };
        let line = String::from_utf8(self.rest.drain(..end + 2).collect()).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        while self.rest.len() < length + 2 {
            self.more().await?;
        }
        let chunk: Vec<u8> = self.rest.drain(..length + 2).take(length).collect();
        (length > 0).then_some(chunk)
    }

    async fn more(&mut self) -> Option<()> {
        let mut buffer = [0; 8192];
        match self.socket.read(&mut buffer).await {
            Ok(0) | Err(_) => None,
            Ok(read) => {
                self.rest.extend_from_slice(&buffer[..read]);
                Some(())
            }
        }
    }

    /// Waits until the server ends the connection; what it still said.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        let reading = async { while self.more().await.is_some() {} };
        tokio::time::timeout(PATIENCE, reading).await.expect("the server ends the connection");
        std::mem::take(&mut self.rest)
    }
}

/// A request's bytes; `Host: localhost` unless a header line names another.
pub(crate) fn request(line: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("{line} HTTP/1.1\r\n");
    if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:")) {
        text.push_str("Host: localhost\r\n");
    }
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !body.is_empty() {
        text = format!("{text}Content-Length: {}\r\n", body.len());
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}
