//! Logs, read from their end.

mod analysis;
mod tail;

use gabier_tool::ToolDef;

use crate::Services;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[ToolDef::of::<analysis::LogAnalysis>()];
