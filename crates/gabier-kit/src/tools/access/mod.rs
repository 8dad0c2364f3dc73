//! Tokens: who may use this server, and for what.

mod create;
mod list;
mod revoke;
mod update;

use gabier_access::Access;
use gabier_tool::{ToolDef, Toolset};

/// The tools of this toolset.
pub(crate) const TOOLSET: Toolset<Access> = Toolset { name: "admin", tools: TOOLS };

const TOOLS: &[ToolDef<Access>] = &[
    ToolDef::of::<create::TokenCreate>(),
    ToolDef::of::<list::TokenList>(),
    ToolDef::of::<revoke::TokenRevoke>(),
    ToolDef::of::<update::TokenUpdate>(),
];

#[cfg(test)]
mod tests;
