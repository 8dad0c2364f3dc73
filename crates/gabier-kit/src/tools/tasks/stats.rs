//! Counts of tasks.

use gabier_task::Tasks;
use gabier_task::manage::QueueStats;
use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::Deserialize;

/// Count tasks by status and type, with the success rate, the average duration and what can be retried.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Stats {}

impl Tool<Tasks> for Stats {
    const NAME: &'static str = "queue_stats";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "jobs statistics numbers statistiques file d'attente";
    type Output = QueueStats;

    async fn run(self, ctx: &Context<Tasks>) -> Result<QueueStats> {
        ctx.services.stats(ctx.caller()).await
    }
}
