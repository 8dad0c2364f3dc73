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
    /// Only tasks in this status.
    status: Option<Status>,
    /// Only tasks of this tool.
    tool: Option<String>,
    /// Only tasks to this host.
    alias: Option<String>,
    /// Only tasks with this text in the tool, the command, the arguments or the stored output.
    search: Option<String>,
    /// Entries of a page.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// Where the page begins: `next_cursor` of the one before.
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
