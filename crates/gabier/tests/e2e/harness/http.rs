//! Requests byte by byte: a client that does exactly what it is told, wrong things included.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Lines, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use super::PATIENCE;

/// A request to be sent once on a connection of its own.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    source: Option<IpAddr>,
}

/// A `GET` request.
pub(crate) fn get(path: &str) -> Request {
    Request::new("GET", path)
}

/// A `POST` request with a JSON body.
pub(crate) fn post(path: &str, body: &Value) -> Request {
    Request::new("POST", path).with("Content-Type", "application/json").bytes(body.to_string())
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
            source: None,
        }
    }

    /// Adds a header; the same name twice is sent twice.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.with("Authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends from another loopback address.
    pub(crate) fn from(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// Sends it and reads the answer to its end.
    #[track_caller]
    pub(crate) fn send(&self, to: SocketAddr) -> Answer {
        let mut stream = self.write(to);
        Answer::read(&mut stream).unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }

    /// Sends it and reads the head of the answer; the rest may take for ever to come.
    #[track_caller]
    pub(crate) fn listen(&self, to: SocketAddr) -> Listening {
        let mut lines = BufReader::new(self.write(to)).lines();
        let head: Vec<String> =
            lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let status = head.first().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("{} {}: {head:?}", self.method, self.path));
        Listening { status, lines }
    }

    /// Sends it to a server that may be gone, or goes before it has answered.
    pub(crate) fn try_send(&self, to: SocketAddr) -> Result<Answer, String> {
        let stream = try_connect(to, self.source).map_err(|error| error.to_string())?;
        Answer::read(&mut self.write_on(stream))
    }

    /// Sends it and does not read the answer.
    #[track_caller]
    pub(crate) fn write(&self, to: SocketAddr) -> TcpStream {
        self.write_on(connect(to, self.source))
    }

    fn write_on(&self, mut stream: TcpStream) -> TcpStream {
        let to = stream.peer_addr().map_or_else(|_| "127.0.0.1".to_owned(), |to| to.to_string());
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.has("Host") {
            push_header(&mut head, "Host", &to);
        }
        for (name, value) in &self.headers {
            push_header(&mut head, name, value);
        }
        if !self.body.is_empty() || self.method == "POST" {
            push_header(&mut head, "Content-Length", &self.body.len().to_string());
        }
        head.push_str("Connection: close\r\n\r\n");
        // A server may answer before it has read everything: its answer counts, not our broken pipe.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&self.body));
        stream
    }
}

/// A stream of events; it is left when this is dropped.
pub(crate) struct Listening {
    pub(crate) status: u16,
    lines: Lines<BufReader<TcpStream>>,
}

impl Listening {
    /// The data of the next event that has any.
    #[track_caller]
    pub(crate) fn data(&mut self) -> String {
        let lines = self.lines.by_ref().map(Result::unwrap);
        let mut data = lines.filter_map(|line| line.strip_prefix("data:").map(|data| data.trim().to_owned()));
        data.find(|data| !data.is_empty()).unwrap()
    }
}

fn push_header(head: &mut String, name: &str, value: &str) {
    head.extend([name, ": ", value, "\r\n"]);
}

/// A connection that gives up rather than waits for ever.
#[track_caller]
pub(crate) fn connect(to: SocketAddr, source: Option<IpAddr>) -> TcpStream {
    try_connect(to, source).unwrap()
}

fn try_connect(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.connect_timeout(&to.into(), PATIENCE)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket.into())
}

/// What came back.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    /// Reads to the end of the connection.
    pub(crate) fn read(stream: &mut impl Read) -> Result<Self, String> {
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes);
        let split = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(split) = split else {
            return Err(format!("no answer ({ended:?}), only {:?}", String::from_utf8_lossy(&bytes)));
        };
        let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok());
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let body = bytes[split + 4..].to_vec();
        let is_chunked =
            headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let body = if is_chunked { dechunk(&body) } else { body };
        Ok(Self { status: status.ok_or("no status")?, headers, body })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {} {:?}", self.status, self.text()))
    }

    /// The code of the failure in the body, or nothing.
    pub(crate) fn code(&self) -> String {
        let value: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        value["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The JSON-RPC messages of the body, whether it is plain JSON or a stream of events.
    #[track_caller]
    pub(crate) fn messages(&self) -> Vec<Value> {
        if !self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            return vec![self.json()];
        }
        let text = self.text();
        let data = text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim);
        data.filter(|data| !data.is_empty()).map(|data| serde_json::from_str(data).unwrap()).collect()
    }

    /// The answer to the request of that id.
    #[track_caller]
    pub(crate) fn reply(&self, id: &Value) -> Value {
        let found = self
            .messages()
            .into_iter()
            .find(|message| message["id"] == *id && message.get("method").is_none());
        found.unwrap_or_else(|| panic!("no answer {id} in {} {:?}", self.status, self.text()))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String = self.text().chars().take(2_000).collect();
        write!(f, "{} {text}", self.status)
    }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let Ok(size) = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16) else {
            break;
        };
        let chunk = &rest[end + 2..];
        if size == 0 || chunk.len() < size {
            break;
        }
        body.extend_from_slice(&chunk[..size]);
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    body
}
