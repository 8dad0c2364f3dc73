//! A command to run on a host, and who listens to it while it runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use gabier_tool::{Error, Result};
use tokio_util::sync::CancellationToken;

use crate::quote::{quote, quote_all};

/// A command for a host's shell, with its limits and its listeners.
#[derive(Clone)]
pub struct Command {
    /// The script, for the account's own shell, byte for byte.
    pub script: String,
    /// The directory it runs in; the account's home when absent.
    pub dir: Option<String>,
    /// Variables of its environment.
    pub env: Vec<(String, String)>,
    /// What it reads.
    pub stdin: Stdin,
    /// The longest it may take, waiting and connecting included; unlimited when absent.
    pub limit: Option<Duration>,
    /// The longest it may be silent; unlimited when absent.
    pub idle_limit: Option<Duration>,
    /// How many bytes of each stream are kept.
    pub keep: usize,
    /// True when running it twice does no harm, so that it may be sent again after a lost connection.
    pub is_idempotent: bool,
    /// Who gets the output while it comes.
    pub sink: Option<Arc<dyn Sink>>,
    /// Stops the command when cancelled; the result then says how that went.
    pub cancel: CancellationToken,
}

impl Command {
    /// How many bytes of each stream are kept unless asked otherwise.
    pub const KEEP: usize = 64 * 1024;

    /// A script without limits, listeners or input.
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            dir: None,
            env: Vec::new(),
            stdin: Stdin::Closed,
            limit: None,
            idle_limit: None,
            keep: Self::KEEP,
            is_idempotent: false,
            sink: None,
            cancel: CancellationToken::new(),
        }
    }

    /// A program with arguments, each quoted.
    pub fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        Self::new(quote_all(words))
    }

    /// The same with a time limit.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The same with input.
    #[must_use]
    pub fn reading(mut self, input: impl Into<Bytes>) -> Self {
        self.stdin = Stdin::Bytes(input.into());
        self
    }

    /// The same with input that is known later.
    #[must_use]
    pub fn reading_later(mut self, input: impl Future<Output = Bytes> + Send + 'static) -> Self {
        self.stdin = Stdin::Later(input.boxed().shared());
        self
    }

    /// The same in a directory.
    #[must_use]
    pub fn in_dir(mut self, dir: impl Into<String>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// The same with a variable.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The same with a listener.
    #[must_use]
    pub fn heard_by(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sink = Some(sink);
        self
    }

    /// Refuses what no shell could be told.
    pub fn check(&self) -> Result<()> {
        let texts = self.env.iter().flat_map(|(name, value)| [name, value]).chain(&self.dir);
        if self.script.contains('\0') || texts.into_iter().any(|text| text.contains('\0')) {
            return Err(Error::invalid("cmd", "a command cannot hold a NUL character"));
        }
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.starts_with(|first: char| first.is_ascii_digit())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match self.env.iter().find(|(name, _)| !is_name(name)) {
            Some((name, _)) => Err(Error::invalid("env", format!("'{name}' is no name of a variable"))),
            None => Ok(()),
        }
    }

    /// The exact line for the host's shell: the script itself, or wrapped where it has a directory or variables.
    pub fn line(&self) -> String {
        if self.dir.is_none() && self.env.is_empty() {
            return self.script.clone();
        }
        let mut line = String::new();
        if let Some(dir) = &self.dir {
            line = format!("cd -- {} && ", quote(dir));
        }
        line.push_str("exec ");
        if !self.env.is_empty() {
            line.push_str("env ");
            for (name, value) in &self.env {
                line.push_str(&quote(&format!("{name}={value}")));
                line.push(' ');
            }
        }
        line.push_str("sh -c ");
        line.push_str(&quote(&self.script));
        line
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("script", &self.script)
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// What a command reads.
#[derive(Clone, Default)]
pub enum Stdin {
    /// Nothing: the end comes at once.
    #[default]
    Closed,
    /// These bytes, then the end.
    Bytes(Bytes),
    /// These bytes once they are known, then the end. The command is begun before.
    Later(Shared<BoxFuture<'static, Bytes>>),
}

/// One of the two streams a command writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Its output.
    Stdout,
    /// Its errors.
    Stderr,
}

/// Gets output while it comes. Called from the task that drains the connection: it must return at once, so a slow
/// listener keeps its own bounded queue and counts what it drops.
pub trait Sink: Send + Sync {
    /// Takes the next bytes of a stream.
    fn write(&self, stream: Stream, bytes: &Bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_script_is_sent_as_it_stands() {
        assert_eq!(Command::new("uptime; echo $HOME").line(), "uptime; echo $HOME");
        assert_eq!(Command::of(["systemctl", "status", "a b"]).line(), "systemctl status 'a b'");
    }

    #[test]
    fn directory_and_variables_wrap_it() {
        let command = Command::new("echo $A").in_dir("-x y").with_env("A", "it's");
        assert_eq!(command.line(), r"cd -- '-x y' && exec env 'A=it'\''s' sh -c 'echo $A'");
    }

    #[test]
    fn what_no_shell_can_be_told_is_refused() {
        assert!(Command::new("a\0b").check().is_err());
        assert!(Command::new("a").in_dir("\0").check().is_err());
        assert!(Command::new("a").with_env("A-B", "").check().is_err());
        assert!(Command::new("a").with_env("A_1", "x y").check().is_ok());
    }
}
