//! What the operator decides about the network tools.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use gabier_egress::{Cidr, Class, classify};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The network tools.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Name lookups.
    pub dns: Dns,
    /// The web search.
    pub web_search: WebSearch,
    /// The port scanner.
    pub port_scan: PortScan,
}

/// Name lookups.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Dns {
    /// Name servers that `dns_lookup` asks, such as `127.0.0.1:5353`; the system's when empty.
    pub servers: Vec<Server>,
}

/// The web search.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebSearch {
    /// URL of a page that answers like DuckDuckGo's HTML search; DuckDuckGo itself when absent.
    pub endpoint: Option<String>,
}

/// The port scanner.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PortScan {
    /// Networks that may be scanned: loopback and private ones unless set.
    pub scope: Vec<Cidr>,
    /// Lets every public address be scanned as well (`net-public`).
    pub public: bool,
}

impl Default for PortScan {
    fn default() -> Self {
        let networks =
            ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7"];
        Self { scope: networks.iter().filter_map(|network| network.parse().ok()).collect(), public: false }
    }
}

impl PortScan {
    /// Whether an address may be scanned.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        self.scope.iter().any(|network| network.contains(address))
            || self.public && classify(address) == Class::Global
    }
}

/// The address of a name server; port 53 unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server(pub SocketAddr);

impl FromStr for Server {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = || text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
        text.parse()
            .or_else(|_| plain())
            .map(Self)
            .map_err(|_| format!("{text} is no address such as 127.0.0.1:5353"))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Server {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Server {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Server {
    fn schema_name() -> Cow<'static, str> {
        "Server".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["127.0.0.1:5353"]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_has_port_53_unless_it_says_otherwise() {
        for (text, expected) in [
            ("1.1.1.1", "1.1.1.1:53"),
            ("127.0.0.1:5353", "127.0.0.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]:5", "[::1]:5"),
        ] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), expected);
        }
        assert!("dns.example".parse::<Server>().is_err());
    }

    #[test]
    fn the_scope_of_scans_is_loopback_and_private_networks_unless_set() {
        let check = |scan: &PortScan, address: &str| scan.covers(address.parse().unwrap());
        let usual = PortScan::default();
        assert_eq!(usual.scope.len(), 6);
        for address in
            ["127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "::1", "fd00::1", "::ffff:10.0.0.1"]
        {
            assert!(check(&usual, address), "{address}");
        }
        for address in ["1.1.1.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "172.32.0.1", "2606:4700::1"] {
            assert!(!check(&usual, address), "{address}");
        }
        let open = PortScan { public: true, ..PortScan::default() };
        assert!(check(&open, "1.1.1.1") && check(&open, "2606:4700::1"));
        assert!(
            !check(&open, "169.254.169.254") && !check(&open, "224.0.0.1") && !check(&open, "168.63.129.16")
        );
    }
}
