//! The APIs there are, kept as records; their secrets are in the vault.

use std::collections::BTreeMap;

use gabier_access::secret::SecretName;
use gabier_host::Alias;
use gabier_store::{Expect, Record};
use gabier_tool::{Error, ErrorKind, Result, nearest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::hosts::Hosts;

/// The kind of the records.
const KIND: &str = "api";

/// How often a change is tried again when another process was first.
const TRIES: usize = 8;

/// An API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ApiRecord {
    pub(super) url: String,
    #[serde(default)]
    pub(super) health_check_endpoint: String,
    #[serde(default)]
    pub(super) health_check_method: Method,
    #[serde(default)]
    pub(super) auth_method: AuthMethod,
    #[serde(default = "authorization")]
    pub(super) auth_header_name: String,
    #[serde(default = "bearer")]
    pub(super) auth_scheme: String,
    #[serde(default)]
    pub(super) htpasswd_user: Option<String>,
    #[serde(default)]
    pub(super) notes: Option<String>,
    /// The secrets, by what they are for.
    #[serde(default)]
    pub(super) key: Option<Sealed>,
    #[serde(default)]
    pub(super) password: Option<Sealed>,
}

/// A secret in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sealed {
    /// Its name there.
    pub(super) name: String,
    /// When it was set, in ISO 8601.
    pub(super) set: String,
}

/// How an API is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub(super) enum Method {
    #[default]
    Get,
    Post,
}

/// What an API is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(super) enum AuthMethod {
    #[default]
    None,
    ApiKey,
    Htpasswd,
    Both,
}

impl AuthMethod {
    pub(super) fn has_key(self) -> bool {
        matches!(self, Self::ApiKey | Self::Both)
    }

    pub(super) fn has_password(self) -> bool {
        matches!(self, Self::Htpasswd | Self::Both)
    }
}

/// The header of a key unless the call says otherwise.
pub(super) fn authorization() -> String {
    "Authorization".to_owned()
}

/// The word before a key unless the call says otherwise.
pub(super) fn bearer() -> String {
    "Bearer".to_owned()
}

impl ApiRecord {
    /// An API at a URL that is shown nothing.
    pub(super) fn new(url: String) -> Self {
        Self {
            url,
            health_check_endpoint: String::new(),
            health_check_method: Method::Get,
            auth_method: AuthMethod::None,
            auth_header_name: authorization(),
            auth_scheme: bearer(),
            htpasswd_user: None,
            notes: None,
            key: None,
            password: None,
        }
    }

    /// What it is shown, without any secret: `api_key (set 2026-11-20)`.
    pub(super) fn auth(&self) -> String {
        let mut parts = Vec::new();
        let mut part = |wanted: bool, word: &str, secret: Option<&Sealed>| {
            if wanted {
                let state = secret.map(|secret| secret.set.chars().take(10).collect::<String>());
                parts.push(
                    state.map_or_else(|| format!("{word} (not set)"), |day| format!("{word} (set {day})")),
                );
            }
        };
        part(self.auth_method.has_key(), "api_key", self.key.as_ref());
        part(self.auth_method.has_password(), "htpasswd", self.password.as_ref());
        if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
    }

    /// Refuses what could not be asked.
    pub(super) fn check(&self) -> Result<()> {
        gabier_egress::destination(&self.health_url()?)?;
        if self.auth_method.has_password() && self.htpasswd_user.is_none() {
            return Err(Error::invalid("htpasswd_user", "is needed for htpasswd"));
        }
        if self.auth_method == AuthMethod::Both && self.auth_header_name.eq_ignore_ascii_case("authorization")
        {
            let message = "must not be Authorization where htpasswd is used too, such as X-Api-Key";
            return Err(Error::invalid("auth_header_name", message));
        }
        Ok(())
    }

    /// Where it is asked for its health: the endpoint below its URL.
    pub(super) fn health_url(&self) -> Result<String> {
        let endpoint = self.health_check_endpoint.trim();
        if endpoint.is_empty() {
            return Ok(self.url.clone());
        }
        let bad = |error: url::ParseError| Error::invalid("url", format!("is no URL: {error}"));
        let mut base = url::Url::parse(&self.url).map_err(bad)?;
        let own = base.origin();
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let joined = base.join(endpoint.trim_start_matches('/')).map_err(bad)?;
        if joined.origin() != own {
            return Err(Error::invalid("health_check_endpoint", "must be a path below the API's own URL"));
        }
        Ok(joined.into())
    }
}

