//! A keep-alive HTTP/1.1 load client on raw sockets: one call in flight per connection, little CPU of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::request::TEXT;

/// What a round of load gave: the time of each call, and how long the round took.
pub(crate) struct Load {
    pub(crate) latencies: Vec<Duration>,
    pub(crate) elapsed: Duration,
}

/// Sends the request over and over on each of some connections until the time is up.
pub(crate) async fn run(port: u16, request: &[u8], connections: usize, duration: Duration) -> Result<Load> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        let request = request.to_vec();
        tasks.spawn(
            async move { call_until(Connection::open(port).await?, &request, begin + duration).await },
        );
    }
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        latencies.extend(done??);
    }
    Ok(Load { latencies, elapsed: begin.elapsed() })
}

async fn call_until(mut connection: Connection, request: &[u8], end: Instant) -> Result<Vec<Duration>> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let begin = Instant::now();
        connection.call(request).await?;
        latencies.push(begin.elapsed());
    }
    Ok(latencies)
}

/// One connection that lives through many calls.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects on loopback, without delayed small packets.
    pub(crate) async fn open(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends the request and reads its answer, which must be 200 and hold the echoed text.
    async fn call(&mut self, request: &[u8]) -> Result<()> {
        check(self.exchange(request).await?)
    }

    /// Sends the request and reads its whole answer, head and body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<&[u8]> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            if let Some(end) = answer_end(&self.buffer)? {
                return Ok(&self.buffer[..end]);
            }
        }
    }
}

fn check(answer: &[u8]) -> Result<()> {
    let echoed = answer.windows(TEXT.len()).any(|window| window == TEXT.as_bytes());
    if answer.starts_with(b"HTTP/1.1 200") && echoed {
        return Ok(());
    }
    bail!("unexpected answer: {}", String::from_utf8_lossy(answer));
}

/// Where the answer at the start of the buffer ends; none while it is not all there.
fn answer_end(buffer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let body = head + 4;
    for line in buffer[..head].split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if let Some(length) = value_of(line, b"content-length:") {
            let end = body + decimal(length)?;
            return Ok((buffer.len() >= end).then_some(end));
        }
        if value_of(line, b"transfer-encoding:").is_some() {
            return last_chunk_end(buffer, body);
        }
    }
    Ok(Some(body))
}

/// The end of a chunked body: behind the chunk of size 0.
fn last_chunk_end(buffer: &[u8], mut position: usize) -> Result<Option<usize>> {
    loop {
        let Some(length) = find(buffer.get(position..).unwrap_or_default(), b"\r\n") else { return Ok(None) };
        let digits = str::from_utf8(&buffer[position..position + length])?;
        let size =
            usize::from_str_radix(digits, 16).with_context(|| format!("reading chunk size {digits:?}"))?;
        position += length + 2 + size + 2;
        if size == 0 {
            return Ok((buffer.len() >= position).then_some(position));
        }
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn value_of<'line>(line: &'line [u8], name: &[u8]) -> Option<&'line [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn decimal(text: &[u8]) -> Result<usize> {
    Ok(str::from_utf8(text)?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_with_a_length_ends_after_its_body() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(answer_end(answer).unwrap(), Some(answer.len()));
        assert_eq!(answer_end(&answer[..answer.len() - 1]).unwrap(), None);
    }

    #[test]
    fn a_chunked_answer_ends_after_the_empty_chunk() {
        let answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        assert_eq!(answer_end(answer).unwrap(), Some(answer.len()));
        for end in 0..answer.len() {
            assert_eq!(answer_end(&answer[..end]).unwrap(), None, "cut at {end}");
        }
    }
}
