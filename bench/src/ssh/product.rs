//! The shipped binary as a server, called over MCP on HTTP: every figure holds all of its layers.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::program::waiting;
use super::sshd::Sshd;
use crate::contestant::{Start, shipped_binary};
use crate::http_load::Connection;
use crate::measure::{free_port, start};
use crate::process::Process;

/// The token that may do everything.
const TOKEN: &str = "a-token-of-the-benchmark";

/// How often a task that outlived its call is waited for, 30 seconds each.
const WAITS: usize = 20;

/// A home of the product, which may log in with the run's key and use local files below a folder.
pub(super) struct Home {
    folder: TempDir,
    binary: Start,
}

impl Home {
    pub(super) fn new(sshd: &Sshd, local: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join(".config/gabier");
        fs::create_dir_all(&config)?;
        let keys = sshd.key.parent().context("the key has a folder")?;
        let text = format!(
            "[auth]\ntoken = {TOKEN:?}\n[files]\nroots = [\"{}\"]\n\
             [ssh]\nkey_roots = [\"{}\"]\nknown_hosts = [\"/nowhere\"]\n",
            local.display(),
            keys.display()
        );
        fs::write(config.join("config.toml"), text)?;
        Ok(Self { folder, binary: shipped_binary()? })
    }

    /// A command line of its own, to its end.
    pub(super) fn run(&self, words: &[&str]) -> Result<Duration> {
        let begin = Instant::now();
        let mut process = self.start(words, false)?;
        waiting(|| process.success()).with_context(|| format!("gabier {}", words.join(" ")))?;
        Ok(begin.elapsed())
    }

    /// A command line of its own, on pipes where that is wanted.
    pub(super) fn start(&self, words: &[&str], stdio: bool) -> Result<Process> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Process::start(&self.binary, &words, self.folder.path(), stdio)
    }

    /// Makes a host known, without a server.
    pub(super) fn add(&self, sshd: &Sshd, alias: &str) -> Result<()> {
        let known = host(sshd, alias, sshd.port).to_string();
        self.run(&["call", "server_add", "--input", &known, "--yes"]).map(drop)
    }
}

/// What makes a host known.
fn host(sshd: &Sshd, alias: &str, port: u16) -> Value {
    json!({"alias": alias, "host": "127.0.0.1", "port": port, "user": sshd.user, "key_path": sshd.key})
}

/// A running server.
pub(super) struct Product {
    pub(super) process: Process,
    port: u16,
    _home: Home,
}

impl Product {
    pub(super) async fn start(home: Home) -> Result<Self> {
        let port = free_port()?;
        let words = ["serve".to_owned(), "--port".to_owned(), port.to_string()];
        let health = format!("GET /health HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        let (process, _) = start(&home.binary, &words, home.folder.path(), port, health.as_bytes()).await?;
        Ok(Self { process, port, _home: home })
    }

    /// A client with a connection of its own.
    pub(super) async fn caller(&self) -> Result<Caller> {
        Ok(Caller { connection: Connection::open(self.port).await?, port: self.port })
    }
}

/// A client of the server.
pub(super) struct Caller {
    connection: Connection,
    port: u16,
}

impl Caller {
    /// Makes a host known.
    pub(super) async fn add(&mut self, sshd: &Sshd, alias: &str, port: u16) -> Result<()> {
        self.call("server_add", &host(sshd, alias, port)).await.map(drop)
    }

    /// Calls a tool and gives its data; a task that goes on is waited for.
    pub(super) async fn call(&mut self, tool: &str, arguments: &Value) -> Result<Value> {
        let mut data = self.ask(tool, arguments).await?;
        for _ in 0..WAITS {
            let is_on = matches!(data["status"].as_str(), Some("running" | "queued" | "pending"));
            if !is_on || tool == "task_wait" {
                break;
            }
            let id = data["id"].as_str().context("a task without an id")?.to_owned();
            data = self.ask("task_wait", &json!({"id": id, "timeout": 30})).await?;
        }
        Ok(data)
    }

    /// Calls a tool and gives the data of its first answer.
    pub(super) async fn ask(&mut self, tool: &str, arguments: &Value) -> Result<Value> {
        let answer = self.connection.exchange(&self.request(tool, arguments)).await?;
        let text = std::str::from_utf8(answer)?;
        let body = text.split_once("\r\n\r\n").context("an answer without a body")?.1;
        let mut answer: Value =
            serde_json::from_str(body).with_context(|| format!("{tool} said {text:?}"))?;
        let envelope = &mut answer["result"]["structuredContent"];
        if envelope["status"] == "error" || !envelope.is_object() {
            bail!("{tool} {arguments}: {body}");
        }
        Ok(envelope["data"].take())
    }

    /// Runs a command that must succeed.
    pub(super) async fn exec(&mut self, alias: &str, command: &str) -> Result<Duration> {
        let begin = Instant::now();
        let data = self.call("task_exec", &json!({"alias": alias, "cmd": command})).await?;
        let took = begin.elapsed();
        ensure!(data["exit_code"] == 0, "{command} gave {data}");
        Ok(took)
    }

    fn request(&self, tool: &str, arguments: &Value) -> Vec<u8> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": tool, "arguments": arguments, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        }})
        .to_string();
        format!(
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
             MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .into_bytes()
    }
}
