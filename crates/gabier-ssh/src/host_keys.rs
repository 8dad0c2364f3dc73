//! Whether the key a host shows is accepted.

use std::path::PathBuf;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_host::{Endpoint, HostKeyPolicy, Inventory, PinnedKey};
use gabier_tool::{Error, ErrorKind, Result};

use crate::trust::{Decision, HostKey, KnownHosts, Place};

/// Decides about host keys, before any credential is sent.
pub trait HostKeys: Send + Sync + 'static {
    /// The algorithms of the keys recorded for a host; they are asked for first.
    fn algorithms<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Vec<String>>>;

    /// Accepts a key or refuses it with `HOST_KEY_UNKNOWN` or `HOST_KEY_MISMATCH`; true when it is new and was
    /// recorded.
    fn check<'a>(&'a self, endpoint: &'a Endpoint, key: &'a HostKey) -> BoxFuture<'a, Result<bool>>;
}

/// Host keys in the inventory and in `known_hosts` files.
#[derive(Clone)]
pub struct RecordedKeys {
    inventory: Inventory,
    files: Vec<PathBuf>,
}

impl RecordedKeys {
    /// Keys recorded with the hosts of an inventory, and in these files.
    pub fn new(inventory: Inventory, files: Vec<PathBuf>) -> Self {
        Self { inventory, files }
    }

    /// The records are read anew: another process may have recorded a key since the target was resolved.
    async fn pinned(&self, endpoint: &Endpoint) -> Result<Vec<PinnedKey>> {
        match self.inventory.get(&endpoint.alias).await {
            Ok(record) => Ok(record.pinned),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(endpoint.pinned.clone()),
            Err(error) => Err(error),
        }
    }

    async fn files(&self) -> Result<KnownHosts> {
        let files = self.files.clone();
        tokio::task::spawn_blocking(move || KnownHosts::read(&files))
            .await
            .map_err(|error| Error::internal("reading known_hosts").with_source(error))?
    }
}

impl HostKeys for RecordedKeys {
    fn algorithms<'a>(&'a self, endpoint: &'a Endpoint) -> BoxFuture<'a, Result<Vec<String>>> {
        async move {
            let files = self.files().await?;
            let pinned = self.pinned(endpoint).await?;
            let recorded = files.recorded(&place(endpoint));
            let recorded = recorded.into_iter().map(|recorded| recorded.key.algorithm().to_owned());
            Ok(pinned.iter().map(|pinned| pinned.algorithm.clone()).chain(recorded).collect())
        }
        .boxed()
    }

    fn check<'a>(&'a self, endpoint: &'a Endpoint, key: &'a HostKey) -> BoxFuture<'a, Result<bool>> {
        async move {
            let pinned = self.pinned(endpoint).await?;
            let known = self.files().await?.check(&place(endpoint), key);
            match decide(endpoint, &pinned, &known, key)? {
                Verdict::Known => Ok(false),
                Verdict::Accept => {
                    self.inventory.pin(&endpoint.alias, pin(key), false).await?;
                    Ok(true)
                }
            }
        }
        .boxed()
    }
}

/// Where the keys of a host stand in `known_hosts`. An alias stands there as it is, whatever the port, as for OpenSSH.
fn place(endpoint: &Endpoint) -> Place {
    match &endpoint.host_key_alias {
        Some(name) => Place::new(name, 22),
        None => Place::new(&endpoint.host, endpoint.port),
    }
}

