//! Fixed commands on hosts: quoted words in, output in a language that can be read back, failures told apart.

use std::time::Duration;

use gabier_host::{Alias, Command, Execution, Ran};
use gabier_tool::{Context, Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::Serialize;

use crate::Services;
use crate::hosts::reach;

/// The longest a fixed command may take, connecting included.
const LIMIT: Duration = Duration::from_secs(45);

/// The longest a tool may take that runs them.
pub(crate) const TOOL_LIMIT: Duration = Duration::from_mins(2);

/// What a host could not tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Missing {
    /// What was asked.
    source: String,
    /// Why it did not answer.
    reason: String,
}

impl Missing {
    pub(crate) fn new(source: &str, reason: impl Into<String>) -> Self {
        Self { source: source.to_owned(), reason: reason.into() }
    }

    #[cfg(test)]
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

/// A program with its arguments, each quoted.
pub(crate) fn program<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    script(Command::of(words).script)
}

/// A script for a POSIX shell, whatever shell the account has; nothing of a caller stands in it unquoted.
pub(crate) fn script(script: impl Into<String>) -> Command {
    let command = Command::new(script).with_env("LC_ALL", "C").within(LIMIT);
    Command { is_idempotent: true, ..command }
}

/// Runs a fixed command to its end, however it ends by itself.
pub(crate) async fn ask(ctx: &Context<Services>, alias: &Alias, command: Command) -> Result<Execution> {
    let command = Command { cancel: ctx.cancelled().clone(), ..command };
    reach::run(ctx, alias, command).await
}

/// Why a command gave no answer, in its own words.
pub(crate) fn reason(ran: &Execution) -> String {
    if ran.exit_code() == Some(127) {
        return "not installed".to_owned();
    }
    let (errors, output) = (ran.stderr.text(), ran.stdout.text());
    let mut lines = errors.lines().chain(output.lines()).map(str::trim).filter(|line| !line.is_empty());
    lines.next().unwrap_or("no answer").chars().take(300).collect()
}

/// The failure of a command that the answer depends on.
pub(crate) fn refusal(alias: &Alias, doing: &str, ran: &Execution) -> Error {
    let reason = reason(ran);
    let words = reason.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let (kind, why) = if reason == "not installed" {
        (ErrorKind::NotAvailable, "the host lacks the program")
    } else if has(&["no such", "does not exist", "doesn't exist", "not found"]) {
        (ErrorKind::NotFound, "there is none")
    } else if has(&["permission denied", "not permitted"]) {
        (ErrorKind::Forbidden, "the host refuses")
    } else if has(&["password is required", "may not run sudo"]) {
        (ErrorKind::NotAvailable, "the account may not use sudo without a password")
    } else {
        (ErrorKind::NotAvailable, "the host gives no answer")
    };
    let error = Error::new(kind, format!("{doing} on {alias}: {why}")).with("alias", alias.as_str());
    let error = match ran.exit_code() {
        Some(code) => error.with("exit_code", code),
        None => error,
    };
    error.with("reason", reason)
}

/// A result as it is compared with those of other hosts: one line for each of its values.
pub(crate) fn comparable<T: Serialize>(result: &T) -> Ran {
    let stdout = serde_json::to_string_pretty(result).unwrap_or_default();
    Ran { exit_code: Some(0), stdout, stderr: String::new() }
}

#[cfg(test)]
mod tests {
    use gabier_host::{End, Output};

    use super::*;

    fn ended(code: u32, stderr: &str) -> Execution {
        Execution {
            end: End::Exited(code),
            stdout: Output::default(),
            stderr: Output::whole(stderr),
            duration: Duration::ZERO,
            notes: Vec::new(),
            prompt: None,
        }
    }

    #[test]
    fn a_hosts_words_tell_what_is_missing_from_what_is_refused() {
        let cases = [
            (127, "sh: 1: docker: not found", "NOT_AVAILABLE"),
            (1, "tail: cannot open '/x' for reading: No such file or directory", "NOT_FOUND"),
            (1, "tail: cannot open '/x' for reading: Permission denied", "FORBIDDEN"),
            (1, "Error response from daemon: No such container: web", "NOT_FOUND"),
            (1, "sudo: a password is required", "NOT_AVAILABLE"),
            (1, "", "NOT_AVAILABLE"),
        ];
        let alias: Alias = "web1".parse().unwrap();
        for (code, stderr, expected) in cases {
            let error = refusal(&alias, "asking", &ended(code, stderr));
            assert_eq!(error.kind().code(), expected, "{stderr}");
        }
    }

    #[test]
    fn words_reach_the_host_quoted_in_a_known_language() {
        let line = program(["tail", "-n", "5", "--", "$(id)"]).line();
        assert_eq!(line, r"exec env 'LC_ALL=C' sh -c 'tail -n 5 -- '\''$(id)'\'''");
    }
}
