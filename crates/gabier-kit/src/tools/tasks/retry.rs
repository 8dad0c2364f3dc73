//! Starting tasks anew.

use gabier_task::manage::Retried;
use gabier_task::{ShownTask, Tasks};
use gabier_tool::{Context, Effect, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cancel::one_of_both;
use super::selection::Filter;

/// Start a task anew that did not complete, at most three times.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskRetry {
    /// Its id, or 8 or more first characters.
    #[schemars(length(min = 8, max = 64), extend("x-cli" = {"positional": true}))]
    id: Option<String>,
    /// Several tasks at once, instead of an id.
    #[schemars(extend("x-full" = true))]
    filter: Option<Filter>,
}

/// What was started anew.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("type" = "object"))]
pub(crate) enum Answer {
    /// One new task.
    One(Box<ShownTask>),
    /// Several.
    Many(Retried),
}

impl Tool<Tasks> for TaskRetry {
    const NAME: &'static str = "task_retry";
    const EFFECT: Effect = Effect::Exec;
    const PERMISSION: Permission = Permission::Write;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str = "job again repeat relancer réessayer tâche";
    type Output = Answer;

    async fn run(self, ctx: &Context<Tasks>) -> Result<Answer> {
        match (&self.id, &self.filter) {
            (Some(id), None) => Ok(Answer::One(Box::new(ctx.services.retry_one(ctx.caller(), id).await?))),
            (None, Some(filter)) => {
                Ok(Answer::Many(ctx.services.retry_many(ctx.caller(), &filter.selection()).await?))
            }
            _ => Err(one_of_both()),
        }
    }
}
