//! A server under measurement: its process, its CPU time and its memory.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::contestant::Start;

/// The kernel counts CPU time for `/proc` in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// A started process, ended when this value goes.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a program in a fresh home, so that no setting of the user takes part.
    pub(crate) fn start(start: &Start, arguments: &[String], home: &Path, stdio: bool) -> Result<Self> {
        let pipe = || if stdio { Stdio::piped() } else { Stdio::null() };
        #[expect(clippy::disallowed_methods, reason = "a benchmark starts what it measures")]
        let mut command = Command::new(&start.program);
        if let Some(name) = start.called {
            command.arg0(name);
        }
        let child = command
            .args(arguments)
            .env("HOME", home)
            .stdin(pipe())
            .stdout(pipe())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("starting {}", start.program.display()))?;
        Ok(Self { child })
    }

    /// The pipes to the process; they can be taken once.
    pub(crate) fn pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        Some((self.child.stdin.take()?, self.child.stdout.take()?))
    }

    /// CPU time used so far, by all threads, in user and kernel mode.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        cpu_fields(&self.child.id().to_string(), 11)
    }

    /// Resident memory in MB.
    pub(crate) fn memory_mb(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("reading VmRSS")?;
        let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes / 1024.0)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the process to end by itself.
    pub(crate) fn wait(&mut self) -> Result<()> {
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the process to end by itself, and well.
    pub(crate) fn success(&mut self) -> Result<()> {
        let status = self.child.wait()?;
        ensure!(status.success(), "a program ended with {status}");
        Ok(())
    }

    /// CPU time of all programs that this process started and that have ended.
    pub(crate) fn cpu_of_ended() -> Result<Duration> {
        cpu_fields("self", 13)
    }
}

/// Two fields of `/proc/PID/stat`, user and kernel mode: 11 are the process's own, 13 its ended children's.
fn cpu_fields(process: &str, first: usize) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold spaces; fields are counted behind it.
    let (_, fields) = stat.rsplit_once(')').context("reading /proc/PID/stat")?;
    let ticks =
        fields.split_whitespace().skip(first).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// CPU time that this process used so far, by all threads, in user and kernel mode.
pub(crate) fn own_cpu() -> Result<Duration> {
    cpu_fields("self", 11)
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
