//! What a command on a host leaves: the form that every tool of this set gives.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use gabier_host::{Alias, Execution, Output, Ran, Stopped};
use gabier_tool::{Block, Context, Field, Outcome, Text, Tone, View};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::advice::advice;
use crate::Services;

/// How much that is no text a model gets.
const MODEL_BYTES: usize = 2 * 1024;

/// A command that ran to its end.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CommandResult {
    /// The task.
    pub(super) id: String,
    /// What sort of task: `ssh` or `ssh_interactive`.
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    /// The host.
    pub(super) alias: String,
    /// The command.
    pub(super) cmd: String,
    /// How the task stands.
    pub(super) status: &'static str,
    /// The exit code; null when a signal ended it.
    pub(super) exit_code: Option<u32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signal: Option<String>,
    /// What it wrote.
    pub(super) stdout: Text,
    /// What it wrote as errors.
    pub(super) stderr: Text,
    /// What it wrote, base64, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stdout_base64: Option<String>,
    /// What it wrote as errors, base64, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stderr_base64: Option<String>,
    /// The lines of both.
    pub(super) line_count: u64,
    /// From sending it to its end, in milliseconds.
    pub(super) duration_ms: u64,
    /// True when its time limit ended it.
    pub(super) timed_out: bool,
    /// True when not all output is here; `task_output` has it.
    pub(super) truncated: bool,
    /// What became of its processes, where it was stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stopped: Option<Stopped>,
    /// What a reader should know, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

impl CommandResult {
    /// The result of a command that ended by itself.
    pub(super) fn of(
        ctx: &Context<Services>,
        kind: &'static str,
        alias: &Alias,
        cmd: &str,
        execution: &Execution,
    ) -> Self {
        let Execution { stdout, stderr, duration, .. } = execution;
        let mut notes = execution.notes.clone();
        notes.extend(advice(cmd));
        Self {
            id: task_id(ctx),
            kind,
            alias: alias.to_string(),
            cmd: cmd.to_owned(),
            status: "completed",
            exit_code: execution.exit_code(),
            signal: execution.signal().map(str::to_owned),
            line_count: stdout.lines + stderr.lines,
            duration_ms: milliseconds(*duration),
            timed_out: execution.is_timed_out(),
            truncated: stdout.is_truncated() || stderr.is_truncated(),
            stopped: execution.stopped(),
            stdout_base64: bytes_of(ctx, stdout),
            stderr_base64: bytes_of(ctx, stderr),
            stdout: Text(stdout.text()),
            stderr: Text(stderr.text()),
            notes,
        }
    }

    /// A command that ran is a success whatever its exit code, which becomes that of the command line.
    pub(super) fn outcome(&self) -> Outcome {
        let next = self.truncated.then(|| format!("task_output {{\"id\": \"{}\"}}", self.id));
        let outcome = match (self.exit_code, &self.signal) {
            (Some(0), _) => Outcome::default(),
            (Some(code), _) => Outcome {
                exit_code: Some(exit_code(code)),
                ..Outcome::warning(format!("the command ended with exit code {code}"))
            },
            (None, signal) => {
                let signal = signal.as_deref().unwrap_or("unknown");
                Outcome {
                    exit_code: Some(128_u8.saturating_add(number_of(signal))),
                    ..Outcome::warning(format!("the command was ended by signal {signal}"))
                }
            }
        };
        Outcome { next, ..outcome }
    }

    /// The output as it is, and below it what is out of the ordinary.
    pub(super) fn view(&self) -> View {
        let mut blocks = output_blocks(self.stdout.as_str(), self.stderr.as_str());
        let mut fields = Vec::new();
        let mut tell =
            |label: &str, value: String| fields.push(Field { label: label.to_owned(), value: value.into() });
        match (self.exit_code, &self.signal) {
            (Some(0), _) | (None, None) => {}
            (Some(code), _) => tell("Exit code", code.to_string()),
            (None, Some(signal)) => tell("Signal", signal.clone()),
        }
        if self.truncated {
            tell("All of it", format!("task output {}", self.id));
        }
        self.notes.iter().for_each(|note| tell("Note", note.clone()));
        if !fields.is_empty() {
            blocks.push(Block::Fields { fields });
        }
        View { blocks }
    }
}

/// What is compared with other hosts, of a result's data.
pub(super) fn ran_of(data: &Value) -> Ran {
    let word = |key: &str| data[key].as_str().unwrap_or_default().to_owned();
    let exit_code = data["exit_code"].as_u64().and_then(|code| u32::try_from(code).ok());
    Ran { exit_code, stdout: word("stdout"), stderr: word("stderr") }
}

/// Both streams as blocks; nothing for an empty one.
pub(super) fn output_blocks(stdout: &str, stderr: &str) -> Vec<Block> {
    let code = |text: &str| Block::Code { text: text.to_owned(), language: None };
    let mut blocks = Vec::new();
    if !stdout.is_empty() {
        blocks.push(code(stdout));
    }
    if !stderr.is_empty() {
        blocks.push(Block::Panel { title: "stderr".to_owned(), tone: Tone::Warn, body: vec![code(stderr)] });
    }
    blocks
}

/// A stream that is no text as it was, where all of it is here and short enough for who reads it.
pub(super) fn bytes_of(ctx: &Context<Services>, output: &Output) -> Option<String> {
    let most = if ctx.surface().is_mcp() { MODEL_BYTES } else { usize::MAX };
    let is_told = !output.is_text() && !output.is_truncated() && output.head.len() <= most;
    is_told.then(|| BASE64_STANDARD.encode(&output.head))
}

/// The task that a call became; its request where it is none.
pub(super) fn task_id(ctx: &Context<Services>) -> String {
    ctx.attempt().map_or_else(|| ctx.request_id().to_owned(), |attempt| attempt.task.to_string())
}

pub(super) fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A remote exit code as one of ours.
pub(super) fn exit_code(code: u32) -> u8 {
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// The number of a signal, as a shell adds it to 128.
fn number_of(signal: &str) -> u8 {
    const NUMBERS: [(&str, u8); 10] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("ILL", 4),
        ("ABRT", 6),
        ("FPE", 8),
        ("KILL", 9),
        ("SEGV", 11),
        ("PIPE", 13),
        ("TERM", 15),
    ];
    NUMBERS.iter().find(|(name, _)| *name == signal).map_or(127, |(_, number)| *number)
}
