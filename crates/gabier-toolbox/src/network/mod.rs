//! The network seen from here: names, addresses, ports, pages.

mod dns;
mod echo;
mod host;
mod interfaces;
mod ping;
mod port_scan;
mod ports;
mod request;
mod results;
mod search;
mod settings;
#[cfg(test)]
mod stub;

use std::sync::{Arc, OnceLock};

use gabier_egress::{Egress, Reach};
use gabier_tool::{Caller, CallerKind, Result, ToolDef};
use hickory_resolver::TokioResolver;

use crate::Services;

pub use settings::{Dns, PortScan, Server, Settings, WebSearch};

/// The tools of this toolset.
pub const TOOLS: &[ToolDef<Services>] = &[
    ToolDef::of::<ping::PingHost>(),
    ToolDef::of::<port_scan::PortScan>(),
    ToolDef::of::<dns::DnsLookup>(),
    ToolDef::of::<interfaces::NetworkInterfaces>(),
    ToolDef::of::<request::HttpRequest>(),
    ToolDef::of::<search::WebSearch>(),
];

/// What the network tools reach the world through.
pub struct Network {
    settings: Settings,
    egress: Arc<Egress>,
    resolver: OnceLock<TokioResolver>,
}

impl Network {
    /// Keeps the settings; sockets and resolvers are opened when they are first needed.
    pub fn open(settings: &Settings, egress: Arc<Egress>) -> Self {
        Self { settings: settings.clone(), egress, resolver: OnceLock::new() }
    }

    /// The DNS resolver of the settings or the system.
    fn resolver(&self) -> Result<&TokioResolver> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let resolver = dns::resolver(&self.settings.dns)?;
        Ok(self.resolver.get_or_init(|| resolver))
    }
}

/// How far a caller's own URLs may reach.
fn reach_of(caller: &Caller) -> Reach {
    match caller.kind {
        CallerKind::OsUser => Reach::Own,
        CallerKind::Anonymous | CallerKind::Token | CallerKind::Bootstrap => Reach::Public,
    }
}
