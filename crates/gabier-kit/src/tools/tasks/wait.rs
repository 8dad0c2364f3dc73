//! Waiting for a task.

use std::time::Duration;

use gabier_task::{ShownTask, Tasks};
use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Wait until a task ends, a line of its output matches, or the time is up; shows the task as it is then.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskWait {
    /// Its id, or 8 or more first characters.
    #[schemars(length(min = 8, max = 64))]
    id: String,
    /// Longest wait, in seconds.
    #[serde(default = "fifty")]
    #[schemars(range(min = 0, max = 86400))]
    timeout: f64,
    /// Regular expression on lines of the output that ends the wait.
    #[schemars(length(max = 1000))]
    until: Option<String>,
}

fn fifty() -> f64 {
    50.0
}

impl Tool<Tasks> for TaskWait {
    const NAME: &'static str = "task_wait";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const LIMIT: Duration = Duration::from_hours(25);
    const KEYWORDS: &'static str = "job end result until attendre fin tâche";
    type Output = ShownTask;

    async fn run(self, ctx: &Context<Tasks>) -> Result<ShownTask> {
        let limit = Duration::try_from_secs_f64(self.timeout).unwrap_or_default();
        let feedback = ctx.feedback();
        let until = self.until.as_deref();
        ctx.services.wait(ctx.caller(), &self.id, limit, until, &**feedback, ctx.cancelled()).await
    }
}
