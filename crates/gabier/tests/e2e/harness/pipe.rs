//! `gabier mcp` on pipes: one line in, one line out, nothing but protocol.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::spawn;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{PATIENCE, Running, Watched};

/// An MCP server on its pipes.
pub(crate) struct Pipe {
    running: Running,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    stderr: Watched,
    last: i64,
}

impl Pipe {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut running = Running::start(command);
        let input = running.child().stdin.take();
        let output = running.child().stdout.take().unwrap();
        let (stderr, _) = Watched::read(running.child().stderr.take().unwrap());
        let (give, lines) = channel();
        spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if give.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { running, input, lines, stderr, last: 0 }
    }

    /// Opens the session in a revision; gives back the result.
    #[track_caller]
    pub(crate) fn initialize(&mut self, revision: &str) -> Value {
        let params = json!({
            "protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "e2e", "version": "1"},
        });
        let result = self.ask("initialize", &params)["result"].clone();
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        result
    }

    /// Writes one message.
    pub(crate) fn say(&mut self, message: &Value) {
        self.say_raw(message.to_string().as_bytes());
    }

    /// Writes one line as it is.
    pub(crate) fn say_raw(&mut self, line: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(line).and_then(|()| input.write_all(b"\n")).and_then(|()| input.flush()).unwrap();
    }

    /// The next line, which must be a message of the protocol, or a batch of them.
    #[track_caller]
    pub(crate) fn hear(&self) -> Value {
        let line = self
            .lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("{error}; {}", self.stderr.text()));
        protocol(&line)
    }

    /// Sends a request and gives back the answer, whatever notifications come before it.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        self.answer_of(&id)
    }

    /// Sends a request and gives back its id.
    pub(crate) fn begin(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}));
        json!(self.last)
    }

    /// The answer to the request of that id.
    #[track_caller]
    pub(crate) fn answer_of(&self, id: &Value) -> Value {
        loop {
            let message = self.hear();
            if message["id"] == *id && message.get("method").is_none() {
                return message;
            }
        }
    }

    /// Calls a tool and gives back the result.
    #[track_caller]
    pub(crate) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        assert!(answer.get("result").is_some(), "{answer}");
        answer["result"].clone()
    }

    /// Closes the input; gives back how long the process lived on, what it still said, and its exit code.
    #[track_caller]
    pub(crate) fn leave(mut self) -> (Duration, Vec<Value>, Option<i32>) {
        let begin = Instant::now();
        drop(self.input.take());
        let mut rest = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(protocol(&line)),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("the process lives on; it said {rest:?}"),
            }
        }
        let code = self.running.child().wait().unwrap().code();
        (begin.elapsed(), rest, code)
    }

    /// True while nothing has come that was not asked for.
    pub(crate) fn is_silent_for(&self, time: Duration) -> bool {
        matches!(self.lines.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}

#[track_caller]
fn protocol(line: &str) -> Value {
    let message: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: stdout holds {line:?}"));
    let first = message.as_array().and_then(|batch| batch.first()).unwrap_or(&message);
    assert_eq!(first["jsonrpc"], "2.0", "stdout holds {line:?}");
    message
}