/// All APIs, by alias.
pub(super) async fn list(hosts: &Hosts) -> Result<BTreeMap<String, ApiRecord>> {
    let records = hosts.records.list(KIND).await.map_err(|error| broken("reading the APIs", error))?;
    records.into_iter().map(|record| Ok((record.key.clone(), parse(&record)?))).collect()
}

/// The API of an alias; `NOT_FOUND` names the nearest ones.
pub(super) async fn get(hosts: &Hosts, alias: &str) -> Result<ApiRecord> {
    let mut apis = list(hosts).await?;
    apis.remove(alias).ok_or_else(|| {
        let nearest = nearest(alias, apis.keys().map(String::as_str), 3);
        let error = Error::not_found(format!("there is no API '{alias}'")).with("alias", alias);
        let error = match nearest.first() {
            Some(first) => error.with_next(format!("api_check with alias={first}")),
            None => error.with_next("api_add with alias and url"),
        };
        error.with("nearest", nearest)
    })
}

/// Changes the API of an alias, or makes it: the API before and after.
pub(super) async fn change(
    hosts: &Hosts,
    alias: &Alias,
    change: impl Fn(Option<&ApiRecord>) -> Result<ApiRecord>,
) -> Result<(Option<ApiRecord>, ApiRecord)> {
    let alias = alias.as_str();
    let doing = || format!("changing the API {alias}");
    for _ in 0..TRIES {
        let present = hosts.records.get(KIND, alias).await.map_err(|error| broken(&doing(), error))?;
        let before = present.as_ref().map(parse).transpose()?;
        let after = change(before.as_ref())?;
        after.check()?;
        if before.as_ref() == Some(&after) {
            return Ok((before, after));
        }
        let expect = present.map_or(Expect::Absent, |record| Expect::Version(record.version));
        let value =
            serde_json::to_value(&after).map_err(|error| Error::internal(doing()).with_source(error))?;
        match hosts.records.put(KIND, alias, value, expect).await {
            Ok(_) => return Ok((before, after)),
            Err(error) if error.kind() == gabier_store::ErrorKind::Conflict => {}
            Err(error) => return Err(broken(&doing(), error)),
        }
    }
    Err(Error::new(ErrorKind::Conflict, format!("{}: others keep changing it", doing())))
}

/// Removes an API with its secrets; false when there was none.
pub(super) async fn remove(hosts: &Hosts, alias: &str) -> Result<bool> {
    let Some(record) = list(hosts).await?.remove(alias) else { return Ok(false) };
    let removed = hosts.records.remove(KIND, alias, Expect::Any).await;
    let removed = removed.map_err(|error| broken(&format!("removing the API {alias}"), error))?;
    for secret in [record.key, record.password].into_iter().flatten() {
        // A secret of another name was put there by somebody for more than this API.
        if secret.name.starts_with(&format!("api/{alias}/")) {
            hosts.vault.remove(&SecretName::parse(&secret.name)?).await?;
        }
    }
    Ok(removed)
}

fn parse(record: &Record) -> Result<ApiRecord> {
    serde_json::from_value(record.value.clone()).map_err(|error| {
        Error::internal(format!("reading the record of the API {}", record.key)).with_source(error)
    })
}

fn broken(doing: &str, error: gabier_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable, doing.to_owned()).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_health_endpoint_lies_below_the_url_and_nowhere_else() {
        let cases = [
            ("http://a/v1", "", "http://a/v1"),
            ("http://a/v1", "/health", "http://a/v1/health"),
            ("http://a", "health?x=1", "http://a/health?x=1"),
        ];
        for (url, endpoint, expected) in cases {
            let api = ApiRecord { health_check_endpoint: endpoint.into(), ..ApiRecord::new(url.into()) };
            assert_eq!(api.health_url().unwrap(), expected);
        }
        for endpoint in ["http://b/", "//b/x", "https://a/"] {
            let api =
                ApiRecord { health_check_endpoint: endpoint.into(), ..ApiRecord::new("http://a/".into()) };
            let found = api.health_url();
            assert!(
                found.as_ref().is_err() || found.as_ref().is_ok_and(|url| url.starts_with("http://a/")),
                "{found:?}"
            );
        }
    }

    #[test]
    fn what_is_shown_of_secrets_is_that_they_are_set() {
        let mut api = ApiRecord::new("http://a/".into());
        assert_eq!(api.auth(), "none");
        api.auth_method = AuthMethod::Both;
        api.key = Some(Sealed { name: "api/a/key".into(), set: "2026-11-20T10:00:00.000Z".into() });
        assert_eq!(api.auth(), "api_key (set 2026-11-20), htpasswd (not set)");
        assert!(api.check().is_err(), "htpasswd without a user, and two values for one header");
    }
}
