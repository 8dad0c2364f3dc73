//! The server itself: how it is and what it offers.

mod about;
mod diagnostics;
mod health;
mod logs;

use gabier_tool::ToolDef;

use crate::tools::Services;

/// The tools of this toolset.
pub(crate) const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<health::SystemHealth>(),
    ToolDef::of::<about::SystemAbout>(),
    ToolDef::of::<logs::TaskLogs>(),
    ToolDef::of::<diagnostics::SystemDiagnostics>(),
];
