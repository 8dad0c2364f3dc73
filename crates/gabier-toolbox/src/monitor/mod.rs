//! The state of the machine gabier runs on, and of hosts.

mod disk;
mod fail2ban;
pub(crate) mod fixed;
mod mounts;
mod pool;
mod process;
mod resources;
mod sample;
mod service;
mod services;
mod system;

use gabier_tool::ToolDef;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Services;

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<resources::GetSystemResources>(),
    ToolDef::of::<services::GetServicesStatus>(),
    ToolDef::of::<fail2ban::GetFail2banStatus>(),
    ToolDef::of::<pool::PoolStats>(),
    ToolDef::of::<system::SystemInfo>(),
    ToolDef::of::<disk::DiskUsage>(),
    ToolDef::of::<process::ProcessList>(),
    ToolDef::of::<service::CheckService>(),
];

/// How this machine is asked for its state.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Address of the D-Bus system bus that the service manager listens on; the usual socket when absent.
    pub bus_address: Option<String>,
}

/// The service manager of this machine.
pub struct Monitor {
    bus_address: String,
}

impl Monitor {
    /// Reads the settings; the bus is reached at each use.
    pub fn open(settings: &Settings) -> Self {
        let usual = || "unix:path=/run/dbus/system_bus_socket".to_owned();
        Self { bus_address: settings.bus_address.clone().unwrap_or_else(usual) }
    }
}
