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
    /// Only on this host.
    alias: Option<String>,
    /// Entries of a page.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
    /// Only what was asked at or after this time (RFC 3339).
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    since: Option<Timestamp>,
    /// Only tasks in this status.
    status: Option<Status>,
    /// Only tasks of this tool.
    tool: Option<String>,
    /// Only tasks with this text in the command or the stored output.
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
