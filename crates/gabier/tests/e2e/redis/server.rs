//! A `redis-server` of its own for a test, on loopback, in a directory that goes with it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::harness::{Home, PATIENCE, Running, program};

/// A running Redis; it ends when this is dropped.
pub(crate) struct Redis {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    running: Running,
}

impl Redis {
    /// One that syncs every write before it answers.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// One with these options. There is a `redis-server` where e2e/setup.sh has run.
    #[track_caller]
    pub(crate) fn with(options: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::Builder::new().prefix("gabier-redis-").tempdir().unwrap();
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let running = spawn(&folder, port, &options);
        let redis = Self { folder, port, options, running };
        redis.wait();
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The raw answer to a command.
    #[track_caller]
    pub(crate) fn ask(&self, words: &[&str]) -> Vec<u8> {
        let mut command = program("redis-cli");
        let done = command.args(["--raw", "-p", &self.port.to_string()]).args(words).output().unwrap();
        assert!(done.status.success() && !done.stdout.starts_with(b"ERR"), "{words:?}: {done:?}");
        done.stdout
    }

    /// A home whose store is on this Redis, with a token that may do everything.
    pub(crate) fn home(&self) -> Home {
        Home::new().with("GABIER_STORE_URL", &self.url()).with("AUTH_TOKEN", super::TOKEN)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        self.running.child().kill().unwrap();
        self.running.child().wait().unwrap();
    }

    /// Starts it anew on the same port and files.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.running = spawn(&self.folder, self.port, &self.options);
        self.wait();
    }

    #[track_caller]
    fn wait(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.answers() {
            assert!(Instant::now() < until, "redis-server does not answer on port {}", self.port);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = [0; 5];
        stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut answer)).is_ok()
            && (answer == *b"+PONG" || answer == *b"-NOAU")
    }
}

fn spawn(folder: &TempDir, port: u16, options: &[String]) -> Running {
    let mut command = program("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no", "--save", ""])
        .args(["--logfile", "redis.log", "--dir"])
        .arg(folder.path())
        .args(options);
    Running::start(&mut command)
}
