//! Small tools that show what a tool can do.

mod debug_context;
mod mon_outil_sync;
mod synchronous_example;

use gabier_tool::ToolDef;

use crate::Services;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<synchronous_example::SynchronousExample>(),
    ToolDef::of::<mon_outil_sync::MonOutilSync>(),
    ToolDef::of::<debug_context::DebugContext>(),
];
