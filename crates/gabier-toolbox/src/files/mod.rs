//! Files of the machine gabier runs on, and their way to hosts and back.

mod pace;
mod read;
mod roots;
mod transfer;
mod transfer_multi;

use gabier_tool::ToolDef;

use crate::Services;

pub use roots::{Opened, Roots, Settings};

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<transfer::TaskTransfer>(),
    ToolDef::of::<transfer_multi::TaskTransferMulti>(),
    ToolDef::of::<read::ReadFile>(),
];
