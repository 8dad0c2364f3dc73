//! The tasks there are.

use gabier_task::Tasks;
use gabier_task::manage::{Selection, TaskPage};
use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

use super::page;
use super::selection::Status;

/// List your tasks, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskQueue {
    /// In this status.
    status: Option<Status>,
    /// Of this tool.
    tool: Option<String>,
    /// To this host.
    alias: Option<String>,
    /// With this text in tool, command, arguments or output.
    search: Option<String>,
    /// Entries of a page.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// `next_cursor` of the page before.
    #[schemars(extend("x-full" = true))]
    cursor: Option<String>,
}

impl Tool<Tasks> for TaskQueue {
    const NAME: &'static str = "task_queue";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str = "jobs background list running file d'attente tâches lister";
    type Output = TaskPage;

    async fn run(self, ctx: &Context<Tasks>) -> Result<TaskPage> {
        let selection = Selection {
            status: self.status.map(Status::word),
            tool: self.tool,
            alias: self.alias,
            search: self.search,
            ..Selection::default()
        };
        ctx.services.list(ctx.caller(), &selection, self.limit, self.cursor).await
    }
}
