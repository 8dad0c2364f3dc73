//! `gabier serve` on a free port, from the line that names its URL to the end of the test.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use regex::Regex;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Answer, PATIENCE, Request, Running, Watched, get, post};

/// A server that answers.
pub(crate) struct Server {
    running: Running,
    stdout: Watched,
    stderr: Watched,
    ends: Receiver<()>,
    pub(crate) address: SocketAddr,
    pub(crate) url: String,
    token: Option<String>,
}

impl Server {
    /// Starts it and waits until standard error names its URL.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut running = Running::start(command);
        let (stdout, _) = Watched::read(running.child().stdout.take().unwrap());
        let (stderr, ends) = Watched::read(running.child().stderr.take().unwrap());
        let named = Regex::new(r"http://(127\.0\.0\.1:[1-9][0-9]*)").unwrap();
        let address = stderr
            .wait_for("the line with the URL", |text| named.captures(text)?.get(1)?.as_str().parse().ok());
        Self { running, stdout, stderr, ends, address, url: format!("http://{address}"), token: None }
    }

    /// Sends this token with every request from now on.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub(crate) fn id(&self) -> u32 {
        self.running.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// Waits for the end and gives back the exit code.
    #[track_caller]
    pub(crate) fn end(mut self) -> Option<i32> {
        self.running.end_within(PATIENCE, &self.ends).code()
    }

    /// Asks it to end, as a service manager does, and gives back the exit code.
    #[track_caller]
    pub(crate) fn end_by_signal(self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.end()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Waits until standard error holds what is looked for.
    #[track_caller]
    pub(crate) fn wait_for(&self, word: &str) {
        self.stderr.wait_for(word, |text| text.contains(word).then_some(()));
    }

    /// Sends a request, with this server's token unless it brings one.
    #[track_caller]
    pub(crate) fn send(&self, request: Request) -> Answer {
        let request = match &self.token {
            Some(token) if !request.has("Authorization") => request.bearer(token),
            _ => request,
        };
        request.send(self.address)
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(get(path))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(post(path, body))
    }

    /// Calls a tool over REST and gives back the answer.
    #[track_caller]
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> Answer {
        self.post(&format!("/api/v1/tools/{tool}"), arguments)
    }

    /// True when the server still does its work.
    #[track_caller]
    pub(crate) fn assert_alive(&self) {
        let answer = self.call("calculator", &json!({"expression": "6 * 7"}));
        assert_eq!(answer.json()["data"]["result"], "42", "{answer:?}");
    }

    /// How much memory it holds now, in MiB.
    pub(crate) fn memory_mib(&self) -> f64 {
        self.status_mib("VmRSS:")
    }

    /// The most memory it ever held, in MiB.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.status_mib("VmHWM:")
    }

    fn status_mib(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        let kib: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024.0
    }

    /// How much it has computed so far: what a loaded machine does not change.
    pub(crate) fn computed(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id())).unwrap();
        // The name, in parentheses, may hold spaces; user and system time are the 12th and the 13th field after it,
        // in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }
}
