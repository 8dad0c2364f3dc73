//! Tasks that failed for good and wait for a person.

use gabier_task::Tasks;
use gabier_task::manage::{DeadLetter, DeadLetters, Retried};
use gabier_tool::{Context, Effect, Error, Outcome, Permission, Result, Status, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page;

/// List the dead letters: tasks that failed in every attempt, newest first.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeadLetterList {
    /// Entries of a page.
    #[serde(default = "page")]
    #[schemars(range(min = 1, max = 1000))]
    limit: usize,
    /// Where the page begins: `next_cursor` of the one before.
    cursor: Option<String>,
}

impl Tool<Tasks> for DeadLetterList {
    const NAME: &'static str = "dlq_list";
    const EFFECT: Effect = Effect::Read;
    const KEYWORDS: &'static str = "failed jobs dead letter queue échecs";
    type Output = DeadLetters;

    async fn run(self, ctx: &Context<Tasks>) -> Result<DeadLetters> {
        ctx.services.dead_letters(ctx.caller(), self.limit, self.cursor).await
    }
}

/// Show one dead letter with its arguments and the reason.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeadLetterGet {
    /// Its id, or 8 or more first characters.
    #[schemars(length(min = 8, max = 64))]
    id: String,
}

impl Tool<Tasks> for DeadLetterGet {
    const NAME: &'static str = "dlq_get";
    const EFFECT: Effect = Effect::Read;
    const KEYWORDS: &'static str = "failed job reason dead letter échec raison";
    type Output = DeadLetter;

    async fn run(self, ctx: &Context<Tasks>) -> Result<DeadLetter> {
        ctx.services.dead_letter(ctx.caller(), &self.id).await
    }
}

/// Start a dead letter anew, or all of yours. It leaves the dead letters once the new task completes.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeadLetterRetry {
    /// Its id, or 8 or more first characters.
    #[schemars(length(min = 8, max = 64), extend("x-cli" = {"positional": true}))]
    id: Option<String>,
    /// All of them, instead of an id.
    #[serde(default)]
    all: bool,
}

impl Tool<Tasks> for DeadLetterRetry {
    const NAME: &'static str = "dlq_retry";
    const EFFECT: Effect = Effect::Exec;
    const PERMISSION: Permission = Permission::Write;
    const KEYWORDS: &'static str = "failed job again dead letter relancer";
    type Output = Retried;

    async fn run(self, ctx: &Context<Tasks>) -> Result<Retried> {
        let id = one_or_all(self.id.as_deref(), self.all)?;
        ctx.services.retry_dead(ctx.caller(), id).await
    }
}

/// Take a dead letter away for good, or all of them. Its history stays.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct DeadLetterPurge {
    /// Its id, or 8 or more first characters.
    #[schemars(length(min = 8, max = 64), extend("x-cli" = {"positional": true}))]
    id: Option<String>,
    /// All of them, instead of an id; needs `force`.
    #[serde(default)]
    all: bool,
    /// Of all, only those made at least so many seconds ago.
    #[schemars(range(max = 1_000_000_000))]
    older_than: Option<u64>,
    /// Really all.
    #[serde(default)]
    force: bool,
}

/// What is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Purged {
    /// How many.
    purged: u64,
}

impl Tool<Tasks> for DeadLetterPurge {
    const NAME: &'static str = "dlq_purge";
    const EFFECT: Effect = Effect::Destroy;
    const PERMISSION: Permission = Permission::Admin;
    const KEYWORDS: &'static str = "failed jobs delete dead letter purger supprimer";
    type Output = Purged;

    async fn run(self, ctx: &Context<Tasks>) -> Result<Purged> {
        let id = one_or_all(self.id.as_deref(), self.all)?;
        let purged = ctx.services.purge_dead(ctx.caller(), id, self.older_than, self.force).await?;
        Ok(Purged { purged })
    }

    fn outcome(output: &Purged) -> Outcome {
        Outcome::of(if output.purged == 0 { Status::NotFound } else { Status::Deleted })
    }
}

fn one_or_all(id: Option<&str>, all: bool) -> Result<Option<&str>> {
    match (id, all) {
        (Some(_), false) | (None, true) => Ok(id),
        _ => Err(Error::invalid("id", "give either an id or all")),
    }
}
