//! The tokens there are.

use gabier_access::{Access, Listed, TokenKind, TokenState};
use gabier_tool::{Context, Effect, Permission, Result, Tool, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// List the tokens with what they grant, the newest first. No token is shown, only the digits of its digest.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TokenList {}

/// The tokens there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tokens {
    /// The tokens, the newest first.
    tokens: Vec<Row>,
    /// How many.
    count: usize,
}

/// One token.
#[derive(Debug, Serialize, JsonSchema)]
struct Row {
    /// The first digits of its SHA-256.
    token_hash_prefix: String,
    /// Its name.
    client_name: String,
    /// Whether it opens the door.
    state: TokenState,
    /// Its rights.
    permissions: Vec<Permission>,
    /// What its arguments may name.
    resources: Vec<String>,
    /// What it is for.
    kind: TokenKind,
    /// When it ends (UTC); never when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    /// When it was last used (UTC), to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<String>,
    /// When it was made (UTC).
    created_at: String,
    /// Who made it.
    created_by: String,
    /// When it was taken back (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_at: Option<String>,
    /// The address of whom to ask about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// The only tools it may call.
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<Vec<String>>,
    /// The MCP profile it always gets.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    /// The only networks it may come from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    networks: Vec<String>,
}

impl Tool<Access> for TokenList {
    const NAME: &'static str = "admin_list_tokens";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Admin;
    const KEYWORDS: &'static str = "access keys credentials jetons clés accès lister";
    type Output = Tokens;

    async fn run(self, ctx: &Context<Access>) -> Result<Tokens> {
        let tokens: Vec<Row> = ctx.services.list().await?.into_iter().map(Row::from).collect();
        Ok(Tokens { count: tokens.len(), tokens })
    }
}

impl From<Listed> for Row {
    fn from(listed: Listed) -> Self {
        let grant = listed.grant;
        Self {
            token_hash_prefix: listed.id.prefix(),
            client_name: grant.name,
            state: listed.state,
            permissions: grant.permissions,
            resources: grant.resources,
            kind: grant.kind,
            expires_at: grant.expires.map(iso),
            last_used_at: listed.last_used.map(iso),
            created_at: iso(grant.created),
            created_by: grant.created_by,
            revoked_at: grant.revoked.map(iso),
            email: grant.email,
            tools: grant.tools,
            profile: grant.profile,
            networks: grant.networks.iter().map(ToString::to_string).collect(),
        }
    }
}
