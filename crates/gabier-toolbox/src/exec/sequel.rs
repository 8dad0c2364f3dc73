//! A sequence on one host: its steps, one after the other, and what came of each.

use std::fmt::Write as _;
use std::time::Duration;

use gabier_host::{Alias, Command, Execution, Ran, Shell};
use gabier_tool::{Block, Context, Error, ErrorKind, Outcome, Result, Text, View};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::advice::advice;
use super::result::{bytes_of, exit_code, milliseconds, output_blocks, task_id};
use super::sequence::Step;
use crate::Services;
use crate::hosts::reach::{self, Reached};

/// The least that is kept of each stream of a step.
const LEAST_KEPT: usize = 2 * 1024;

/// A sequence that came to its end.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SequenceResult {
    /// The task.
    id: String,
    /// `ssh_sequence`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The host.
    alias: String,
    /// How the task stands.
    status: &'static str,
    /// The steps that were run.
    results: Vec<StepResult>,
    /// How many steps there were to run.
    total: usize,
    /// The exit code of the first step that failed, else 0; null when it has none.
    exit_code: Option<u32>,
    /// For all steps, in milliseconds.
    duration_ms: u64,
    /// True when not all output is here; `task_output` has it.
    truncated: bool,
    /// What a reader should know, one sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// What came of a step.
#[derive(Debug, Serialize, JsonSchema)]
struct StepResult {
    /// Which, from 1.
    step: usize,
    /// Its command.
    command: String,
    /// True when it ended with exit code 0.
    success: bool,
    /// What it wrote.
    stdout: Text,
    /// What it wrote as errors.
    stderr: Text,
    /// What it wrote, base64, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout_base64: Option<String>,
    /// What it wrote as errors, base64, where it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr_base64: Option<String>,
    /// Its exit code; null when it has none.
    exit_code: Option<u32>,
    /// How long it took, in milliseconds.
    duration_ms: u64,
    /// The lines of both streams.
    line_count: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// A sequence about to run on a host.
pub(super) struct Sequel<'a> {
    pub(super) steps: &'a [Step],
    /// Whether a failure ends it, unless a step says otherwise.
    pub(super) goes_on: bool,
    /// Whether each step has a shell of its own.
    pub(super) is_isolated: bool,
    /// The longest that all steps together may take.
    pub(super) limit: Option<Duration>,
}

impl Sequel<'_> {
    pub(super) async fn run(&self, ctx: &Context<Services>, alias: &Alias) -> Result<SequenceResult> {
        let host = reach::host(ctx, alias).await.map_err(Error::untouched)?;
        let mut way = Way { host, shell: None, is_isolated: self.is_isolated };
        let began = ctx.clock().monotonic();
        let mut result = SequenceResult::new(ctx, alias, self.steps.len());
        for (index, step) in self.steps.iter().enumerate() {
            let spent = ctx.clock().monotonic().saturating_sub(began);
            let left = self.limit.map(|limit| limit.saturating_sub(spent));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(result.failure(out_of_time(alias, self.limit.unwrap_or_default())));
            }
            let command = self.command(ctx, step, left);
            if index > 0 && way.is_lost() {
                result.notes.push(format!("step {} began in a new shell", index + 1));
            }
            let execution = match way.run(command).await {
                Ok(execution) => execution,
                Err(error) if index == 0 => return Err(result.failure(error).untouched()),
                Err(error) => return Err(result.failure(error)),
            };
            let broken = execution.check(alias.as_str()).err();
            result.push(ctx, step, &execution, broken.as_ref());
            let goes_on = step.goes_on().unwrap_or(self.goes_on);
            if execution.is_success() || goes_on && may_go_on(broken.as_ref()) {
                continue;
            }
            match broken {
                Some(error) => return Err(result.failure(error)),
                None => break,
            }
        }
        result.duration_ms = milliseconds(ctx.clock().monotonic().saturating_sub(began));
        Ok(result)
    }

    fn command(&self, ctx: &Context<Services>, step: &Step, left: Option<Duration>) -> Command {
        let limit = [step.limit(), left].into_iter().flatten().min();
        let mut command = reach::command(ctx, step.command(), limit);
        command.keep = (command.keep / self.steps.len()).max(LEAST_KEPT);
        command
    }
}

/// What is compared with other hosts, of a sequence's data.
pub(super) fn ran_of(data: &Value) -> Ran {
    let mut ran = super::result::ran_of(data);
    for step in data["results"].as_array().into_iter().flatten() {
        let word = |key: &str| step[key].as_str().unwrap_or_default();
        let _ = write!(ran.stdout, "$ {}\n{}", word("command"), word("stdout"));
        ran.stderr.push_str(word("stderr"));
    }
    ran
}

