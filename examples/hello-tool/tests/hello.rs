//! The whole server that thirty lines make: MCP on pipes, REST, the command line and the pages.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

/// The program in a home of its own.
struct Program {
    home: TempDir,
}

/// A process that ends with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn new() -> Self {
        Self { home: TempDir::new().unwrap() }
    }

    #[expect(clippy::disallowed_methods, reason = "the test drives the real program from outside")]
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hello-tool"));
        command.args(words).env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).stdin(Stdio::null()).output().unwrap()
    }

    fn start(&self, words: &[&str]) -> Running {
        let mut command = self.command(words);
        Running(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// A server on a free port, and its address.
    fn serve(&self) -> (Running, String) {
        let mut server = self.start(&["serve", "--port", "0"]);
        let lines = lines(server.0.stderr.take().unwrap());
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("a line that names the URL");
            if let Some((_, address)) = line.split_once("http://") {
                return (server, address.split(['/', ' ']).next().unwrap().to_owned());
            }
        }
    }
}

fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (give, take) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // A test that has heard enough drops its end.
            let _ = give.send(line);
        }
    });
    take
}

/// The status and the body of one request.
fn request(address: &str, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let text = format!(
        "{head} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

#[test]
fn the_command_line_greets() {
    let program = Program::new();
    for words in [&["hello", "say", "World", "--json"][..], &["hello-say", "--name", "World", "--json"]] {
        let output = program.run(words);
        let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(envelope, json!({"status": "ok", "data": {"greeting": "Hello, World!"}}), "{output:?}");
    }
    assert_eq!(program.run(&["hello", "say", ""]).status.code(), Some(2));
    let help = String::from_utf8(program.run(&["hello", "say", "--help"]).stdout).unwrap();
    assert!(help.contains("Greet somebody by name") && help.contains("Whom to greet"), "{help}");
}

#[test]
fn rest_mcp_and_the_pages_are_served() {
    let program = Program::new();
    let (_server, address) = program.serve();
    let (status, body) = request(&address, "POST /api/v1/tools/hello_say", r#"{"name": "World"}"#);
    assert_eq!(status, 200, "{body}");
    assert!(body.contains("Hello, World!"), "{body}");
    assert_eq!(request(&address, "POST /api/v1/tools/hello_say", r#"{"name": 1}"#).0, 422);
    let call = json!({
        "jsonrpc": "2.0", "id": "a", "method": "tools/call",
        "params": {"name": "hello_say", "arguments": {"name": "World"}},
    });
    let (status, body) = request(&address, "POST /mcp", &call.to_string());
    assert_eq!(status, 200, "{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(answer["result"]["structuredContent"]["data"]["greeting"], "Hello, World!", "{body}");
    for path in ["/openapi.json", "/docs", "/redoc", "/health"] {
        assert_eq!(request(&address, &format!("GET {path}"), "").0, 200, "{path}");
    }
    assert!(request(&address, "GET /openapi.json", "").1.contains("hello_say"));
}

#[test]
fn an_mcp_client_on_pipes_is_greeted() {
    let program = Program::new();
    let mut server = program.start(&["mcp"]);
    let mut input = server.0.stdin.take().unwrap();
    let output = lines(server.0.stdout.take().unwrap());
    let hear = || -> Value { serde_json::from_str(&output.recv_timeout(PATIENCE).unwrap()).unwrap() };
    let client = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
    writeln!(input, "{}", json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}))
        .unwrap();
    assert_eq!(hear()["result"]["serverInfo"]["name"], "hello-tool");
    let params = json!({"name": "hello_say", "arguments": {"name": "World"}});
    writeln!(input, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap();
    writeln!(input, "{}", json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}))
        .unwrap();
    assert_eq!(hear()["result"]["structuredContent"]["data"]["greeting"], "Hello, World!");
    drop(input);
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}
