//! What the tools may reach.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the tools may reach.
pub struct Services {}

/// The settings of the tools; each toolset has its own section.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {}
