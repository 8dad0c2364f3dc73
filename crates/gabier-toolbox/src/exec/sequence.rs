//! Several commands on hosts, one after the other, in one shell.

use std::time::Duration;

use gabier_host::Alias;
use gabier_tool::{Context, Effect, HostsRef, Mode, Outcome, Permission, Plan, Profile, Result, Tool, View};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::sequel::{Sequel, SequenceResult, ran_of};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;

/// Run commands in one shell of a host: `cd` and `export` carry over. Stops at the first that fails.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskExecSequence {
    /// Host, group, `all`, or several by commas.
    alias: HostsRef,
    /// Command lines.
    #[schemars(length(min = 1, max = 200))]
    commands: Vec<Step>,
    /// Goes on after a failure.
    #[serde(default)]
    continue_on_error: bool,
    /// A shell of its own for each.
    #[serde(default)]
    #[schemars(extend("x-full" = true))]
    isolated: bool,
    /// Seconds for all; 300 when absent, 0 for no limit.
    #[schemars(range(min = 0))]
    timeout: Option<f64>,
    #[serde(flatten)]
    spreading: Spreading,
    #[serde(skip)]
    targets: Vec<Alias>,
}

/// One command of a sequence.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Step {
    /// The command line alone.
    Line(#[schemars(length(min = 1, max = 100_000))] String),
    /// One with rules of its own.
    Ruled(RuledStep),
}

/// A command with rules of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline, extend("x-full" = true))]
pub(super) struct RuledStep {
    /// Command line.
    #[schemars(length(min = 1, max = 100_000))]
    command: String,
    /// Seconds.
    #[schemars(range(min = 0))]
    timeout: Option<f64>,
    /// Goes on after its failure.
    continue_on_error: Option<bool>,
}

impl Step {
    pub(super) fn command(&self) -> &str {
        match self {
            Self::Line(command) | Self::Ruled(RuledStep { command, .. }) => command,
        }
    }

    pub(super) fn limit(&self) -> Option<Duration> {
        match self {
            Self::Ruled(RuledStep { timeout: Some(seconds), .. }) => reach::limit(*seconds),
            _ => None,
        }
    }

    pub(super) fn goes_on(&self) -> Option<bool> {
        match self {
            Self::Ruled(ruled) => ruled.continue_on_error,
            Self::Line(_) => None,
        }
    }
}

impl Tool<Services> for TaskExecSequence {
    const NAME: &'static str = "task_exec_sequence";
    const EFFECT: Effect = Effect::Exec;
    const PERMISSION: Permission = Permission::Write;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Lean;
    const KIND: &'static str = "ssh_sequence";
    const LIMIT: Duration = super::NO_LIMIT;
    const OPEN_WORLD: bool = true;
    const ENDS_ITSELF: bool = true;
    const KEYWORDS: &'static str = "ssh script steps several commands batch suite étapes commandes";
    type Output = Fleetwide<SequenceResult>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        self.targets = reach::targets(ctx, &self.alias).await?;
        self.commands.iter().try_for_each(|step| reach::command(ctx, step.command(), None).check())
    }

    async fn plan(&self, _: &Context<Services>) -> Result<Option<Plan>> {
        Ok(Some(super::plan(&self.targets, self.commands.iter().map(|step| step.command().to_owned()))))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Fleetwide<SequenceResult>> {
        let limit = super::limit(self.timeout, ctx.services.exec.timeout_s);
        let this = &self;
        let one = |alias: Alias| async move {
            let sequel = Sequel {
                steps: &this.commands,
                goes_on: this.continue_on_error,
                is_isolated: this.isolated,
                limit,
            };
            sequel.run(ctx, &alias).await
        };
        on_all(ctx, self.targets.clone(), self.spreading, one, ran_of).await
    }

    fn outcome(output: &Fleetwide<SequenceResult>) -> Outcome {
        output.outcome(SequenceResult::outcome)
    }

    fn view(output: &Fleetwide<SequenceResult>, data: &Value) -> View {
        output.view(data, SequenceResult::view)
    }
}
