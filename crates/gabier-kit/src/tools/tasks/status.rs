//! How one task stands.

use gabier_task::{ShownTask, Tasks};
use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Show how a task stands, with its result or error.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskStatus {
    /// Its id, or 8 or more first characters.
    #[schemars(length(min = 8, max = 64))]
    id: String,
}

impl Tool<Tasks> for TaskStatus {
    const NAME: &'static str = "task_status";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str = "job progress result état tâche résultat";
    type Output = ShownTask;

    async fn run(self, ctx: &Context<Tasks>) -> Result<ShownTask> {
        ctx.services.status(ctx.caller(), &self.id).await
    }
}
