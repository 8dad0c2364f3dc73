//! What webhooks told, or could not.

use gabier_task::Tasks;
use gabier_task::manage::Deliveries;
use gabier_tool::{Context, Effect, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page;

/// List webhook deliveries, newest first; those that were given up unless you say otherwise.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct WebhookList {
    /// How they stand.
    #[serde(default)]
    status: Status,
    /// Entries of a page.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
enum Status {
    /// Given up.
    #[default]
    Dead,
    /// To be made.
    Waiting,
    /// Made.
    Done,
    /// Any.
    All,
}

impl Tool<Tasks> for WebhookList {
    const NAME: &'static str = "webhook_list";
    const EFFECT: Effect = Effect::Read;
    const KEYWORDS: &'static str = "callbacks notifications dead deliveries rappels";
    type Output = Deliveries;

    async fn run(self, ctx: &Context<Tasks>) -> Result<Deliveries> {
        let word = serde_json::json!(self.status);
        let status = word.as_str().filter(|_| self.status != Status::All);
        ctx.services.deliveries(ctx.caller(), status, self.limit, self.cursor).await
    }
}

/// Deliver a webhook again from its first try.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct WebhookReplay {
    /// The delivery's id, as `webhook_list` shows it.
    #[schemars(length(min = 1, max = 100))]
    id: String,
}

/// What is delivered again.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Replayed {
    /// The delivery's id.
    id: String,
}

impl Tool<Tasks> for WebhookReplay {
    const NAME: &'static str = "webhook_replay";
    const EFFECT: Effect = Effect::Write;
    const KEYWORDS: &'static str = "callback again redeliver rejouer";
    type Output = Replayed;

    async fn run(self, ctx: &Context<Tasks>) -> Result<Replayed> {
        Ok(Replayed { id: ctx.services.replay(ctx.caller(), &self.id).await? })
    }
}
