//! Logs, read from their end, here and on hosts.

mod analysis;
mod docker;
mod newest;
mod pm2;
mod streams;
mod tail;
mod tail_file;

use gabier_tool::ToolDef;

use crate::Services;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<tail_file::TailFile>(),
    ToolDef::of::<docker::GetDockerLogs>(),
    ToolDef::of::<pm2::GetPm2Logs>(),
    ToolDef::of::<analysis::LogAnalysis>(),
];
