//! One command on hosts.

use std::time::Duration;

use gabier_host::Alias;
use gabier_tool::{
    Context, Effect, Error, HostsRef, Mode, Outcome, Permission, Plan, Profile, Result, Tool, View,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::result::{CommandResult, ran_of};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;

/// Run a shell command on a host, or on several and see which differ.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskExec {
    /// Host, group, `all`, or several by commas.
    alias: HostsRef,
    /// Command line for the account's shell.
    #[schemars(length(min = 1, max = 100_000), extend("x-aliases" = ["command"]))]
    cmd: String,
    /// Seconds; 300 when absent, 0 for no limit.
    #[schemars(range(min = 0))]
    timeout: Option<f64>,
    #[serde(flatten)]
    spreading: Spreading,
    #[serde(skip)]
    targets: Vec<Alias>,
}

impl Tool<Services> for TaskExec {
    const NAME: &'static str = "task_exec";
    const EFFECT: Effect = Effect::Exec;
    const PERMISSION: Permission = Permission::Write;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Lean;
    const KIND: &'static str = "ssh";
    const LIMIT: Duration = super::NO_LIMIT;
    const OPEN_WORLD: bool = true;
    const ENDS_ITSELF: bool = true;
    const KEYWORDS: &'static str = "ssh run remote shell command execute exécuter commande distant";
    type Output = Fleetwide<CommandResult>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        self.targets = reach::targets(ctx, &self.alias).await?;
        reach::command(ctx, &self.cmd, None).check()
    }

    async fn plan(&self, ctx: &Context<Services>) -> Result<Option<Plan>> {
        Ok(Some(super::plan(&self.targets, [reach::command(ctx, &self.cmd, None).line()])))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Fleetwide<CommandResult>> {
        let limit = super::limit(self.timeout, ctx.services.exec.timeout_s);
        let cmd = self.cmd.as_str();
        let one = |alias: Alias| async move {
            let command = reach::command(ctx, cmd, limit);
            let sent = async { reach::host(ctx, &alias).await?.exec(command).await };
            let execution = sent.await.map_err(Error::untouched)?;
            execution.check(alias.as_str())?;
            Ok(CommandResult::of(ctx, Self::KIND, &alias, cmd, &execution))
        };
        on_all(ctx, self.targets.clone(), self.spreading, one, ran_of).await
    }

    fn outcome(output: &Fleetwide<CommandResult>) -> Outcome {
        output.outcome(CommandResult::outcome)
    }

    fn view(output: &Fleetwide<CommandResult>, data: &Value) -> View {
        output.view(data, CommandResult::view)
    }
}
