//! One tool with its schema.

use gabier_tool::{Context, Effect, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::tools::Services;

/// Show a tool's description and input schema.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ToolDescribe {
    /// The tool's name.
    #[schemars(length(min = 1, max = 64), extend("x-complete" = "tool"))]
    name: String,
}

/// A tool.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Described {
    /// The name.
    name: &'static str,
    /// What it does.
    description: String,
    /// What it does to the world: read, write, exec or destroy.
    effect: &'static str,
    /// What it takes: JSON Schema.
    input_schema: Value,
}

impl Tool<Services> for ToolDescribe {
    const NAME: &'static str = "tool_describe";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Public;
    const PROFILE: Profile = Profile::LeanOnly;
    type Output = Described;

    async fn run(self, ctx: &Context<Services>) -> Result<Described> {
        let dispatch = ctx.services.dispatch()?;
        let entry = dispatch.catalog().find(&self.name)?;
        Ok(Described {
            name: entry.facts.name,
            description: entry.schemas().description.clone(),
            effect: entry.facts.effect.name(),
            input_schema: entry.schemas().input.clone(),
        })
    }
}
