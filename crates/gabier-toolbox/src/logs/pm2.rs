//! What programs under PM2 wrote.

use std::time::Duration;

use futures::future::join;
use gabier_host::{Alias, Command, Output};
use gabier_tool::{Context, Effect, HostsRef, Mode, Outcome, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::streams::LogLines;
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;
use crate::monitor::fixed::{TOOL_LIMIT, ask, comparable, program, refusal};

/// Read the newest log lines of PM2 programs of hosts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct GetPm2Logs {
    /// Hosts.
    alias: HostsRef,
    /// Name or number of one program; all when absent.
    #[schemars(length(max = 255), regex(pattern = r"^[^-]"))]
    app: Option<String>,
    /// Lines.
    #[serde(default = "hundred")]
    #[schemars(range(min = 1, max = 10_000))]
    lines: u32,
    /// Only what they wrote as errors.
    #[serde(default)]
    #[schemars(extend("x-full" = true))]
    errors: bool,
    #[serde(flatten)]
    spreading: Spreading,
}

impl Tool<Services> for GetPm2Logs {
    const NAME: &'static str = "get_pm2_logs";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Core;
    const KIND: &'static str = "ssh";
    const LIMIT: Duration = TOOL_LIMIT;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str = "node nodejs javascript process stdout stderr journaux";
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

impl GetPm2Logs {
    async fn one(&self, ctx: &Context<Services>, alias: Alias) -> Result<LogLines> {
        let output =
            async { if self.errors { Ok(Output::default()) } else { self.read(ctx, &alias, "--out").await } };
        let (output, errors) = join(output, self.read(ctx, &alias, "--err")).await;
        Ok(LogLines::of(ctx, &output?, &errors?).without(is_heading))
    }

    async fn read(&self, ctx: &Context<Services>, alias: &Alias, stream: &str) -> Result<Output> {
        let count = self.lines.to_string();
        let mut words = vec!["pm2", "logs"];
        words.extend(self.app.as_deref());
        words.extend(["--nostream", "--raw", "--lines", &count, stream]);
        let keep = LogLines::keep(ctx);
        let ran = ask(ctx, alias, Command { keep, ..program(words) }).await?;
        if !ran.is_success() {
            return Err(refusal(alias, "reading the logs of PM2", &ran));
        }
        Ok(ran.stdout)
    }
}

/// What PM2 says itself, between the lines of the programs.
fn is_heading(line: &str) -> bool {
    let is_of_file = line.starts_with('/') && line.contains(" last ") && line.ends_with(" lines:");
    is_of_file || line.starts_with("[TAILING] Tailing last ") || line.starts_with("[PM2] ")
}

fn hundred() -> u32 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, call_on_host};

    const BEGIN: &str = "exec env 'LC_ALL=C' sh -c 'pm2 logs";

    #[tokio::test]
    async fn each_stream_is_asked_for_and_headings_are_left_out() {
        let out = "[TAILING] Tailing last 2 lines for [api] process (change the value with --lines option)\n\
            /home/app/.pm2/logs/api-out.log last 2 lines:\nlistening\n\n";
        let host = FakeHost::named("web1")
            .answering(&format!("{BEGIN} api --nostream --raw --lines 2 --out"), out)
            .answering(&format!("{BEGIN} api --nostream --raw --lines 2 --err"), "oops\n");
        let arguments = r#"{"alias": "web1", "app": "api", "lines": 2}"#;
        let found = call_on_host::<GetPm2Logs>(&host, arguments).await;
        assert_eq!(found, r#"{"lines":["listening",""],"stderr":["oops"],"truncated":false}"#);
        let arguments = r#"{"alias": "web1", "app": "api", "lines": 2, "errors": true}"#;
        let found = call_on_host::<GetPm2Logs>(&host, arguments).await;
        assert_eq!(found, r#"{"lines":[],"stderr":["oops"],"truncated":false}"#);
        assert_eq!(host.asked().len(), 3);
    }

    #[tokio::test]
    async fn a_host_without_pm2_says_so() {
        let host = FakeHost::named("web1");
        let found = call_on_host::<GetPm2Logs>(&host, r#"{"alias": "web1"}"#).await;
        assert_eq!(found, "NOT_AVAILABLE reading the logs of PM2 on web1: the host lacks the program");
    }
}
