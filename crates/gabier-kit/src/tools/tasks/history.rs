//! What was done.

use gabier_task::Tasks;
use gabier_task::manage::{History, Selection};
use gabier_tool::{Context, Effect, Profile, Result, Timestamp, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::page;
use super::selection::Status;

/// Show what was run, newest first: which command, where, how it ended.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskHistory {
    /// On this host.
    alias: Option<String>,
    /// Entries of a page.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// `next_cursor` of the page before.
    #[schemars(extend("x-full" = true))]
    cursor: Option<String>,
    /// Asked at or after this time.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    since: Option<Timestamp>,
    /// In this status.
    status: Option<Status>,
    /// Of this tool.
    tool: Option<String>,
    /// With this text in command or output.
    search: Option<String>,
}

impl Tool<Tasks> for TaskHistory {
    const NAME: &'static str = "task_history";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "past commands log audit historique commandes";
    type Output = History;

    async fn run(self, ctx: &Context<Tasks>) -> Result<History> {
        let selection = Selection {
            status: self.status.map(Status::word),
            tool: self.tool,
            alias: self.alias,
            search: self.search,
            since: self.since,
            ..Selection::default()
        };
        ctx.services.history(ctx.caller(), &selection, self.limit, self.cursor).await
    }
}
