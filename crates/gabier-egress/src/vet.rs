//! Whether a URL and the addresses behind it may be reached, and by which rule not.

use std::net::IpAddr;

use gabier_tool::{Error, ErrorKind};
use url::{Host, Origin, Url};

use crate::address::{Class, classify};
use crate::settings::Settings;

/// How far a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The internet, and what `egress.allow` names: callers over HTTP, webhooks.
    Public,
    /// Loopback and private networks as well: the operating system user's own calls.
    Own,
    /// The URL comes from the configuration: its own origin is reached like [`Reach::Own`], every redirect away from
    /// it like [`Reach::Public`].
    Configured,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The rule, such as `address_private`.
    pub rule: String,
    /// What the rule refused.
    pub target: String,
}

impl Refusal {
    pub(crate) fn new(rule: impl Into<String>, target: impl Into<String>) -> Self {
        Self { rule: rule.into(), target: target.into() }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::new(
            ErrorKind::Forbidden,
            format!("reaching {} is refused by egress rule {}", refusal.target, refusal.rule),
        )
        .with("rule", format!("egress.{}", refusal.rule))
        .with("target", refusal.target)
        .with_next("an operator can open it with egress.allow in the configuration")
    }
}

/// The policy of one hop: who asks, how far, to which port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) tool: &'a str,
    pub(crate) reach: Reach,
    pub(crate) port: u16,
}

impl Policy<'_> {
    /// Whether one address may be dialled.
    pub(crate) fn vet(&self, address: IpAddr) -> Result<(), Refusal> {
        let class = classify(address);
        let refused = || Err(Refusal::new(format!("address_{}", class.name()), address.to_string()));
        match class {
            Class::Global => Ok(()),
            Class::Metadata if !self.settings.metadata => refused(),
            _ if self.is_allowed(address) => Ok(()),
            Class::Loopback | Class::Private | Class::Metadata if self.reach == Reach::Own => Ok(()),
            _ => refused(),
        }
    }

    fn is_allowed(&self, address: IpAddr) -> bool {
        self.settings.allow.iter().any(|allow| allow.covers(self.tool, address, self.port))
    }
}

/// Reads a URL and refuses what no policy allows: other schemes, credentials, no host.
pub(crate) fn read_url(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text).map_err(|error| Error::invalid("url", format!("is no URL: {error}")))?;
    vet_url(&url)?;
    Ok(url)
}

/// Whether a URL is one to follow at all.
pub(crate) fn vet_url(url: &Url) -> Result<(), Refusal> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Refusal::new("scheme", format!("{}:", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refusal::new("credentials_in_url", place(url)));
    }
    if url.host().is_none() || url.port() == Some(0) {
        return Err(Refusal::new("no_host", place(url)));
    }
    Ok(())
}

/// Whether a redirect may be followed.
pub(crate) fn vet_redirect(from: &Url, to: &Url) -> Result<(), Refusal> {
    vet_url(to)?;
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(Refusal::new("https_downgrade", place(to)));
    }
    Ok(())
}

/// How far a hop may reach when the request began at `first`.
pub(crate) fn reach_of_hop(reach: Reach, first: &Origin, hop: &Url) -> Reach {
    match reach {
        Reach::Configured if hop.origin() == *first => Reach::Own,
        Reach::Configured => Reach::Public,
        other => other,
    }
}

/// The address that a URL names as such.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(IpAddr::V4(address)),
        Host::Ipv6(address) => Some(IpAddr::V6(address)),
        Host::Domain(_) => None,
    }
}

