//! The network seen from here: names, addresses, ports, pages.

use gabier_tool::ToolDef;

use crate::Services;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[];
