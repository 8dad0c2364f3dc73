//! The log of the server.

use gabier_tool::{Context, Effect, Level, Permission, Profile, Result, Tool, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::log;
use crate::tools::Services;

/// Show the server's own log, newest first: what it noticed since it started.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskLogs {
    /// At least so urgent.
    level: Option<Urgency>,
    /// With this text.
    #[schemars(length(max = 200))]
    search: Option<String>,
    /// Lines at most.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
}

fn fifty() -> usize {
    50
}

/// How urgent a line is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Urgency {
    Error,
    Warn,
    Info,
    Debug,
}

/// Lines of the log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Lines {
    /// The lines.
    entries: Vec<Line>,
}

/// A line of the log.
#[derive(Debug, Serialize, JsonSchema)]
struct Line {
    /// How urgent it is: `debug`, `info`, `warn`, `error`.
    level: Level,
    /// What it says.
    message: String,
    /// When it was written (UTC).
    timestamp: String,
}

impl Tool<Services> for TaskLogs {
    const NAME: &'static str = "task_logs";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "server log journal errors warnings erreurs";
    type Output = Lines;

    async fn run(self, ctx: &Context<Services>) -> Result<Lines> {
        let least = match self.level {
            Some(Urgency::Error) => Level::Error,
            Some(Urgency::Warn) => Level::Warn,
            Some(Urgency::Info) => Level::Info,
            Some(Urgency::Debug) | None => Level::Debug,
        };
        let caller = ctx.caller();
        let sees_all = caller.permissions.has(Permission::Admin);
        let wanted = |line: &log::Line| {
            let is_own = match &line.caller {
                Some(subject) => **subject == *caller.subject,
                None => !line.is_about_task,
            };
            (sees_all || is_own)
                && line.level >= least
                && self.search.as_ref().is_none_or(|text| line.message.contains(text.as_str()))
        };
        let lines = log::recent().lines(wanted, self.limit);
        let entries = lines.into_iter().map(|line| Line {
            level: line.level,
            message: line.message,
            timestamp: iso(line.at),
        });
        Ok(Lines { entries: entries.collect() })
    }
}