/// Scheme, host and port of a URL: never its path, query or credentials, which may hold secrets.
pub(crate) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{}://{host}:{port}", url.scheme()),
        None => format!("{}://{host}", url.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vetted(settings: &Settings, reach: Reach, address: &str) -> String {
        let policy = Policy { settings, tool: "http_request", reach, port: 80 };
        policy.vet(address.parse().unwrap()).map_or_else(|refusal| refusal.rule, |()| "ok".to_owned())
    }

    #[test]
    fn the_owner_reaches_loopback_and_private_networks_and_others_do_not() {
        let settings = Settings::default();
        for (address, public, own) in [
            ("1.1.1.1", "ok", "ok"),
            ("127.0.0.1", "address_loopback", "ok"),
            ("10.0.0.1", "address_private", "ok"),
            ("::ffff:192.168.0.1", "address_private", "ok"),
            ("0.0.0.0", "address_special", "address_special"),
            ("64:ff9b::7f00:1", "address_embedded", "address_embedded"),
            ("169.254.169.254", "address_metadata", "address_metadata"),
        ] {
            assert_eq!(vetted(&settings, Reach::Public, address), public, "{address}");
            assert_eq!(vetted(&settings, Reach::Own, address), own, "{address}");
        }
    }

    #[test]
    fn metadata_needs_its_switch_even_when_a_network_around_it_is_allowed() {
        let allow = crate::Allow { cidr: "169.254.0.0/16".parse().unwrap(), port: None, tool: None };
        let mut settings = Settings { allow: vec![allow], metadata: false };
        assert_eq!(vetted(&settings, Reach::Public, "169.254.1.1"), "ok");
        assert_eq!(vetted(&settings, Reach::Public, "169.254.169.254"), "address_metadata");
        settings.metadata = true;
        assert_eq!(vetted(&settings, Reach::Public, "169.254.169.254"), "ok");
        settings.allow.clear();
        assert_eq!(vetted(&settings, Reach::Public, "169.254.169.254"), "address_metadata");
        assert_eq!(vetted(&settings, Reach::Own, "169.254.169.254"), "ok");
    }

    #[test]
    fn only_http_without_credentials_is_a_url_to_follow() {
        let rule = |text: &str| {
            read_url(text).map_or_else(|error| error.details()["rule"].as_str().map(str::to_owned), |_| None)
        };
        assert_eq!(rule("http://example.org/a?b#c"), None);
        for (text, expected) in [
            ("file:///etc/passwd", "egress.scheme"),
            ("gopher://127.0.0.1:70/1", "egress.scheme"),
            ("ftp://example.org", "egress.scheme"),
            ("data:text/plain,x", "egress.scheme"),
            ("http://user@example.org", "egress.credentials_in_url"),
            ("http://:pw@example.org", "egress.credentials_in_url"),
            ("http://example.org:0/", "egress.no_host"),
        ] {
            assert_eq!(rule(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_refusal_never_repeats_path_query_or_credentials() {
        let error = read_url("http://user:pw@example.org/secret?token=t").unwrap_err();
        let said = format!("{} {:?}", error.message(), error.details());
        assert!(["user", "pw", "secret", "token"].iter().all(|word| !said.contains(word)), "{said}");
    }

    #[test]
    fn a_redirect_goes_up_to_https_and_never_down() {
        let rule = |from: &str, to: &str| {
            vet_redirect(&Url::parse(from).unwrap(), &Url::parse(to).unwrap()).map_err(|refusal| refusal.rule)
        };
        assert_eq!(rule("http://a.test", "https://a.test"), Ok(()));
        assert_eq!(rule("https://a.test", "https://b.test"), Ok(()));
        assert_eq!(rule("http://a.test", "http://b.test"), Ok(()));
        assert_eq!(rule("https://a.test", "http://a.test"), Err("https_downgrade".to_owned()));
        assert_eq!(rule("https://a.test", "file:///etc/passwd"), Err("scheme".to_owned()));
    }

    #[test]
    fn a_configured_origin_is_trusted_and_its_redirects_are_not() {
        let first = Url::parse("http://127.0.0.1:9/").unwrap();
        let same = Url::parse("http://127.0.0.1:9/next").unwrap();
        let other = Url::parse("http://127.0.0.1:10/").unwrap();
        assert_eq!(reach_of_hop(Reach::Configured, &first.origin(), &same), Reach::Own);
        assert_eq!(reach_of_hop(Reach::Configured, &first.origin(), &other), Reach::Public);
    }
}
