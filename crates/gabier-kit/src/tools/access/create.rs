//! A new token.

use gabier_access::{Access, Expiry, NewToken};
use gabier_tool::{Context, Effect, Outcome, Permission, Plan, Result, Reveal, Status, Tool, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Make a token for a client. The token is shown this once; the store keeps only its digest.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TokenCreate {
    /// Name by which people will know the token.
    #[schemars(length(min = 1, max = 200))]
    client_name: String,
    /// Rights of the token.
    #[serde(default = "usual_rights")]
    permissions: Vec<Permission>,
    /// What its arguments may name: host:NAME, group:NAME, api:NAME, root:PATH, toolset:NAME, NAME (a host or a
    /// group) or *. Your own list when absent, nothing when empty.
    #[schemars(length(max = 1000), extend("x-aliases" = ["memory_ids"]))]
    resources: Option<Vec<String>>,
    /// Days until it ends; when absent, 90, or 30 with the right admin.
    #[schemars(range(min = 1, max = 365), extend("default" = 90))]
    expires_in_days: Option<u16>,
    /// Address of whom to ask about the token.
    #[schemars(length(max = 254))]
    email: Option<String>,
}

/// A token that was just made.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Created {
    /// The token. It is shown this once.
    token: Reveal,
    /// The first digits of its SHA-256, by which it is known from now on.
    token_hash_prefix: String,
    /// Its name.
    client_name: String,
    /// Its rights.
    permissions: Vec<Permission>,
    /// What its arguments may name.
    resources: Vec<String>,
    /// When it ends (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

fn usual_rights() -> Vec<Permission> {
    vec![Permission::Read, Permission::Net, Permission::Write]
}

impl Tool<Access> for TokenCreate {
    const NAME: &'static str = "admin_create_token";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Admin;
    const KEYWORDS: &'static str = "access key credential jeton clé accès créer";
    type Output = Created;

    async fn plan(&self, _: &Context<Access>) -> Result<Option<Plan>> {
        let rights: Vec<&str> = self.permissions.iter().map(|permission| permission.name()).collect();
        let step = format!("make a token for {} with the rights {}", self.client_name, rights.join(", "));
        Ok(Some(Plan { steps: vec![step], targets: Vec::new() }))
    }

    async fn run(self, ctx: &Context<Access>) -> Result<Created> {
        let new = NewToken {
            email: self.email,
            resources: self.resources,
            expiry: self.expires_in_days.map_or(Expiry::Usual, Expiry::Days),
            ..NewToken::new(self.client_name, &self.permissions)
        };
        let minted = ctx.services.create(ctx.caller(), new).await?;
        Ok(Created {
            token: Reveal(minted.token.expose().to_owned()),
            token_hash_prefix: minted.id.prefix(),
            client_name: minted.grant.name,
            permissions: minted.grant.permissions,
            resources: minted.grant.resources,
            expires_at: minted.grant.expires.map(iso),
        })
    }

    fn outcome(_: &Created) -> Outcome {
        Outcome {
            message: Some("Keep the token: it is shown this once".to_owned()),
            ..Outcome::of(Status::Created)
        }
    }
}
