//! Processes that are awaited for a bounded time and never left behind.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::spawn;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything that must happen may take: long for a loaded machine, short for a person.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A program to start; the one place of these tests that starts any.
#[expect(clippy::disallowed_methods, reason = "these tests drive the real program from outside")]
pub(crate) fn program(path: &str) -> Command {
    Command::new(path)
}

/// True when the variable is set for this test run.
#[expect(clippy::disallowed_methods, reason = "BLESS=1 is how a person asks for new reference files")]
pub(crate) fn is_set(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}

/// The number that the variable gives for this test run, or the usual one.
#[expect(clippy::disallowed_methods, reason = "a person asks for longer runs by it")]
pub(crate) fn number(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// What a process left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// Standard output as one JSON value.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in stdout {:?}; stderr {:?}", self.stdout, self.stderr))
    }

    /// The same, of a process that must have succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// A process that is killed by its id when nobody waits for it any more.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Waits for the end, which is seen as the end of its output.
    #[track_caller]
    pub(crate) fn end_within(&mut self, patience: Duration, ends: &Receiver<()>) -> ExitStatus {
        ends.recv_timeout(patience).unwrap_or_else(|_| panic!("the process did not end within {patience:?}"));
        self.0.wait().unwrap()
    }

    /// Gives it this input, then waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self, input: &[u8]) -> Done {
        let mut stdin = self.0.stdin.take().unwrap();
        let input = input.to_vec();
        // A program that does not read its input leaves a broken pipe: nothing to complain of.
        spawn(move || drop(stdin.write_all(&input)));
        let stdout = gather(self.0.stdout.take().unwrap());
        let stderr = gather(self.0.stderr.take().unwrap());
        let until = Instant::now() + PATIENCE;
        let text = |from: Receiver<Vec<u8>>, what: &str| {
            let left = until.saturating_duration_since(Instant::now());
            let bytes =
                from.recv_timeout(left).unwrap_or_else(|_| panic!("{what} did not end within {PATIENCE:?}"));
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let (stdout, stderr) = (text(stdout, "stdout"), text(stderr, "stderr"));
        let status = self.0.wait().unwrap();
        Done { code: status.code().unwrap_or(-1), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

fn gather(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (give, take) = channel();
    spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = give.send(bytes);
    });
    take
}

/// Lines that a process writes, kept and awaited.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<(Mutex<String>, Condvar)>);

impl Watched {
    /// Reads to the end; the receiver hears when that is.
    pub(crate) fn read(from: impl Read + Send + 'static) -> (Self, Receiver<()>) {
        let watched = Self::default();
        let (give, ends) = channel();
        let own = watched.clone();
        spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                let (text, changed) = &*own.0;
                let mut text = text.lock().unwrap();
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
                changed.notify_all();
            }
            let _ = give.send(());
        });
        (watched, ends)
    }

    pub(crate) fn text(&self) -> String {
        self.0.0.lock().unwrap().clone()
    }

    /// What `find` finds in the text, as soon as it is there.
    #[track_caller]
    pub(crate) fn wait_for<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let (text, changed) = &*self.0;
        let until = Instant::now() + PATIENCE;
        let mut text = text.lock().unwrap();
        loop {
            if let Some(found) = find(&text) {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come within {PATIENCE:?}: {text}");
            text = changed.wait_timeout(text, left).unwrap().0;
        }
    }
}
