//! An API less.

use gabier_tool::{Context, Effect, Outcome, Profile, Result, Status, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::remove;
use crate::Services;

/// Remove an API from the catalogue, with its secrets.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ApiRemove {
    /// Its name.
    #[schemars(length(min = 1, max = 64), extend("x-resource" = "api"))]
    alias: String,
}

/// The API that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Removed {
    /// Its name.
    alias: String,
    #[serde(skip)]
    was_there: bool,
}

impl Tool<Services> for ApiRemove {
    const NAME: &'static str = "api_remove";
    const EFFECT: Effect = Effect::Destroy;
    const PROFILE: Profile = Profile::Core;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "unregister delete endpoint service supprimer";
    type Output = Removed;

    async fn run(self, ctx: &Context<Services>) -> Result<Removed> {
        let was_there = remove(ctx.services.hosts()?, &self.alias).await?;
        Ok(Removed { alias: self.alias, was_there })
    }

    fn outcome(output: &Removed) -> Outcome {
        Outcome::of(if output.was_there { Status::Deleted } else { Status::NotFound })
    }
}
