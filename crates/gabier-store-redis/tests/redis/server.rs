//! A Redis server of its own for a test, on loopback, in a directory that goes with it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running `redis-server`; it ends when this is dropped.
pub(crate) struct Server {
    directory: TempDir,
    port: u16,
    options: Vec<String>,
    child: Child,
}

impl Server {
    /// A server that keeps nothing on disk.
    pub(crate) fn start() -> Self {
        Self::with(&["--save", "", "--appendonly", "no"])
    }

    /// A server that syncs every write before it answers.
    pub(crate) fn durable() -> Self {
        Self::with(&["--save", "", "--appendonly", "yes", "--appendfsync", "always"])
    }

    /// A server with these options.
    ///
    /// # Panics
    /// When there is no `redis-server`: e2e/setup.sh installs it.
    pub(crate) fn with(options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let child = spawn(&directory, port, &options);
        let server = Self { directory, port, options, child };
        server.wait();
        server
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A connection for the test itself.
    pub(crate) fn connection(&self) -> redis::Connection {
        let client = redis::Client::open(self.url()).expect("a URL");
        client.get_connection().expect("a connection")
    }

    /// Kills it at once (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("kill");
        self.child.wait().expect("wait");
    }

    /// Starts it anew on the same port and files.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.directory, self.port, &self.options);
        self.wait();
    }

    /// Sends its process a signal by name.
    #[expect(clippy::disallowed_methods, reason = "tests start what they need")]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.pid().to_string()).status();
        assert!(sent.expect("kill").success());
    }

    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(20);
        let client = redis::Client::open(self.url()).expect("a URL");
        let is_up = || {
            let mut connection = client.get_connection()?;
            redis::cmd("PING").query::<String>(&mut connection)
        };
        while is_up().is_err() {
            assert!(Instant::now() < end, "redis-server on port {} does not answer", self.port);
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests start what they need")]
fn spawn(directory: &TempDir, port: u16, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no", "--dir"])
        .arg(directory.path())
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server starts (e2e/setup.sh installs it)")
}
