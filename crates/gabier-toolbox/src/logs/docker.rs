//! What a container wrote.

use std::time::Duration;

use gabier_host::{Alias, Command};
use gabier_tool::{Context, Effect, HostsRef, Mode, Outcome, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::streams::LogLines;
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;
use crate::monitor::fixed::{TOOL_LIMIT, ask, comparable, program, refusal};

/// Read the newest log lines of a Docker container of hosts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetDockerLogs {
    /// Hosts.
    alias: HostsRef,
    /// Name or id.
    #[schemars(regex(pattern = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,254}$"))]
    container: String,
    /// Lines.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    lines: u32,
    /// Such as `10m` or `2026-01-31T10:00:00Z`.
    #[schemars(regex(pattern = r"^[0-9][0-9A-Za-z:.+-]{0,63}$"), extend("x-full" = true))]
    since: Option<String>,
    /// Tell when each was written.
    #[serde(default)]
    #[schemars(extend("x-full" = true))]
    timestamps: bool,
    #[serde(flatten)]
    spreading: Spreading,
}

impl Tool<Services> for GetDockerLogs {
    const NAME: &'static str = "get_docker_logs";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Lean;
    const KIND: &'static str = "ssh";
    const LIMIT: Duration = TOOL_LIMIT;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str = "container compose stdout stderr journaux conteneur";
    type Output = Fleetwide<LogLines>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        reach::targets(ctx, &self.alias).await.map(drop)
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Self::Output> {
        let targets = reach::targets(ctx, &self.alias).await?;
        let one = |alias: Alias| self.one(ctx, alias);
        on_all(ctx, targets, self.spreading, one, comparable).await
    }

    fn outcome(output: &Self::Output) -> Outcome {
        output.outcome(|_| Outcome::default())
    }
}

impl GetDockerLogs {
    async fn one(&self, ctx: &Context<Services>, alias: Alias) -> Result<LogLines> {
        let count = self.lines.to_string();
        let mut words = vec!["docker", "logs", "--tail", &count];
        if let Some(since) = &self.since {
            words.extend(["--since", since]);
        }
        if self.timestamps {
            words.push("--timestamps");
        }
        words.extend(["--", &self.container]);
        let keep = LogLines::keep(ctx);
        let ran = ask(ctx, &alias, Command { keep, ..program(words) }).await?;
        if !ran.is_success() {
            return Err(refusal(&alias, &format!("reading the log of {}", self.container), &ran));
        }
        Ok(LogLines::of(ctx, &ran.stdout, &ran.stderr))
    }
}

fn hundred() -> u32 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, call_on_host};

    const BEGIN: &str = "exec env 'LC_ALL=C' sh -c 'docker logs";

    #[tokio::test]
    async fn both_streams_are_read_as_asked() {
        let host = FakeHost::named("web1").ending(BEGIN, 0, "GET /\n", "warning: x\n");
        let arguments =
            r#"{"alias": "web1", "container": "db", "lines": 5, "since": "10m", "timestamps": true}"#;
        let found = call_on_host::<GetDockerLogs>(&host, arguments).await;
        assert_eq!(found, r#"{"lines":["GET /"],"stderr":["warning: x"],"truncated":false}"#);
        assert_eq!(host.asked(), [format!("{BEGIN} --tail 5 --since 10m --timestamps -- db'")]);
    }

    #[tokio::test]
    async fn no_option_hides_in_a_name() {
        let host = FakeHost::named("web1");
        for arguments in [
            r#"{"alias": "web1", "container": "--help"}"#,
            r#"{"alias": "web1", "container": "a b"}"#,
            r#"{"alias": "web1", "container": "a", "since": "-x"}"#,
        ] {
            let found = call_on_host::<GetDockerLogs>(&host, arguments).await;
            assert!(found.starts_with("INVALID_ARGUMENT"), "{found}");
        }
        assert!(host.asked().is_empty());
    }
}
