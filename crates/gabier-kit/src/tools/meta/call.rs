//! A call of any tool by its name.

use gabier_tool::{Context, Effect, Error, Forward, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::tools::Services;

/// Call any tool by name; effect, rights and answer are that tool's own.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ToolCall {
    /// The tool's name.
    #[schemars(length(min = 1, max = 64), extend("x-complete" = "tool"))]
    name: String,
    /// Its arguments.
    #[serde(default)]
    arguments: Map<String, Value>,
}

/// The target's own answer.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TargetAnswer {}

impl Tool<Services> for ToolCall {
    const NAME: &'static str = "tool_call";
    /// The worst that a target can do; the target's own decides each call.
    const EFFECT: Effect = Effect::Destroy;
    const PERMISSION: Permission = Permission::Public;
    const PROFILE: Profile = Profile::LeanOnly;
    const OPEN_WORLD: bool = true;
    type Output = TargetAnswer;

    fn forward(&self) -> Option<Forward> {
        Some(Forward { tool: self.name.clone(), arguments: self.arguments.clone() })
    }

    async fn run(self, _: &Context<Services>) -> Result<TargetAnswer> {
        Err(Error::internal("running a call that stands for another"))
    }
}