/// Where the steps run: a shell that stays, or the host itself.
struct Way {
    host: Reached,
    shell: Option<Box<dyn Shell>>,
    is_isolated: bool,
}

impl Way {
    /// True when a step ended the shell that the next one would need.
    fn is_lost(&self) -> bool {
        !self.is_isolated && !self.shell.as_ref().is_some_and(|shell| shell.is_alive())
    }

    async fn run(&mut self, command: Command) -> Result<Execution> {
        if self.is_isolated {
            return self.host.exec(command).await;
        }
        if self.is_lost() {
            self.shell = Some(self.host.shell().await?);
        }
        match &mut self.shell {
            Some(shell) => shell.step(command).await,
            None => Err(Error::internal("running a step: there is no shell")),
        }
    }
}

/// A step that took too long may be followed by others; one that nobody knows the end of may not.
fn may_go_on(broken: Option<&Error>) -> bool {
    broken.is_none_or(|error| error.kind() == ErrorKind::CommandTimeout)
}

fn out_of_time(alias: &Alias, limit: Duration) -> Error {
    let seconds = limit.as_secs_f64();
    Error::new(
        ErrorKind::CommandTimeout,
        format!("running the sequence on {alias}: no end within {seconds} s"),
    )
    .with("alias", alias.as_str())
    .with("stopped", "verified")
}

impl SequenceResult {
    fn new(ctx: &Context<Services>, alias: &Alias, total: usize) -> Self {
        Self {
            id: task_id(ctx),
            kind: "ssh_sequence",
            alias: alias.to_string(),
            status: "completed",
            results: Vec::new(),
            total,
            exit_code: Some(0),
            duration_ms: 0,
            truncated: false,
            notes: Vec::new(),
        }
    }

    fn push(&mut self, ctx: &Context<Services>, step: &Step, execution: &Execution, broken: Option<&Error>) {
        let Execution { stdout, stderr, duration, notes, .. } = execution;
        self.truncated |= stdout.is_truncated() || stderr.is_truncated();
        self.notes.extend(notes.iter().cloned().chain(advice(step.command())));
        if self.exit_code == Some(0) {
            self.exit_code = execution.exit_code();
        }
        let number = self.results.len() + 1;
        let error = match (broken, execution.exit_code(), execution.signal()) {
            (Some(error), ..) => Some(format!("{}: {}", error.kind().code(), error.message())),
            (None, Some(0), _) => None,
            (None, Some(code), _) => Some(format!("it ended with exit code {code}")),
            (None, None, signal) => Some(format!("it was ended by signal {}", signal.unwrap_or("unknown"))),
        };
        self.results.push(StepResult {
            step: number,
            command: step.command().to_owned(),
            success: execution.is_success(),
            exit_code: execution.exit_code(),
            duration_ms: milliseconds(*duration),
            line_count: stdout.lines + stderr.lines,
            stdout_base64: bytes_of(ctx, stdout),
            stderr_base64: bytes_of(ctx, stderr),
            stdout: Text(stdout.text()),
            stderr: Text(stderr.text()),
            error,
        });
    }

    /// The failure that ended the sequence, with what was done before it.
    fn failure(self, error: Error) -> Error {
        let not_run = self.total - self.results.len();
        error
            .with("results", serde_json::to_value(&self.results).unwrap_or_default())
            .with("not_run", not_run)
    }

    /// A sequence with a failed step is a success with a warning.
    pub(super) fn outcome(&self) -> Outcome {
        let next = self.truncated.then(|| format!("task_output {{\"id\": \"{}\"}}", self.id));
        let Some(failed) = self.results.iter().find(|step| !step.success) else {
            return Outcome { next, ..Outcome::default() };
        };
        let why = failed.error.as_deref().unwrap_or("it failed");
        let mut message = format!("step {} of {}: {why}", failed.step, self.total);
        let not_run = self.total - self.results.len();
        if not_run > 0 {
            let _ = write!(message, "; {not_run} not run");
        }
        Outcome { next, exit_code: Some(self.exit_code.map_or(255, exit_code)), ..Outcome::warning(message) }
    }

    /// Each step with its command above what it wrote.
    pub(super) fn view(&self) -> View {
        let mut blocks = Vec::new();
        for step in &self.results {
            blocks.push(Block::Heading { text: format!("$ {}", step.command) });
            blocks.extend(output_blocks(step.stdout.as_str(), step.stderr.as_str()));
            if let Some(error) = &step.error {
                blocks.push(Block::Text { text: error.clone() });
            }
        }
        View { blocks }
    }
}
