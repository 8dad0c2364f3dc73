//! Pausing queues.

use gabier_task::manage::QueueState;
use gabier_task::{BACKGROUND, Tasks};
use gabier_tool::{Context, Effect, Permission, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Stop starting tasks of a queue; running ones go on.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct QueuePause {
    /// The queue.
    #[serde(default = "background")]
    #[schemars(length(min = 1, max = 100), extend("x-cli" = {"positional": true}))]
    queue: String,
}

impl Tool<Tasks> for QueuePause {
    const NAME: &'static str = "queue_pause";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Admin;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "jobs hold stop suspendre file d'attente";
    type Output = QueueState;

    async fn run(self, ctx: &Context<Tasks>) -> Result<QueueState> {
        ctx.services.pause(&self.queue, true).await
    }
}

/// Start tasks of a paused queue again.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct QueueResume {
    /// The queue.
    #[serde(default = "background")]
    #[schemars(length(min = 1, max = 100), extend("x-cli" = {"positional": true}))]
    queue: String,
}

impl Tool<Tasks> for QueueResume {
    const NAME: &'static str = "queue_resume";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Admin;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "jobs continue reprendre file d'attente";
    type Output = QueueState;

    async fn run(self, ctx: &Context<Tasks>) -> Result<QueueState> {
        ctx.services.pause(&self.queue, false).await
    }
}

fn background() -> String {
    BACKGROUND.to_owned()
}
