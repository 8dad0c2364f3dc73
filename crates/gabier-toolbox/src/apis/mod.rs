//! APIs by alias: where they are, how they are asked for their health, and whether they answer.

mod add;
mod adopt;
mod check;
mod health;
mod list;
mod record;
mod remove;

use gabier_tool::ToolDef;

use crate::Services;

pub use adopt::{Known, aliases};

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<add::ApiAdd>(),
    ToolDef::of::<list::ApiList>(),
    ToolDef::of::<remove::ApiRemove>(),
    ToolDef::of::<check::ApiCheck>(),
    ToolDef::of::<health::CheckApiHealth>(),
];
