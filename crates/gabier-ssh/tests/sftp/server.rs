//! A real `sftp-server` as a child process, on a socket pair.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use gabier_ssh::sftp::{Session, Settings};
use tokio::net::UnixStream;

/// Where Debian's package `openssh-sftp-server` puts it.
const PROGRAM: &str = "/usr/lib/openssh/sftp-server";

/// A running server; it is killed when dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts a server with these options and gives the stream to it.
    pub(crate) fn start(options: &[&str]) -> (Self, UnixStream) {
        Self::start_as(options, rustix::process::geteuid().as_raw())
    }

    /// Starts a server as another user, which only root may do.
    pub(crate) fn start_as(options: &[&str], user: u32) -> (Self, UnixStream) {
        let (ours, theirs) = StdStream::pair().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the tests start the server that they talk to")]
        let child = Command::new(PROGRAM)
            .args(options)
            .uid(user)
            .stdin(Stdio::from(OwnedFd::from(theirs.try_clone().unwrap())))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null())
            .spawn()
            .expect("openssh-sftp-server is installed");
        ours.set_nonblocking(true).unwrap();
        (Self(child), UnixStream::from_std(ours).unwrap())
    }

    /// Starts a server and a session with it.
    pub(crate) async fn session() -> (Self, Session) {
        let (server, stream) = Self::start(&[]);
        (server, Session::open(stream, Settings::default()).await.unwrap())
    }

    /// Kills the server at once.
    pub(crate) fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// How many files of a folder the server has open.
    pub(crate) fn open_files(&self, folder: &std::path::Path) -> usize {
        let handles = std::fs::read_dir(format!("/proc/{}/fd", self.0.id())).unwrap();
        let targets = handles.filter_map(|handle| std::fs::read_link(handle.ok()?.path()).ok());
        targets.filter(|target| target.starts_with(folder)).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
