//! Tools about tools: help, and the three that reach every tool from the small profile.

mod call;
mod describe;
mod help;
mod rank;
mod search;

use gabier_tool::ToolDef;

use crate::tools::Services;

/// The tools of this toolset.
pub(crate) const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<help::Help>(),
    ToolDef::of::<search::ToolSearch>(),
    ToolDef::of::<describe::ToolDescribe>(),
    ToolDef::of::<call::ToolCall>(),
];
