//! How a command went.

use std::time::Duration;

use gabier_tool::{Error, ErrorKind, Result};
use serde::Serialize;

use crate::output::Output;

/// A command that was sent: what it wrote and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Execution {
    /// How it ended.
    pub end: End,
    /// What it wrote. With a terminal, everything is here.
    pub stdout: Output,
    /// What it wrote as errors.
    pub stderr: Output,
    /// From the moment it was sent to its end.
    pub duration: Duration,
    /// What a reader of the result should know, one sentence each.
    pub notes: Vec<String>,
    /// The question it waited on when it was stopped.
    pub prompt: Option<String>,
}

/// The one way a command ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// By itself, with this exit code.
    Exited(u32),
    /// By this signal (`TERM`, `KILL` …); there is no exit code.
    Signalled(String),
    /// By its time limit.
    TimedOut {
        /// The limit.
        limit: Duration,
        /// What became of its processes.
        stopped: Stopped,
    },
    /// By its caller.
    Cancelled {
        /// What became of its processes.
        stopped: Stopped,
    },
    /// By a question nobody may answer (a password prompt without a supplied secret).
    Unanswered {
        /// Why it was not answered.
        reason: String,
        /// What became of its processes.
        stopped: Stopped,
    },
    /// Nobody knows: the connection was lost while it ran.
    Lost {
        /// What is known of the loss.
        reason: String,
    },
}

/// What became of the processes of a stopped command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stopped {
    /// None is left in its process group: it was checked.
    Verified,
    /// They were told to stop; whether they did could not be checked, or some were still there.
    Unverified,
    /// The host could not be reached to stop them.
    Unreachable,
}

impl Stopped {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unverified => "unverified",
            Self::Unreachable => "unreachable",
        }
    }
}

impl Execution {
    /// The exit code, where there is one.
    pub fn exit_code(&self) -> Option<u32> {
        match self.end {
            End::Exited(code) => Some(code),
            _ => None,
        }
    }

    /// The signal that ended it, where one did.
    pub fn signal(&self) -> Option<&str> {
        match &self.end {
            End::Signalled(signal) => Some(signal),
            _ => None,
        }
    }

    /// True when it ended by itself with exit code 0.
    pub fn is_success(&self) -> bool {
        self.exit_code() == Some(0)
    }

    /// What became of its processes, where it was stopped.
    pub fn stopped(&self) -> Option<Stopped> {
        match self.end {
            End::TimedOut { stopped, .. } | End::Cancelled { stopped } | End::Unanswered { stopped, .. } => {
                Some(stopped)
            }
            _ => None,
        }
    }

    /// True when its time limit ended it.
    pub fn is_timed_out(&self) -> bool {
        matches!(self.end, End::TimedOut { .. })
    }

    /// The failure of a command that did not end by itself; its output so far is in the details.
    ///
    /// A command that ran and ended by itself, whatever its exit code, is a result and no failure.
    pub fn check(&self, alias: &str) -> Result<()> {
        let error = match &self.end {
            End::Exited(_) | End::Signalled(_) => return Ok(()),
            End::TimedOut { limit, stopped } => {
                let seconds = limit.as_secs_f64();
                Error::new(
                    ErrorKind::CommandTimeout,
                    format!("running the command on {alias}: no end within {seconds} s"),
                )
                .with("stopped", stopped.as_str())
            }
            End::Cancelled { stopped } => {
                Error::new(ErrorKind::Cancelled, format!("running the command on {alias}: cancelled"))
                    .with("stopped", stopped.as_str())
            }
            End::Unanswered { reason, stopped } => {
                Error::new(ErrorKind::CommandTimeout, format!("running the command on {alias}: {reason}"))
                    .with("stopped", stopped.as_str())
                    .with_retriable(false)
            }
            End::Lost { reason } => Error::new(
                ErrorKind::ResultUnknown,
                format!("running the command on {alias}: the connection was lost while it ran"),
            )
            .with("reason", reason.as_str()),
        };
        let error = match &self.prompt {
            Some(prompt) => error.with("prompt", prompt.as_str()),
            None => error,
        };
        let duration = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        Err(error
            .with("alias", alias)
            .with("stdout", self.stdout.text())
            .with("stderr", self.stderr.text())
            .with("duration_ms", duration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(end: End) -> Execution {
        let stdout = Output::whole(*b"half");
        let duration = Duration::from_millis(7);
        Execution { end, stdout, stderr: Output::default(), duration, notes: Vec::new(), prompt: None }
    }

    #[test]
    fn only_a_command_that_ended_by_itself_is_a_result() {
        assert!(ended(End::Exited(3)).check("web1").is_ok());
        assert!(ended(End::Signalled("KILL".into())).check("web1").is_ok());
        let stopped = Stopped::Verified;
        let error =
            ended(End::TimedOut { limit: Duration::from_secs(2), stopped }).check("web1").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommandTimeout);
        assert_eq!(
            (&error.details()["stopped"], &error.details()["stdout"]),
            (&"verified".into(), &"half".into())
        );
        let error = ended(End::Lost { reason: "ECONNRESET".into() }).check("web1").unwrap_err();
        assert_eq!((error.kind(), error.is_retriable()), (ErrorKind::ResultUnknown, false));
    }
}
