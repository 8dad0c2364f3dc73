//! Commands on hosts.

mod advice;
mod interactive;
mod result;
mod run;
mod sequel;
mod sequence;
mod settings;

use std::time::Duration;

use gabier_host::Alias;
use gabier_tool::{Plan, ToolDef};

use crate::Services;
use crate::hosts::reach;

pub use settings::Settings;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<run::TaskExec>(),
    ToolDef::of::<interactive::TaskExecInteractive>(),
    ToolDef::of::<sequence::TaskExecSequence>(),
];

/// What bounds a command is its own time limit, or nothing.
const NO_LIMIT: Duration = Duration::from_hours(24 * 365);

/// The time limit of a command: the call's word, else the usual one; 0 is none.
fn limit(given: Option<f64>, usual: u64) -> Option<Duration> {
    reach::limit(given.unwrap_or_else(|| Duration::from_secs(usual).as_secs_f64()))
}

/// The plan of a call that would send these very lines to the shells of these hosts.
fn plan(targets: &[Alias], lines: impl IntoIterator<Item = String>) -> Plan {
    Plan { steps: lines.into_iter().collect(), targets: targets.iter().map(ToString::to_string).collect() }
}
