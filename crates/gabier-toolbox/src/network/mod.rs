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

    /// The way out over HTTP.
    pub(crate) fn egress(&self) -> &Egress {
        &self.egress
    }

    pub(crate) fn go_through(&mut self, egress: Arc<Egress>) {
        self.egress = egress;
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gabier_tool::schema::{Detail, mcp_input};
    use gabier_tool::{Catalog, Toolset, lint};

    use super::*;

    #[test]
    fn the_definitions_are_sound_and_short() {
        let mut catalog = Catalog::new();
        let services = Arc::new(stub::services(&Settings::default()));
        catalog.bind(Toolset { name: "network", tools: TOOLS }, &services);
        assert_eq!(lint(&catalog), Vec::<String>::new());
        for entry in catalog.iter() {
            let input = serde_json::Value::Object(mcp_input(entry, Detail::Slim));
            let length = entry.schemas().description.len() + input.to_string().len();
            assert!(length <= 850, "{} takes {length} bytes", entry.facts.name);
        }
    }

    #[test]
    fn defaults_are_published() {
        let mut catalog = Catalog::new();
        let services = Arc::new(stub::services(&Settings::default()));
        catalog.bind(Toolset { name: "network", tools: TOOLS }, &services);
        let default = |tool: &str, parameter: &str| {
            let entry = catalog.find(tool).unwrap();
            entry.schemas().input["properties"][parameter]["default"].clone()
        };
        assert_eq!(default("dns_lookup", "type"), "auto");
        assert_eq!(default("http_request", "method"), "GET");
        assert_eq!(default("http_request", "timeout_s"), 10);
        assert_eq!(default("ping_host", "count"), 4);
        assert_eq!(default("port_scan", "ports"), "22,23,25,53,80,110,443,993,995");
        assert_eq!(default("search_web", "max_results"), 5);
    }
}
