//! The last lines of a file of a host.

use std::time::Duration;

use gabier_host::{Alias, Command};
use gabier_tool::{Context, Effect, HostsRef, Mode, Outcome, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::newest::{Newest, host_path, room};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;
use crate::monitor::fixed::{TOOL_LIMIT, ask, comparable, program, refusal};

/// Read the last lines of a file of hosts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct TailFile {
    /// Hosts.
    alias: HostsRef,
    /// Path there.
    #[schemars(length(min = 1, max = 4096))]
    filepath: String,
    /// Lines.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 10_000))]
    lines: u32,
    #[serde(flatten)]
    spreading: Spreading,
}

/// The end of a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FileEnd {
    /// The file.
    path: String,
    /// Its last lines, oldest first.
    lines: Vec<String>,
    /// True when older lines are left out, or a line is cut: there was no room.
    truncated: bool,
}

impl Tool<Services> for TailFile {
    const NAME: &'static str = "tail_file";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Lean;
    const KIND: &'static str = "ssh";
    const LIMIT: Duration = TOOL_LIMIT;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str = "log logs end last lines remote read journal fin dernières lignes";
    type Output = Fleetwide<FileEnd>;

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

impl TailFile {
    async fn one(&self, ctx: &Context<Services>, alias: Alias) -> Result<FileEnd> {
        let (count, path, room) = (self.lines.to_string(), host_path(&self.filepath), room(ctx));
        let command = program(["tail", "-n", &count, "--", &path]);
        let ran = ask(ctx, &alias, Command { keep: 2 * room, ..command }).await?;
        if !ran.is_success() {
            return Err(refusal(&alias, &format!("reading {}", self.filepath), &ran));
        }
        let Newest { lines, truncated } = Newest::of(&ran.stdout, room);
        Ok(FileEnd { path: self.filepath.clone(), lines, truncated })
    }
}

fn fifty() -> u32 {
    50
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, call_on_host};

    #[tokio::test]
    async fn the_path_is_quoted_and_the_lines_are_told_apart() {
        let host = FakeHost::named("web1").answering("exec env 'LC_ALL=C' sh -c 'tail", "one\ntwo\n");
        let arguments = r#"{"alias": "web1", "filepath": "-f $(id)", "lines": 2}"#;
        let found = call_on_host::<TailFile>(&host, arguments).await;
        assert_eq!(found, r#"{"path":"-f $(id)","lines":["one","two"],"truncated":false}"#);
        assert_eq!(host.asked(), [r"exec env 'LC_ALL=C' sh -c 'tail -n 2 -- '\''-f $(id)'\'''"]);
    }

    #[tokio::test]
    async fn a_missing_file_is_not_found() {
        let words = "tail: cannot open '/x' for reading: No such file or directory\n";
        let host = FakeHost::named("web1").ending("exec env 'LC_ALL=C' sh -c 'tail", 1, "", words);
        let found = call_on_host::<TailFile>(&host, r#"{"alias": "web1", "filepath": "/x"}"#).await;
        assert_eq!(found, "NOT_FOUND reading /x on web1: there is none");
    }
}
