//! BullMQ on Node, which times itself: `bench/peers/bullmq.mjs`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::phases::Lane;
use crate::contestant::Start;
use crate::process::Process;

/// Node with a queue of its own.
pub(super) struct BullMq {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    process: Process,
}

impl BullMq {
    pub(super) fn start(redis: u16, home: &Path) -> Result<Self> {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR"));
        let installed = bench.join("../e2e/bullmq/node_modules/bullmq");
        ensure!(installed.exists(), "BullMQ is not installed: run e2e/setup.sh");
        let script = bench.join("peers/bullmq.mjs").display().to_string();
        let node = Start { program: PathBuf::from("node"), called: None };
        let mut process = Process::start(&node, &[script, redis.to_string()], home, true)?;
        let (input, output) = process.pipes().context("the pipes of Node")?;
        let mut peer = Self { input, output: BufReader::new(output), process };
        peer.ask(&json!({"command": "open", "name": "noops"}))?;
        Ok(peer)
    }

    fn ask(&mut self, command: &Value) -> Result<Value> {
        writeln!(self.input, "{command}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let mut answer: Value = serde_json::from_str(&line).with_context(|| format!("Node said {line:?}"))?;
        ensure!(answer.get("ok").is_some(), "Node: {answer}");
        Ok(answer["ok"].take())
    }

    fn rate(&mut self, command: &Value) -> Result<f64> {
        self.ask(command)?.as_f64().context("a rate")
    }
}

impl Lane for BullMq {
    async fn add(&mut self, number: u32, at_once: u32) -> Result<f64> {
        self.rate(&json!({"command": "add", "number": number, "at_once": at_once}))
    }

    async fn drain(&mut self, number: u32, slots: u32) -> Result<f64> {
        self.rate(&json!({"command": "drain", "number": number, "slots": slots}))
    }

    async fn flow(&mut self, number: u32, at_once: u32, slots: u32) -> Result<f64> {
        self.rate(&json!({"command": "flow", "number": number, "at_once": at_once, "slots": slots}))
    }

    async fn latencies(&mut self, number: u32) -> Result<Vec<Duration>> {
        let found: Vec<f64> =
            serde_json::from_value(self.ask(&json!({"command": "latencies", "number": number}))?)?;
        Ok(found.into_iter().map(|milliseconds| Duration::from_secs_f64(milliseconds / 1e3)).collect())
    }

    fn cpu(&self) -> Result<Duration> {
        self.process.cpu()
    }

    async fn close(&mut self) -> Result<()> {
        self.ask(&json!({"command": "close"})).map(drop)
    }
}
