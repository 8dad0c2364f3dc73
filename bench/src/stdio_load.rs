//! A client on pipes: how soon a fresh process answers, and how long each call takes.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::contestant::Start;
use crate::process::Process;
use crate::request::{Era, TEXT, call, handshake};

/// What one fresh process showed.
pub(crate) struct Visit {
    /// From the start of the process to its first answer.
    pub(crate) first_answer: Duration,
    /// Its memory after that answer.
    pub(crate) idle_mb: f64,
    pub(crate) latencies: Vec<Duration>,
    /// From the end of its input to its own end.
    pub(crate) leave: Duration,
}

/// Starts a process, shakes hands and calls one after the other; without calls it is only started.
pub(crate) fn visit(start: &Start, arguments: &[String], home: &Path, calls: u64) -> Result<Visit> {
    let begin = Instant::now();
    let mut process = Process::start(start, arguments, home, true)?;
    let (input, output) = process.pipes().context("the pipes were taken")?;
    let mut pipe = Pipe { input, output: BufReader::new(output), line: String::new() };
    let [initialize, initialized] = handshake();
    pipe.say(&initialize)?;
    pipe.hear("protocolVersion")?;
    let first_answer = begin.elapsed();
    pipe.say(&initialized)?;
    // The rest a process takes after its first answer is over before its memory is read.
    std::thread::sleep(Duration::from_millis(50));
    let idle_mb = process.memory_mb()?;
    let latencies = (1..=calls).map(|id| pipe.call(id)).collect::<Result<_>>()?;
    let begin = Instant::now();
    drop(pipe);
    process.wait()?;
    Ok(Visit { first_answer, idle_mb, latencies, leave: begin.elapsed() })
}

struct Pipe {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    line: String,
}

impl Pipe {
    fn call(&mut self, id: u64) -> Result<Duration> {
        let call = call(id, Era::Legacy);
        let begin = Instant::now();
        self.say(&call)?;
        self.hear(TEXT)?;
        Ok(begin.elapsed())
    }

    fn say(&mut self, message: &Value) -> Result<()> {
        let mut line = message.to_string();
        line.push('\n');
        self.input.write_all(line.as_bytes())?;
        Ok(())
    }

    /// Reads one line, which must hold the given text.
    fn hear(&mut self, expected: &str) -> Result<()> {
        self.line.clear();
        ensure!(self.output.read_line(&mut self.line)? > 0, "the server closed its output");
        ensure!(self.line.contains(expected), "unexpected answer: {}", self.line);
        Ok(())
    }
}
