//! What the operator opens beyond the internet.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What requests over HTTP may reach beyond the internet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Networks beyond the internet that callers over HTTP and webhooks may reach.
    pub allow: Vec<Allow>,
    /// Lets metadata services of clouds be treated as private addresses instead of refusing them to everyone.
    pub metadata: bool,
}

/// One opening.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// The network, such as `10.1.0.0/16`, or one address.
    pub cidr: Cidr,
    /// The only port; every port when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The only tool, such as `http_request`; every tool when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

impl Allow {
    pub(crate) fn covers(&self, tool: &str, address: IpAddr, port: u16) -> bool {
        self.cidr.contains(address)
            && self.port.is_none_or(|own| own == port)
            && self.tool.as_deref().is_none_or(|own| own == tool)
    }
}

/// A network in CIDR notation; one address is a network of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// True when the address, or the IPv4 address it maps to, is in the network.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => Ok(IpNet::from(address)),
            Err(_) => text.parse::<IpNet>(),
        };
        network
            .map(|network| Self(network.trunc()))
            .map_err(|_| format!("{text} is no network such as 10.1.0.0/16 or fd00::/8"))
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Cidr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cidr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Cidr {
    fn schema_name() -> Cow<'static, str> {
        "Cidr".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "examples": ["10.1.0.0/16"]})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_opening_is_read_from_settings() {
        let settings: Settings =
            serde_json::from_value(json!({"allow": [{"cidr": "10.1.2.3/16", "port": 8080}]})).unwrap();
        let allow = &settings.allow[0];
        assert_eq!(allow.cidr.to_string(), "10.1.0.0/16");
        assert!(allow.covers("http_request", "10.1.9.9".parse().unwrap(), 8080));
        assert!(!allow.covers("http_request", "10.1.9.9".parse().unwrap(), 8081));
        assert!(!allow.covers("http_request", "10.2.0.1".parse().unwrap(), 8080));
    }

    #[test]
    fn an_opening_for_one_tool_is_closed_to_others() {
        let allow = Allow { cidr: "::1".parse().unwrap(), port: None, tool: Some("web_search".to_owned()) };
        assert!(allow.covers("web_search", "::1".parse().unwrap(), 1));
        assert!(!allow.covers("http_request", "::1".parse().unwrap(), 1));
    }

    #[test]
    fn a_bad_network_and_an_unknown_key_are_refused() {
        let read = |value| serde_json::from_value::<Settings>(value).unwrap_err().to_string();
        assert!(read(json!({"allow": [{"cidr": "10.1/16"}]})).contains("is no network"));
        assert!(read(json!({"alow": []})).contains("unknown field"));
    }
}
