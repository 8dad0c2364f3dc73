//! One command on a terminal, its questions answered.

use std::collections::BTreeMap;
use std::time::Duration;

use gabier_access::secret::SecretName;
use gabier_host::{Alias, Answer, Execution, Pattern, Prompts, Response};
use gabier_tool::{
    Context, Effect, Error, HostsRef, Mode, Outcome, Permission, Plan, Profile, Result, Secret, Tool, View,
};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::Value;

use super::result::CommandResult;
use crate::Services;
use crate::hosts::reach;

/// Run a command on a host's terminal and answer its questions.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TaskExecInteractive {
    /// Host.
    alias: HostsRef,
    /// Command line.
    #[schemars(length(min = 1, max = 100_000), extend("x-aliases" = ["command"]))]
    cmd: String,
    /// False runs it without a terminal.
    #[serde(default = "yes")]
    #[schemars(extend("x-full" = true))]
    interactive: bool,
    /// Answers yes/no questions with yes.
    #[serde(default = "yes")]
    #[schemars(extend("x-full" = true))]
    auto_respond: bool,
    /// Answers by text or `/regex/` of the question; {"secret": NAME} is one of the vault.
    #[serde(default)]
    #[schemars(extend("maxProperties" = 64))]
    responses: BTreeMap<String, Reply>,
    /// Seconds; 120 when absent, 0 for no limit.
    #[schemars(range(min = 0))]
    timeout: Option<f64>,
    #[serde(skip)]
    target: Option<Alias>,
}

/// What is typed for an answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Reply {
    /// This text; it is kept nowhere.
    Typed(Secret),
    /// A secret of the vault.
    Kept(KeptReply),
}

/// A secret of the vault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
struct KeptReply {
    /// Its name.
    secret: String,
}

fn yes() -> bool {
    true
}

impl Tool<Services> for TaskExecInteractive {
    const NAME: &'static str = "task_exec_interactive";
    const EFFECT: Effect = Effect::Exec;
    const PERMISSION: Permission = Permission::Write;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Core;
    const KIND: &'static str = "ssh_interactive";
    const LIMIT: Duration = super::NO_LIMIT;
    const OPEN_WORLD: bool = true;
    const ENDS_ITSELF: bool = true;
    const KEYWORDS: &'static str = "ssh pty terminal prompt sudo password expect answer répondre question";
    type Output = CommandResult;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        self.target = Some(reach::target(ctx, &self.alias).await?);
        for (pattern, reply) in &self.responses {
            Pattern::parse(pattern)?;
            if let Reply::Kept(KeptReply { secret }) = reply {
                secret_name(secret)?;
            }
        }
        reach::command(ctx, &self.cmd, None).check()
    }

    async fn plan(&self, ctx: &Context<Services>) -> Result<Option<Plan>> {
        let line = reach::command(ctx, &self.cmd, None).line();
        Ok(Some(super::plan(self.target.as_slice(), [line])))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<CommandResult> {
        let alias = match &self.target {
            Some(alias) => alias.clone(),
            None => reach::target(ctx, &self.alias).await?,
        };
        let execution = self.send(ctx, &alias).await.map_err(Error::untouched)?;
        execution.check(alias.as_str())?;
        Ok(CommandResult::of(ctx, Self::KIND, &alias, &self.cmd, &execution))
    }

    fn outcome(output: &CommandResult) -> Outcome {
        output.outcome()
    }

    fn view(output: &CommandResult, _: &Value) -> View {
        output.view()
    }
}

impl TaskExecInteractive {
    /// Runs the command, however it ends; a failure is one before it was sent.
    async fn send(&self, ctx: &Context<Services>, alias: &Alias) -> Result<Execution> {
        let limit = super::limit(self.timeout, ctx.services.exec.interactive_timeout_s);
        let command = reach::command(ctx, &self.cmd, limit);
        let host = reach::host(ctx, alias).await?;
        if !self.interactive {
            return host.exec(command).await;
        }
        host.interact(command, self.prompts(ctx).await?).await
    }

    async fn prompts(&self, ctx: &Context<Services>) -> Result<Prompts> {
        let mut responses = Vec::new();
        for (pattern, reply) in &self.responses {
            let answer = match reply {
                Reply::Kept(KeptReply { secret }) => {
                    let secret = ctx.services.hosts()?.vault.get(&secret_name(secret)?).await?;
                    Answer::Secret(secret.expose_secret().to_owned().into())
                }
                Reply::Typed(text) if is_about_secret(pattern) => Answer::Secret(text.clone()),
                Reply::Typed(text) => Answer::Text(text.expose().to_owned()),
            };
            responses.push(Response::once(pattern, answer)?);
        }
        Ok(Prompts::new(responses, self.auto_respond))
    }
}

/// The name of a secret, with or without `vault:`.
fn secret_name(name: &str) -> Result<SecretName> {
    SecretName::of_reference(name).unwrap_or_else(|| SecretName::parse(name))
}

/// True for a pattern of questions whose answer must not be shown.
fn is_about_secret(pattern: &str) -> bool {
    let pattern = pattern.to_lowercase();
    let words = ["pass", "secret", "pin", "sudo", "token", "code", "kennwort", "contraseña"];
    words.iter().any(|word| pattern.contains(word))
}
