//! Ending tasks before their time.

use gabier_task::manage::Cancelled;
use gabier_task::{ShownTask, Tasks};
use gabier_tool::{Context, Effect, Error, Plan, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::selection::Filter;

/// Cancel a task. What runs is stopped and checked: `stopped` says how sure that is.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TaskCancel {
    /// Its id, or 8 or more first characters.
    #[schemars(length(min = 8, max = 64), extend("x-cli" = {"positional": true}))]
    id: Option<String>,
    /// Several tasks at once, instead of an id.
    #[schemars(extend("x-full" = true))]
    filter: Option<Filter>,
}

/// What was cancelled.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("type" = "object"))]
pub(crate) enum Answer {
    /// One task.
    One(Box<ShownTask>),
    /// Several.
    Many(Cancelled),
}

impl Tool<Tasks> for TaskCancel {
    const NAME: &'static str = "task_cancel";
    const EFFECT: Effect = Effect::Write;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str = "job stop kill abort annuler arrêter tâche";
    type Output = Answer;

    async fn plan(&self, ctx: &Context<Tasks>) -> Result<Option<Plan>> {
        let (steps, targets) = match (&self.id, &self.filter) {
            (Some(id), None) => {
                let task = ctx.services.status(ctx.caller(), id).await?;
                (vec![format!("cancel the {} task of {}", task.status, task.tool)], vec![task.id])
            }
            (None, Some(filter)) => {
                let count = ctx.services.count_unended(ctx.caller(), &filter.selection()).await?;
                (vec![format!("cancel {count} tasks that have not ended")], Vec::new())
            }
            _ => return Err(one_of_both()),
        };
        Ok(Some(Plan { steps, targets }))
    }

    async fn run(self, ctx: &Context<Tasks>) -> Result<Answer> {
        match (&self.id, &self.filter) {
            (Some(id), None) => Ok(Answer::One(Box::new(ctx.services.cancel_one(ctx.caller(), id).await?))),
            (None, Some(filter)) => {
                Ok(Answer::Many(ctx.services.cancel_many(ctx.caller(), &filter.selection()).await?))
            }
            _ => Err(one_of_both()),
        }
    }
}

/// The refusal of a call that says neither or both.
pub(super) fn one_of_both() -> Error {
    Error::invalid("id", "give either an id or a filter")
}
