//! Hosts by alias: which there are and how they are reached.

mod add;
mod adopt;
pub(crate) mod fleetwide;
mod key_accept;
mod key_show;
mod list;
pub(crate) mod reach;
mod remove;
mod running;

use std::sync::Arc;

use gabier_access::secret::Vault;
use gabier_host::{Fleet, Inventory};
use gabier_store::Records;
use gabier_tool::ToolDef;

use crate::Services;

pub use adopt::Known;
pub use running::Running;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<add::ServerAdd>(),
    ToolDef::of::<list::ServerList>(),
    ToolDef::of::<remove::ServerRemove>(),
    ToolDef::of::<key_show::HostkeyShow>(),
    ToolDef::of::<key_accept::HostkeyAccept>(),
];

/// The hosts that tools may reach, and what belongs to them.
pub struct Hosts {
    /// Which there are.
    pub inventory: Inventory,
    /// What reaches them.
    pub fleet: Arc<dyn Fleet>,
    /// Where their secrets are.
    pub vault: Arc<Vault>,
    /// Where the tools keep records of their own.
    pub records: Arc<dyn Records>,
    /// What runs on them now.
    pub running: Running,
}
