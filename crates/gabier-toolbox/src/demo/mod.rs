//! Small tools that show what a tool can do.

mod debug_context;
mod mon_outil_async;
mod mon_outil_sync;
mod synchronous_example;
mod task_simulator;

use std::time::Duration;

use gabier_tool::{Retry, ToolDef};

use crate::Services;

/// At 0, 5 and 10 s more.
const THRICE: Retry = Retry::Safe { attempts: 3, base: Duration::from_secs(5), jitter: 0 };

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<synchronous_example::SynchronousExample>(),
    ToolDef::of::<mon_outil_sync::MonOutilSync>(),
    ToolDef::of::<debug_context::DebugContext>(),
    ToolDef::of::<task_simulator::TaskSimulator>(),
    ToolDef::of::<mon_outil_async::MonOutilAsync>(),
];
