//! What the operator decides about commands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Commands on hosts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a command may take, in seconds, unless the call says otherwise; 0 is for ever.
    #[schemars(range(max = 604_800))]
    pub timeout_s: u64,
    /// The same for a command that is asked questions.
    #[schemars(range(max = 604_800))]
    pub interactive_timeout_s: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timeout_s: 300, interactive_timeout_s: 120 }
    }
}
