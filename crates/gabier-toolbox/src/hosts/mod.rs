//! Hosts by alias: which there are and how they are reached.

use std::sync::Arc;

use gabier_access::secret::Vault;
use gabier_host::{Fleet, Inventory};
use gabier_store::Records;
use gabier_tool::ToolDef;

use crate::Services;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[];

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
}
