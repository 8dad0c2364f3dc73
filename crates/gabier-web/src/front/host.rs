//! The names a request may use for this server: a page that rebinds its own name to loopback gets nothing.

use std::net::IpAddr;

use gabier_tool::{Error, ErrorKind};
use http::StatusCode;
use http::header::HOST;
use http::request::Parts;

use super::{Peer, Refusal};

/// The configured names, in lower case.
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    pub(super) fn new(names: &[String]) -> Self {
        Self(names.iter().map(|name| name.to_ascii_lowercase()).collect())
    }

    /// The host of the request as it was written, when it is one of ours.
    pub(super) fn check<'a>(&self, parts: &'a Parts, peer: Peer) -> Result<&'a str, Refusal> {
        let mut given = parts.headers.get_all(HOST).iter();
        let host = given.next().and_then(|value| value.to_str().ok());
        let target = parts.uri.authority().map(http::uri::Authority::as_str);
        let (Some(host), None) = (host.or(target), given.next()) else {
            return Err(Refusal::of(ErrorKind::BadRequest, "a request names one Host"));
        };
        if self.knows(host, peer) && target.is_none_or(|target| target.eq_ignore_ascii_case(host)) {
            return Ok(host);
        }
        let error = Error::new(ErrorKind::Forbidden, "this server does not answer to that Host")
            .with_next("use the name that is configured, or add this one to the allowed hosts");
        Err(Refusal::with_status(StatusCode::MISDIRECTED_REQUEST, error))
    }

    fn knows(&self, host: &str, peer: Peer) -> bool {
        let name = without_port(host);
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        // A literal address cannot be rebound: loopback's own, and the one that this connection came in by.
        if let Ok(address) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            let address = address.to_canonical();
            if address.is_loopback() || address == peer.local.to_canonical() {
                return true;
            }
        }
        self.0.iter().any(|own| own.eq_ignore_ascii_case(host) || own.eq_ignore_ascii_case(name))
    }
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon)
            if !host[colon..].contains(']') && host[colon + 1..].bytes().all(|b| b.is_ascii_digit()) =>
        {
            &host[..colon]
        }
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn check(host: &str, known: bool) {
        let hosts = Hosts::new(&["Gabier.example".to_owned(), "other.example:8443".to_owned()]);
        let local = IpAddr::V4(Ipv4Addr::new(192, 168, 1, 5));
        let peer = Peer { remote: local, local, secure: false };
        assert_eq!(hosts.knows(host, peer), known, "{host}");
    }

    #[test]
    fn loopback_and_configured_names_are_known_with_and_without_port() {
        for host in ["localhost", "LOCALHOST:8000", "127.0.0.1:1", "127.0.0.2", "[::1]:8000", "[::1]"] {
            check(host, true);
        }
        check("gabier.example", true);
        check("gabier.example:8443", true);
        check("192.168.1.5:8000", true);
    }

    #[test]
    fn every_other_name_is_foreign() {
        for host in
            ["evil.example", "localhost.evil.example", "xlocalhost", "192.168.1.6", "", ":80", "[::2]"]
        {
            check(host, false);
        }
        check("other.example:1", false);
        check("127.0.0.1.evil.example", false);
        check("localhost:80@evil.example", false);
    }
}
