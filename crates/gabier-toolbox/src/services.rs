//! What the tools may reach.

use std::path::Path;
use std::sync::Arc;

use gabier_egress::Egress;
use gabier_tool::{Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hosts::Hosts;
use crate::{exec, files, monitor, network};

/// What the tools may reach.
pub struct Services {
    /// Local files.
    pub files: files::Roots,
    /// The service manager of this machine.
    pub monitor: monitor::Monitor,
    /// Names, addresses and pages.
    pub network: network::Network,
    /// How commands run on hosts.
    pub exec: exec::Settings,
    hosts: Option<Hosts>,
}

/// The settings of the tools; each subject has its own section.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Commands on hosts.
    pub exec: exec::Settings,
    /// Local files.
    pub files: files::Settings,
    /// The state of this machine.
    pub monitor: monitor::Settings,
    /// Name lookups.
    pub dns: network::Dns,
    /// The web search.
    pub web_search: network::WebSearch,
    /// The port scanner.
    pub port_scan: network::PortScan,
}

impl Services {
    /// Reads the settings. Nothing is connected before it is used. The data directory is kept from the file tools.
    ///
    /// Over HTTP they reach the internet alone until [`Services::through`] says more.
    pub fn open(settings: &Settings, data_dir: Option<&Path>) -> Result<Self> {
        let egress = Arc::new(Egress::new(gabier_egress::Settings::default()));
        Ok(Self {
            files: files::Roots::open(&settings.files, data_dir)?,
            monitor: monitor::Monitor::open(&settings.monitor),
            network: network::Network::open(&settings.network(), egress),
            exec: settings.exec.clone(),
            hosts: None,
        })
    }
}

impl Services {
    /// The same, going out over HTTP another way.
    #[must_use]
    pub fn through(mut self, egress: Arc<Egress>) -> Self {
        self.network.go_through(egress);
        self
    }

    /// The same, with hosts to reach.
    #[must_use]
    pub fn reaching(mut self, hosts: Hosts) -> Self {
        self.hosts = Some(hosts);
        self
    }

    /// The hosts, of which a program may have none.
    pub fn hosts(&self) -> Result<&Hosts> {
        self.hosts
            .as_ref()
            .ok_or_else(|| Error::new(ErrorKind::NotAvailable, "reaching a host: this program reaches none"))
    }
}

impl Settings {
    fn network(&self) -> network::Settings {
        network::Settings {
            dns: self.dns.clone(),
            web_search: self.web_search.clone(),
            port_scan: self.port_scan.clone(),
        }
    }
}
