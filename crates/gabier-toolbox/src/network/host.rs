//! A host of the network by name or address.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use gabier_tool::{Error, ErrorKind, Result};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use url::Host;

/// The longest a name may take to resolve.
const PATIENCE: Duration = Duration::from_secs(10);

/// A host by name or address; never something that another program could take for an option.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct HostName(String);

impl JsonSchema for HostName {
    fn schema_name() -> Cow<'static, str> {
        "HostName".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": 253, "pattern": r"^[^-\s]\S*$"})
    }
}

impl HostName {
    /// The host as it was given.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The first address of the host.
    pub(super) async fn address(&self) -> Result<IpAddr> {
        let bare = self.0.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&self.0);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(address.to_canonical());
        }
        match Host::parse(&self.0) {
            Ok(Host::Ipv4(address)) => Ok(IpAddr::V4(address)),
            Ok(Host::Ipv6(address)) => Ok(IpAddr::V6(address).to_canonical()),
            Ok(Host::Domain(name)) => resolve(&name).await,
            Err(error) => Err(Error::invalid("host", format!("is no name and no address: {error}"))),
        }
    }
}

async fn resolve(name: &str) -> Result<IpAddr> {
    let failed = |reason: &str| {
        Error::new(ErrorKind::ConnectionFailed, format!("cannot resolve {name}: {reason}"))
            .with("host", name)
            .with("reason", format!("cannot resolve the name: {reason}"))
    };
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(mut found)) => {
            found.next().map(|address| address.ip().to_canonical()).ok_or_else(|| failed("it has no address"))
        }
        Ok(Err(error)) => Err(failed("no such name, or no name server answers").with_source(error)),
        Err(_) => Err(failed("the resolver is silent")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(host: &str, expected: &str) {
        let found = HostName(host.to_owned()).address().await;
        let found = found.map_or_else(|error| error.kind().code().to_owned(), |address| address.to_string());
        assert_eq!(found, expected, "{host}");
    }

    #[tokio::test]
    async fn addresses_are_taken_as_they_are() {
        check("127.0.0.1", "127.0.0.1").await;
        check("::1", "::1").await;
        check("[::1]", "::1").await;
        check("::ffff:10.0.0.1", "10.0.0.1").await;
        check("0x7f.1", "127.0.0.1").await;
    }

    #[tokio::test]
    async fn what_is_no_host_is_refused_without_asking_anyone() {
        for host in ["a/b", "a b", "a:80", "http://a", "::1::", "256.1.1.1", "fe80::1%eth0", "[::1"] {
            check(host, "INVALID_ARGUMENT").await;
        }
    }
}
