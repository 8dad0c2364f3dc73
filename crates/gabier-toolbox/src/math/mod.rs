//! Numbers.

mod calculator;
pub mod expression;

use gabier_tool::ToolDef;

use crate::Services;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[ToolDef::of::<calculator::Calculator>()];
