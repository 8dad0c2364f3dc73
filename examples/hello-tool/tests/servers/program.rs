//! A program in a home of its own, and what talks to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The program in a home of its own.
pub(crate) struct Program {
    path: &'static str,
    home: TempDir,
}

/// A process that ends with its test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    pub(crate) fn new(path: &'static str) -> Self {
        Self { path, home: TempDir::new().unwrap() }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    #[expect(clippy::disallowed_methods, reason = "the test drives the real program from outside")]
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.path);
        command.args(words).env_clear().env("HOME", self.home.path()).current_dir(self.home.path());
        command
    }

    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).stdin(Stdio::null()).output().unwrap()
    }

    /// What it prints for these lines on standard input.
    pub(crate) fn print_for(&self, words: &[&str], input: &str) -> String {
        let mut running = self.start(words);
        running.0.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let mut output = String::new();
        running.0.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        output
    }

    pub(crate) fn start(&self, words: &[&str]) -> Running {
        let mut command = self.command(words);
        Running(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// A server on a free port, and its address.
    pub(crate) fn serve(&self) -> (Running, String) {
        let mut server = self.start(&["serve", "--port", "0"]);
        let lines = lines(server.0.stderr.take().unwrap());
        loop {
            let line = lines.recv_timeout(PATIENCE).expect("a line that names the URL");
            if let Some((_, address)) = line.split_once("http://") {
                return (server, address.split(['/', ' ']).next().unwrap().to_owned());
            }
        }
    }
}

pub(crate) fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (give, take) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            // A test that has heard enough drops its end.
            let _ = give.send(line);
        }
    });
    take
}

/// The status and the body of one request.
pub(crate) fn request(address: &str, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let text = format!(
        "{head} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}
