//! What a token grants, changed.

use gabier_access::{Access, Edit, Grant};
use gabier_tool::{Context, Effect, Permission, Plan, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Change what a token grants: all that is asked or nothing. Removing its last resource leaves it none, not all.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct TokenUpdate {
    /// First digits of the token's digest, eight at least, as the list of tokens shows them.
    #[schemars(length(min = 8, max = 64), regex(pattern = r"^[0-9a-fA-F]+$"))]
    token_hash_prefix: String,
    /// Resources to add.
    #[serde(default)]
    #[schemars(length(max = 1000), extend("x-aliases" = ["add_memories"]))]
    add_resources: Vec<String>,
    /// Resources to remove.
    #[serde(default)]
    #[schemars(length(max = 1000), extend("x-aliases" = ["remove_memories"]))]
    remove_resources: Vec<String>,
    /// The whole list of resources instead; none when empty. Not together with the two above.
    #[schemars(length(max = 1000), extend("x-aliases" = ["set_memories"]))]
    set_resources: Option<Vec<String>>,
    /// The rights instead.
    set_permissions: Option<Vec<Permission>>,
    /// The address of whom to ask instead; none when empty.
    #[schemars(length(max = 254))]
    set_email: Option<String>,
}

/// What the token granted, and what it grants now.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Updated {
    /// Before.
    previous: Granted,
    /// Now.
    current: Granted,
}

/// What a token grants.
#[derive(Debug, Serialize, JsonSchema)]
struct Granted {
    /// Its name.
    client_name: String,
    /// Its rights.
    permissions: Vec<Permission>,
    /// What its arguments may name.
    resources: Vec<String>,
    /// The address of whom to ask about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
}

impl Tool<Access> for TokenUpdate {
    const NAME: &'static str = "admin_update_token";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Admin;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "access key rights resources jeton droits modifier";
    type Output = Updated;

    async fn plan(&self, ctx: &Context<Access>) -> Result<Option<Plan>> {
        let (id, grant) = ctx.services.find(&self.token_hash_prefix).await?;
        let step = format!("change what the token {} of {} grants", id.prefix(), grant.name);
        Ok(Some(Plan { steps: vec![step], targets: vec![id.prefix()] }))
    }

    async fn run(self, ctx: &Context<Access>) -> Result<Updated> {
        let edit = Edit {
            add_resources: self.add_resources,
            remove_resources: self.remove_resources,
            set_resources: self.set_resources,
            set_permissions: self.set_permissions,
            set_email: self.set_email,
        };
        let changed = ctx.services.update(&self.token_hash_prefix, &edit).await?;
        Ok(Updated { previous: changed.previous.into(), current: changed.current.into() })
    }
}

impl From<Grant> for Granted {
    fn from(grant: Grant) -> Self {
        Self {
            client_name: grant.name,
            permissions: grant.permissions,
            resources: grant.resources,
            email: grant.email,
        }
    }
}
