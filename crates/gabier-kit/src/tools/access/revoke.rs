//! A token taken back.

use gabier_access::Access;
use gabier_tool::{Context, Effect, Outcome, Permission, Plan, Result, Status, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Take a token back: it is refused from the next request on, in every process, and its streams are closed.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TokenRevoke {
    /// First digits of the token's digest, eight at least, as the list of tokens shows them.
    #[schemars(length(min = 8, max = 64), regex(pattern = r"^[0-9a-fA-F]+$"))]
    token_hash_prefix: String,
}

/// The token that was taken back.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Revoked {
    /// The first digits of its SHA-256.
    token_hash_prefix: String,
    /// Its name.
    client_name: String,
    /// True when it was taken back before.
    #[serde(skip)]
    is_old_news: bool,
}

impl Tool<Access> for TokenRevoke {
    const NAME: &'static str = "admin_revoke_token";
    const EFFECT: Effect = Effect::Destroy;
    const PERMISSION: Permission = Permission::Admin;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "access key delete jeton révoquer supprimer";
    type Output = Revoked;

    async fn plan(&self, ctx: &Context<Access>) -> Result<Option<Plan>> {
        let (id, grant) = ctx.services.find(&self.token_hash_prefix).await?;
        let step = format!("revoke the token {} of {}", id.prefix(), grant.name);
        Ok(Some(Plan { steps: vec![step], targets: vec![id.prefix()] }))
    }

    async fn run(self, ctx: &Context<Access>) -> Result<Revoked> {
        let changed = ctx.services.revoke(&self.token_hash_prefix).await?;
        Ok(Revoked {
            token_hash_prefix: changed.id.prefix(),
            client_name: changed.current.name,
            is_old_news: changed.previous.revoked.is_some(),
        })
    }

    fn outcome(output: &Revoked) -> Outcome {
        Outcome::of(if output.is_old_news { Status::Ok } else { Status::Deleted })
    }
}
