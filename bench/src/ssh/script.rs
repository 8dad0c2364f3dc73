//! A peer that is a library: a script in `bench/peers` uses it, times what is short itself, and is told by lines of
//! JSON what to do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::book::Who;
use super::content::Way;
use super::program::{succeeds, waiting};
use super::sshd::Sshd;
use crate::contestant::{NODE, Start};
use crate::process::Process;

/// Python with what is installed for it.
const PYTHON: &str = ".venv/bin/python";

/// A running script, logged in to the server on as many connections as were asked for.
pub(super) struct Script {
    pub(super) process: Process,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

/// True when a peer can take part.
pub(super) fn is_installed(who: Who) -> bool {
    match who {
        Who::Node => peers().join(NODE).exists() && peers().join("node_modules/ssh2").exists(),
        _ => succeeds(&peers().join(PYTHON), &["-c", "import asyncssh"]),
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

impl Script {
    pub(super) fn start(who: Who, sshd: &Sshd, port: u16, connections: usize) -> Result<Self> {
        let (program, script) = match who {
            Who::Node => (NODE, "ssh2.mjs"),
            _ => (PYTHON, "async_ssh.py"),
        };
        let program = Start { program: peers().join(program), called: None };
        let home = sshd.key.parent().context("the key has a folder")?;
        let mut process =
            Process::start(&program, &[peers().join(script).display().to_string()], home, true)?;
        let (input, output) = process.pipes().context("the pipes of a peer")?;
        let mut peer = Self { process, input, output: BufReader::new(output) };
        peer.ask(&json!({
            "command": "open", "port": port, "user": sshd.user, "key": sshd.key, "connections": connections,
        }))?;
        Ok(peer)
    }

    fn ask(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.input, "{command}")?;
        let mut line = String::new();
        waiting(|| self.output.read_line(&mut line))?;
        let mut answer: Value =
            serde_json::from_str(&line).with_context(|| format!("a peer said {line:?}"))?;
        ensure!(answer.get("ok").is_some(), "{command}: {answer}");
        Ok(answer["ok"].take())
    }

    /// Runs `true` on the first connection, one after the other.
    pub(super) fn exec(&mut self, number: u32) -> Result<Vec<Duration>> {
        let times: Vec<f64> =
            serde_json::from_value(self.ask(&json!({"command": "exec", "number": number}))?)?;
        Ok(times.into_iter().map(|milliseconds| Duration::from_secs_f64(milliseconds / 1e3)).collect())
    }

    /// Runs `true` on all connections, five at a time on each; gives how many per second.
    pub(super) fn burst(&mut self, number: u32) -> Result<f64> {
        let rate = self.ask(&json!({"command": "burst", "number": number, "channels": 5}))?;
        rate.as_f64().context("a rate")
    }

    /// Moves a file or a tree.
    pub(super) fn transfer(&mut self, way: Way, [source, target]: [&Path; 2]) -> Result<Duration> {
        let begin = Instant::now();
        self.ask(&json!({
            "command": if way == Way::Up { "put" } else { "get" },
            "source": source, "target": target, "tree": source.is_dir(),
        }))?;
        Ok(begin.elapsed())
    }
}
