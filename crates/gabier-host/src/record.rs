//! A host as it is stored.

use std::path::PathBuf;

use gabier_tool::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::alias::Alias;
use crate::target::{Credential, HostKeyPolicy, PinnedKey, SecretSource, Strength};

/// A host of the inventory. Secrets are named (`vault:NAME`), never held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostRecord {
    /// Name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// A private key file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_path: Option<PathBuf>,
    /// Where the key's passphrase is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// Where the password, or a private key, is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// When the password was set, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_set: Option<String>,
    /// True when the keys of the user's agent are offered.
    #[serde(default)]
    pub agent: bool,
    /// The host to go through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jump: Option<Alias>,
    /// Which host keys are accepted.
    #[serde(default)]
    pub host_key: HostKeyPolicy,
    /// The fingerprint given for `pinned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The name under which its keys stand in `known_hosts`, instead of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key_alias: Option<String>,
    /// The groups it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Alias>,
    /// What it is for; never sent anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which algorithms may be used.
    #[serde(default)]
    pub strength: Strength,
    /// The host keys recorded for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<PinnedKey>,
}

impl HostRecord {
    /// A host with nothing but its address and account.
    pub fn new(host: impl Into<String>, user: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: 22,
            user: user.into(),
            key_path: None,
            passphrase: None,
            credential: None,
            credential_set: None,
            agent: false,
            jump: None,
            host_key: HostKeyPolicy::default(),
            fingerprint: None,
            host_key_alias: None,
            groups: Vec::new(),
            description: None,
            strength: Strength::default(),
            pinned: Vec::new(),
        }
    }

    /// Refuses what could be taken for something else on the way.
    pub fn check(&self) -> Result<()> {
        if !is_host_name(&self.host) {
            return Err(Error::invalid("host", "takes a host name or an IP address"));
        }
        let is_user = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@\\$".contains(&byte);
        if self.user.is_empty()
            || self.user.len() > 64
            || self.user.starts_with('-')
            || !self.user.bytes().all(is_user)
        {
            return Err(Error::invalid("user", "takes the name of an account"));
        }
        if self.host_key_alias.as_deref().is_some_and(|name| !is_host_name(name)) {
            return Err(Error::invalid("host_key_alias", "takes a host name or an IP address"));
        }
        if self.port == 0 {
            return Err(Error::invalid("port", "takes 1 to 65535"));
        }
        if self.host_key == HostKeyPolicy::Pinned && self.fingerprint.is_none() {
            return Err(Error::invalid("fingerprint", "is needed with host_key 'pinned'"));
        }
        if self.fingerprint.as_deref().is_some_and(|fingerprint| !fingerprint.starts_with("SHA256:")) {
            return Err(Error::invalid("fingerprint", "takes SHA256:… as `ssh-keygen -l` shows it"));
        }
        Ok(())
    }

    /// What to log in with, in the order of offering: key, agent, password.
    pub fn credentials(&self) -> Vec<Credential> {
        let passphrase = self.passphrase.clone().map(SecretSource);
        let mut credentials = Vec::new();
        if let Some(path) = self.key_path.clone() {
            credentials.push(Credential::Key { path, passphrase });
        }
        if self.agent {
            credentials.push(Credential::Agent);
        }
        if let Some(credential) = self.credential.clone() {
            credentials.push(Credential::Password(SecretSource(credential)));
        }
        credentials
    }

    /// How it logs in, in words a list may show.
    pub fn auth(&self) -> String {
        let mut words = Vec::new();
        if let Some(path) = &self.key_path {
            words.push(format!("key {}", path.display()));
        }
        if self.agent {
            words.push("agent".to_owned());
        }
        if self.credential.is_some() {
            let day = self.credential_set.as_deref().and_then(|set| set.get(..10));
            words.push(day.map_or_else(|| "password".to_owned(), |day| format!("password (set {day})")));
        }
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}

