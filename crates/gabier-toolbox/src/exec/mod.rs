//! Commands on hosts.

mod settings;

use gabier_tool::ToolDef;

use crate::Services;

pub use settings::Settings;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[];