/// The key as a record holds it.
pub(crate) fn pin(key: &HostKey) -> PinnedKey {
    let base64 = key.to_string().split_once(' ').map_or_else(String::new, |(_, base64)| base64.to_owned());
    PinnedKey {
        algorithm: key.algorithm().to_owned(),
        key: base64,
        fingerprint: key.fingerprint(),
        recorded_at: String::new(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Known,
    Accept,
}

/// The whole rule. Equal to a recorded key and not revoked: known. Any other recorded key: changed, whatever its
/// algorithm. None: the policy decides.
fn decide(endpoint: &Endpoint, pinned: &[PinnedKey], known: &Decision, key: &HostKey) -> Result<Verdict> {
    let offered = pin(key);
    if let Decision::Revoked(recorded) = known {
        let place = format!("{}:{}", recorded.file.display(), recorded.line);
        return Err(refuse(ErrorKind::HostKeyMismatch, "REVOKED", endpoint, key, "its key is revoked")
            .with("recorded_in", place));
    }
    if endpoint.host_key == HostKeyPolicy::Pinned {
        let expected = endpoint.fingerprint.as_deref().unwrap_or_default();
        if expected == offered.fingerprint {
            return Ok(Verdict::Known);
        }
        return Err(refuse(
            ErrorKind::HostKeyMismatch,
            "CHANGED",
            endpoint,
            key,
            "its key is not the pinned one",
        )
        .with("expected", expected));
    }
    if pinned.iter().any(|pinned| pinned.key == offered.key) || matches!(known, Decision::Known(_)) {
        return Ok(Verdict::Known);
    }
    let mut recorded: Vec<String> = pinned.iter().map(|pinned| pinned.fingerprint.clone()).collect();
    if let Decision::Changed { recorded: others } = known {
        recorded.extend(others.iter().map(|other| other.key.fingerprint()));
    }
    if !recorded.is_empty() {
        return Err(refuse(
            ErrorKind::HostKeyMismatch,
            "CHANGED",
            endpoint,
            key,
            "its key is not the recorded one",
        )
        .with("expected", recorded.join(", "))
        .with_next(format!(
            "compare the fingerprints with the host's owner, then hostkey_accept {}",
            endpoint.alias
        )));
    }
    if endpoint.host_key == HostKeyPolicy::AcceptNew && known.may_accept_new() {
        return Ok(Verdict::Accept);
    }
    let why = if known.may_accept_new() {
        "its key is unknown"
    } else {
        "it must show a certificate and showed a key"
    };
    Err(refuse(ErrorKind::HostKeyUnknown, "UNKNOWN", endpoint, key, why).with_next(format!(
        "compare the fingerprint, then hostkey_accept {} {}",
        endpoint.alias, offered.fingerprint
    )))
}

fn refuse(kind: ErrorKind, reason: &str, endpoint: &Endpoint, key: &HostKey, why: &str) -> Error {
    Error::new(kind, format!("{why}; nothing was sent"))
        .with("reason", reason)
        .with("fingerprint", key.fingerprint())
        .with("algorithm", key.algorithm())
        .with("policy", serde_json::to_value(endpoint.host_key).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gabier_host::Strength;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const OTHER: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";

    fn endpoint(host_key: HostKeyPolicy, fingerprint: Option<&str>) -> Endpoint {
        Endpoint {
            alias: "web1".into(),
            user: "bob".into(),
            host: "h".into(),
            port: 22,
            credentials: Vec::new(),
            host_key,
            pinned: Vec::new(),
            fingerprint: fingerprint.map(str::to_owned),
            host_key_alias: None,
            strength: Strength::Modern,
        }
    }

    fn check(policy: HostKeyPolicy, fingerprint: Option<&str>, pinned: &[&str], known_hosts: &str) -> String {
        let key = HostKey::parse(KEY).unwrap();
        let endpoint = endpoint(policy, fingerprint);
        let pinned: Vec<PinnedKey> = pinned.iter().map(|text| pin(&HostKey::parse(text).unwrap())).collect();
        let known = KnownHosts::parse(Path::new("known_hosts"), known_hosts.as_bytes()).unwrap();
        let known = known.check(&place(&endpoint), &key);
        match decide(&endpoint, &pinned, &known, &key) {
            Ok(verdict) => format!("{verdict:?}"),
            Err(error) => format!("{} {}", error.kind().code(), error.details()["reason"].as_str().unwrap()),
        }
    }

    #[test]
    fn the_policies_differ_only_about_a_host_without_any_key() {
        use HostKeyPolicy::{AcceptNew, Strict};
        let other = format!("h {OTHER}\n");
        let same = format!("h {KEY}\n");
        for (policy, unknown) in [(AcceptNew, "Accept"), (Strict, "HOST_KEY_UNKNOWN UNKNOWN")] {
            assert_eq!(check(policy, None, &[], ""), unknown);
            assert_eq!(check(policy, None, &[KEY], ""), "Known");
            assert_eq!(check(policy, None, &[], &same), "Known");
            assert_eq!(check(policy, None, &[OTHER], ""), "HOST_KEY_MISMATCH CHANGED", "another algorithm");
            assert_eq!(check(policy, None, &[], &other), "HOST_KEY_MISMATCH CHANGED");
            assert_eq!(
                check(policy, None, &[KEY], &format!("@revoked * {KEY}\n")),
                "HOST_KEY_MISMATCH REVOKED"
            );
            assert_eq!(
                check(policy, None, &[], &format!("@cert-authority h {OTHER}\n")),
                "HOST_KEY_UNKNOWN UNKNOWN"
            );
        }
    }

    #[test]
    fn keys_stand_under_the_alias_whatever_host_and_port_are_dialled() {
        let text = format!("farm {KEY}\n[h]:2222 {OTHER}\n");
        let known = KnownHosts::parse(Path::new("known_hosts"), text.as_bytes()).unwrap();
        let key = HostKey::parse(KEY).unwrap();
        let mut endpoint = Endpoint { port: 2222, ..endpoint(HostKeyPolicy::Strict, None) };
        assert!(matches!(known.check(&place(&endpoint), &key), Decision::Changed { .. }));
        endpoint.host_key_alias = Some("farm".into());
        assert!(matches!(known.check(&place(&endpoint), &key), Decision::Known(_)));
    }

    #[test]
    fn a_pinned_fingerprint_decides_alone_but_for_a_revocation() {
        let fingerprint = HostKey::parse(KEY).unwrap().fingerprint();
        let pinned =
            |fingerprint: &str, known: &str| check(HostKeyPolicy::Pinned, Some(fingerprint), &[OTHER], known);
        assert_eq!(pinned(&fingerprint, ""), "Known");
        assert_eq!(pinned("SHA256:else", &format!("h {KEY}\n")), "HOST_KEY_MISMATCH CHANGED");
        assert_eq!(pinned(&fingerprint, &format!("@revoked h {KEY}\n")), "HOST_KEY_MISMATCH REVOKED");
    }
}
