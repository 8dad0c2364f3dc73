//! Tools that only exist as JSON, a backend that answers from a table, and a terminal that is none.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, pending, ready};
use gabier_term::{About, Answer, Backend, Captured, Cli, Environment, Parsed, Terminal};
use gabier_tool::{Clock, Error, ErrorKind, Feedback, Level, Result, Timestamp, ToolInfo, View};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

/// A clock that stands at 2026-01-02T03:04:05.678Z.
pub(crate) struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_millis(1_767_323_045_678).expect("a moment of 2026")
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }
}

/// A tool as a server lists it.
pub(crate) fn tool(name: &str, effect: &str, input: Value) -> ToolInfo {
    serde_json::from_value(json!({
        "name": name, "title": name, "toolset": "test", "summary": format!("Does {name}."),
        "description": format!("Does {name}.\n\nAnd says so."), "effect": effect, "mode": "inline",
        "needs": ["read"], "profile": "full", "input": input, "output": {"type": "object"},
    }))
    .expect("a tool")
}

/// The tools of these tests.
pub(crate) fn tools() -> Vec<ToolInfo> {
    let mut server_add = tool(
        "server_add",
        "write",
        json!({"type": "object", "required": ["alias", "host"], "properties": {
            "alias": {"type": "string", "description": "Name of the host."},
            "host": {"type": "string", "description": "Address."},
            "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 22, "description": "Port."},
            "key_path": {"type": "string", "x-complete": "path", "description": "Key file."},
            "password": {"type": "string", "writeOnly": true, "description": "Password."},
            "groups": {"type": "array", "items": {"type": "string"}, "description": "Groups."},
            "retry": {"type": "object", "description": "What to do when it fails.", "properties": {
                "max": {"type": "integer", "description": "How often."}}},
            "auth": {"description": "How to log in.", "oneOf": [
                {"description": "By key.", "type": "object", "properties": {
                    "kind": {"const": "key"}, "path": {"type": "string", "description": "Key."}}},
                {"type": "object", "properties": {"kind": {"const": "none"}}}]},
            "dry_run": {"type": "boolean", "default": false, "x-common": true, "description": "Only shows."},
        }}),
    );
    server_add.aliases = vec!["addServer".to_owned()];
    vec![
        tool(
            "ping_host",
            "read",
            json!({"type": "object", "required": ["host"], "properties": {
                "host": {"type": "string", "description": "Host.", "x-complete": "host", "examples": ["example.org"]},
                "count": {"type": "integer", "minimum": 1, "maximum": 20, "default": 4, "description": "Echoes.",
                    "x-cli": {"short": "c"}, "examples": [2]},
            }}),
        ),
        server_add,
        tool(
            "task_exec",
            "exec",
            json!({"type": "object", "required": ["alias", "cmd"], "properties": {
                "alias": {"type": "string", "description": "Host.", "x-complete": "host"},
                "cmd": {"type": "string", "description": "Command."},
                "dry_run": {"type": "boolean", "x-common": true, "description": "Only shows."},
            }}),
        ),
        tool(
            "server_remove",
            "destroy",
            json!({"type": "object", "required": ["alias"], "properties": {
                "alias": {"type": "string", "description": "Name."},
                "dry_run": {"type": "boolean", "x-common": true, "description": "Only shows."},
            }}),
        ),
        tool(
            "calculator",
            "read",
            json!({"type": "object", "required": ["expression"], "properties": {
                "expression": {"type": "string", "description": "What to work out.", "x-cli": {"stdin": true}}}}),
        ),
        tool(
            "port_scan",
            "read",
            json!({"type": "object", "required": ["host"], "properties": {
                "host": {"type": "string", "description": "Host.", "x-aliases": ["target"]},
                "ports": {"type": "array", "items": {"type": "integer"}, "description": "Ports."},
                "env": {"type": "object", "additionalProperties": {"type": "string"}, "description": "Env."},
                "sort": {"description": "Order.", "oneOf": [
                    {"const": "cpu", "description": "By processor."}, {"const": "name", "description": "By name."}]},
                "files": {"type": "array", "description": "Files.", "items": {"type": "object", "properties": {
                    "local": {"type": "string"}, "remote": {"type": "string"}}}},
            }}),
        ),
        tool("shell_create", "write", json!({"type": "object", "properties": {}})),
    ]
}