/// What `server_add` says about a host; absent fields stay as they are.
#[derive(Clone, Debug, Default)]
pub struct HostChange {
    /// Name or address.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// The account.
    pub user: Option<String>,
    /// A private key file.
    pub key_path: Option<PathBuf>,
    /// Where the key's passphrase is kept.
    pub passphrase: Option<String>,
    /// Where the password is kept.
    pub credential: Option<String>,
    /// When the password was set, ISO 8601.
    pub credential_set: Option<String>,
    /// Whether the keys of the user's agent are offered.
    pub agent: Option<bool>,
    /// The host to go through.
    pub jump: Option<Alias>,
    /// Which host keys are accepted.
    pub host_key: Option<HostKeyPolicy>,
    /// The fingerprint for `pinned`.
    pub fingerprint: Option<String>,
    /// The name under which its keys stand in `known_hosts`.
    pub host_key_alias: Option<String>,
    /// The groups it is in.
    pub groups: Option<Vec<Alias>>,
    /// What it is for.
    pub description: Option<String>,
    /// Which algorithms may be used.
    pub strength: Option<Strength>,
}

impl HostChange {
    /// The record with these changes, and the names of those that replaced something.
    pub fn applied_to(self, mut record: HostRecord) -> (HostRecord, Vec<&'static str>) {
        let mut replaced = Vec::new();
        let names_keys = self.host_key_alias.is_some();
        macro_rules! set {
            ($($field:ident)*) => {$(
                if let Some(value) = self.$field && record.$field != value {
                    record.$field = value;
                    replaced.push(stringify!($field));
                }
            )*};
        }
        macro_rules! set_optional {
            ($($field:ident)*) => {$(
                if self.$field.is_some() && record.$field != self.$field {
                    if record.$field.is_some() {
                        replaced.push(stringify!($field));
                    }
                    record.$field = self.$field;
                }
            )*};
        }
        set!(host port user agent host_key groups strength);
        set_optional!(key_path passphrase credential credential_set jump fingerprint host_key_alias description);
        if replaced.contains(&"host") || replaced.contains(&"port") {
            // Another machine: the keys recorded for the old one say nothing about it.
            record.pinned.clear();
            record.host_key_alias.take_if(|_| !names_keys);
        }
        (record, replaced)
    }
}

/// A DNS name, or an IP address without brackets.
fn is_host_name(host: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_plain = !host.starts_with('-') && host.bytes().all(is_name);
    let (address, zone) = host.split_once('%').map_or((host, ""), |(address, zone)| (address, zone));
    let is_v6 = address.parse::<std::net::Ipv6Addr>().is_ok() && zone.bytes().all(is_name);
    !host.is_empty() && host.len() <= 253 && (is_plain || is_v6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_or_user_that_could_be_an_option_or_a_script_is_refused() {
        for host in ["web1.example", "10.0.0.1", "fe80::1%eth0", "::1", "xn--bcher-kva.example"] {
            assert!(HostRecord::new(host, "bob").check().is_ok(), "{host}");
        }
        for host in ["", "-x", "a b", "a;b", "[::1]", "host\n", "a/b", "bücher"] {
            assert!(HostRecord::new(host, "bob").check().is_err(), "{host:?}");
        }
        for user in ["", "-oX", "a b", "$(x)", "a\n"] {
            assert!(HostRecord::new("h", user).check().is_err(), "{user:?}");
        }
    }

    #[test]
    fn a_change_merges_and_tells_what_it_replaced() {
        let key = PinnedKey {
            algorithm: "ssh-ed25519".into(),
            key: "AAAA".into(),
            fingerprint: "SHA256:x".into(),
            recorded_at: String::new(),
        };
        let host_key_alias = Some("farm".to_owned());
        let record = HostRecord { pinned: vec![key], host_key_alias, ..HostRecord::new("h", "bob") };
        let change =
            HostChange { user: Some("ann".into()), description: Some("db".into()), ..HostChange::default() };
        let (record, replaced) = change.applied_to(record);
        assert_eq!((record.user.as_str(), record.host.as_str(), replaced), ("ann", "h", vec!["user"]));
        assert_eq!(record.pinned.len(), 1);
        let moved = HostChange { host: Some("other".into()), ..HostChange::default() };
        let (record, _) = moved.applied_to(record);
        assert!(
            record.pinned.is_empty() && record.host_key_alias.is_none(),
            "another machine has other keys"
        );
    }

    #[test]
    fn how_it_logs_in_is_told_without_the_secret() {
        let record = HostRecord {
            credential: Some("vault:web1".into()),
            credential_set: Some("2026-11-20T10:00:00Z".into()),
            ..HostRecord::new("h", "bob")
        };
        assert_eq!(record.auth(), "password (set 2026-11-20)");
    }
}
