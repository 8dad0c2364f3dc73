//! Files of the machine gabier runs on.

mod read;
mod roots;

use gabier_tool::ToolDef;

use crate::Services;

pub use roots::{Opened, Roots, Settings};

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[ToolDef::of::<read::ReadFile>()];