/// A command line over the tools of these tests, with two commands of the program's own.
pub(crate) fn cli() -> Cli {
    let about = About { name: "gab".to_owned(), version: "1.2.3".to_owned(), summary: "Tests.".to_owned() };
    Cli::new(about, tools())
        .command(
            clap::Command::new("serve").about("Serve over HTTP").arg(clap::Arg::new("port").long("port")),
        )
        .command(
            clap::Command::new("config").about("Look at settings").subcommand(clap::Command::new("show")),
        )
        .completers(gabier_term::Completers::new().with("host", || {
            vec![("web1".to_owned(), "the web".to_owned()), ("db1".to_owned(), String::new())]
        }))
}

pub(crate) fn terminal(input: &str, variables: &[(&str, &str)]) -> (Arc<Terminal>, Captured) {
    let (terminal, captured) = Terminal::captured(input, Environment::of(variables), Arc::new(StoppedClock));
    (Arc::new(terminal), captured)
}

pub(crate) fn argv(words: &[&str]) -> Vec<OsString> {
    std::iter::once("gab").chain(words.iter().copied()).map(Into::into).collect()
}

/// Answers calls from what they say, and remembers them.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) calls: Mutex<Vec<(String, Value)>>,
    /// What `ping_host` answers.
    pub(crate) answer: Option<Value>,
}

impl Backend for Fake {
    fn tools(&self) -> BoxFuture<'_, Result<Vec<ToolInfo>>> {
        Box::pin(ready(Ok(tools())))
    }

    fn call<'a>(
        &'a self,
        name: &'a str,
        arguments: Map<String, Value>,
        feedback: Arc<dyn Feedback>,
        cancel: CancellationToken,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            self.calls.lock().unwrap().push((name.to_owned(), Value::Object(arguments.clone())));
            match name {
                "shell_create" => {
                    feedback.log(Level::Warn, "waiting");
                    cancel.cancelled().await;
                    Answer::failed(Error::new(ErrorKind::Cancelled, "it was cancelled"), &StoppedClock)
                }
                "nope" => Answer::failed(
                    Error::not_found("there is no tool \"nope\"").with_next("call ping_host"),
                    &StoppedClock,
                ),
                _ => {
                    let data = self.answer.clone().unwrap_or(Value::Object(arguments));
                    Answer::of(data.clone(), View::of(&data))
                }
            }
        })
    }
}

/// Runs one command line to its end: exit code, stdout, stderr.
pub(crate) async fn run(fake: &Fake, words: &[&str]) -> (u8, String, String) {
    let (terminal, captured) = terminal("", &[("PASS", "from the environment")]);
    let code = run_on(&terminal, fake, words).await;
    (code, captured.out(), captured.err())
}

pub(crate) async fn run_on(terminal: &Arc<Terminal>, fake: &Fake, words: &[&str]) -> u8 {
    let cli = cli();
    match cli.parse(&argv(words), terminal) {
        Parsed::Tool { name, arguments, globals } => {
            cli.call(terminal, fake, (&name, arguments), &globals).await
        }
        Parsed::Failed { error, globals } => terminal.fail(error, &globals),
        Parsed::Exit { text, code } => {
            terminal.print(&text);
            code
        }
        Parsed::Command { name, .. } => {
            terminal.print(&format!("command {name}\n"));
            0
        }
        Parsed::Shell { .. } => {
            terminal.print("shell\n");
            0
        }
    }
}
