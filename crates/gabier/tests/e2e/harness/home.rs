//! A home of its own: no setting of the user leaks in, and the data directory is new.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Done, Pipe, Running, Server, program};

/// A fresh home; everything in it goes with it.
pub(crate) struct Home {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("gabier-e2e-").tempdir().unwrap();
        // Where no machine's settings are: a service manager that is there or not would decide what tools answer.
        let no_bus = format!("unix:path={}/no-bus", folder.path().display());
        let home = Self { folder, variables: Vec::new() };
        home.with("DBUS_SYSTEM_BUS_ADDRESS", &no_bus)
    }

    /// One with a user's configuration file.
    pub(crate) fn with_config(text: &str) -> Self {
        let home = Self::new();
        home.configure(text);
        home
    }

    /// Writes the user's configuration file.
    pub(crate) fn configure(&self, text: &str) {
        self.write(".config/gabier/config.toml", text);
    }

    /// Adds a variable to the environment of every process of this home.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text_path(&self, name: &str) -> String {
        self.path(name).into_os_string().into_string().unwrap()
    }

    /// Where the store rests.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.path(".local/share/gabier")
    }

    /// Writes a file and the folders above it; gives back its path.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        self.text_path(name)
    }

    /// The program with these words, not started.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = program(env!("CARGO_BIN_EXE_gabier"));
        command.args(words);
        self.surround(&mut command);
        command
    }

    /// Gives a program this home and nothing else of the test's environment.
    pub(crate) fn surround(&self, command: &mut Command) {
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("LANG", "C.UTF-8")
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &[&str]) -> Done {
        self.run_with(words, "")
    }

    /// Runs the program to its end with this on standard input.
    #[track_caller]
    pub(crate) fn run_with(&self, words: &[&str], input: &str) -> Done {
        Running::start(&mut self.command(words)).finish(input.as_bytes())
    }

    /// Runs the program with `--json`; it must succeed. Gives back the envelope or the document.
    #[track_caller]
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        self.run(&[words, &["--json"]].concat()).success().json()
    }

    /// Calls a tool on the command line and gives back the envelope, failures included.
    #[track_caller]
    pub(crate) fn call(&self, tool: &str, arguments: &Value) -> Value {
        self.run(&["call", tool, "--input", &arguments.to_string(), "--json", "--yes"]).json()
    }

    /// A server on a free port that answers.
    #[track_caller]
    pub(crate) fn serve(&self, words: &[&str]) -> Server {
        Server::start(&mut self.command(&[&["serve", "--port", "0"], words].concat()))
    }

    /// An MCP server on pipes.
    pub(crate) fn mcp(&self, words: &[&str]) -> Pipe {
        Pipe::start(&mut self.command(&[&["mcp"], words].concat()))
    }
}
