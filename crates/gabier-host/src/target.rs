//! A host resolved down to what a connection needs.

use std::hash::{Hash, Hasher};
use std::path::PathBuf;

use futures::future::BoxFuture;
use gabier_tool::{Result, Secret};
use serde::{Deserialize, Serialize};

/// How to reach a host: the last [`Endpoint`] of a chain, with those before it as jumps.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The hosts on the way, nearest first; empty for a direct connection.
    pub jumps: Vec<Endpoint>,
    /// The host itself.
    pub endpoint: Endpoint,
}

impl Target {
    /// The alias.
    pub fn alias(&self) -> &str {
        &self.endpoint.alias
    }
}

/// One host to log in to. Two endpoints are equal when one connection can serve both, whatever their aliases.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// The name it is known by.
    pub alias: String,
    /// The account.
    pub user: String,
    /// Name or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What to log in with, in the order of offering.
    pub credentials: Vec<Credential>,
    /// Which host keys are accepted.
    pub host_key: HostKeyPolicy,
    /// The keys recorded for it.
    pub pinned: Vec<PinnedKey>,
    /// The fingerprint given for `pinned`.
    pub fingerprint: Option<String>,
    /// The name under which its keys stand in `known_hosts`, instead of its own.
    pub host_key_alias: Option<String>,
    /// Which algorithms may be used.
    pub strength: Strength,
}

impl Endpoint {
    fn identity(&self) -> impl Eq + Hash {
        let Self { user, host, port, credentials, host_key, fingerprint, host_key_alias, strength, .. } =
            self;
        (user, host, port, credentials, host_key, fingerprint, host_key_alias, strength)
    }
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for Endpoint {}

impl Hash for Endpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

/// Something to log in with. Secrets are named here, not held.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Credential {
    /// A private key file; a certificate beside it (`-cert.pub`) is offered first.
    Key {
        /// The file.
        path: PathBuf,
        /// Its passphrase.
        passphrase: Option<SecretSource>,
    },
    /// A private key held as a secret.
    KeyText {
        /// The key, in OpenSSH or PEM form.
        key: SecretSource,
        /// Its passphrase.
        passphrase: Option<SecretSource>,
    },
    /// The keys of the user's agent.
    Agent,
    /// A password; it also answers the password question of keyboard-interactive.
    Password(SecretSource),
}

/// Where a secret comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecretSource(pub String);

/// Opens secrets by name.
pub trait Secrets: Send + Sync + 'static {
    /// The secret of that name; `NOT_FOUND` when there is none.
    fn open<'a>(&'a self, source: &'a SecretSource) -> BoxFuture<'a, Result<Secret>>;
}

/// Which host keys are accepted.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum HostKeyPolicy {
    /// The first key of a host that has none recorded, then only that.
    #[default]
    AcceptNew,
    /// Only recorded keys.
    Strict,
    /// Only the key with the given fingerprint.
    Pinned,
}

/// A host key that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PinnedKey {
    /// Its algorithm, such as `ssh-ed25519`.
    pub algorithm: String,
    /// The key, base64 as in `known_hosts`.
    pub key: String,
    /// Its fingerprint, `SHA256:…`.
    pub fingerprint: String,
    /// When it was recorded, ISO 8601.
    pub recorded_at: String,
}

/// Which algorithms may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// Those that are sound today.
    #[default]
    Modern,
    /// SHA-1 and CBC as well, for machines that know nothing else.
    Legacy,
}
