//! Credentials made ready for a login: files read, keys decrypted, secrets opened.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gabier_host::{Credential, Endpoint, SecretSource, Secrets};
use gabier_tool::Secret;
use russh::keys::{Certificate, PrivateKey, decode_secret_key};

/// The largest key file.
const LARGEST: u64 = 64 * 1024;

/// What can be offered, in the order of offering, and what could not be made ready.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(super) offers: Vec<Offer>,
    pub(super) unusable: Vec<Unusable>,
}

/// Something to log in with.
pub(super) enum Offer {
    Key { name: String, key: Arc<PrivateKey>, certificate: Option<Box<Certificate>> },
    Agent(PathBuf),
    Password(Secret),
}

/// A credential that could not be made ready, and why.
#[derive(Clone, Debug)]
pub(super) struct Unusable {
    pub(super) name: String,
    pub(super) reason: &'static str,
    pub(super) message: &'static str,
}

impl Credentials {
    /// Makes the credentials of an endpoint ready. Nothing fails here: what is unusable is told when no other helps.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        secrets: &dyn Secrets,
        agent: Option<&Path>,
        key_roots: &[PathBuf],
    ) -> Self {
        let mut ready = Self::default();
        for credential in &endpoint.credentials {
            let name = name(credential);
            match open_one(credential, &name, secrets, agent, key_roots).await {
                Ok(offers) => ready.offers.extend(offers),
                Err((reason, message)) => ready.unusable.push(Unusable { name, reason, message }),
            }
        }
        ready
    }
}

type Why = (&'static str, &'static str);

async fn open_one(
    credential: &Credential,
    name: &str,
    secrets: &dyn Secrets,
    agent: Option<&Path>,
    key_roots: &[PathBuf],
) -> Result<Vec<Offer>, Why> {
    match credential {
        Credential::Agent => {
            let agent = agent.ok_or(("AGENT_UNREACHABLE", "there is no agent"))?;
            Ok(vec![Offer::Agent(agent.to_owned())])
        }
        Credential::Password(source) => Ok(vec![Offer::Password(open_secret(secrets, source).await?)]),
        Credential::KeyText { key, passphrase } => {
            let text = open_secret(secrets, key).await?;
            let passphrase = open_optional(secrets, passphrase.as_ref()).await?;
            let key = decode(text, passphrase).await?;
            Ok(vec![Offer::Key { name: name.to_owned(), key, certificate: None }])
        }
        Credential::Key { path, passphrase } => {
            let passphrase = open_optional(secrets, passphrase.as_ref()).await?;
            let (text, certificate) = read_pair(path.clone(), key_roots.to_vec()).await?;
            let key = decode(text, passphrase).await?;
            let mut offers = Vec::new();
            if let Some(certificate) = certificate {
                let name = format!("certificate {}", path.display());
                offers.push(Offer::Key {
                    name,
                    key: Arc::clone(&key),
                    certificate: Some(Box::new(certificate)),
                });
            }
            offers.push(Offer::Key { name: name.to_owned(), key, certificate: None });
            Ok(offers)
        }
    }
}

fn name(credential: &Credential) -> String {
    match credential {
        Credential::Key { path, .. } => format!("key {}", path.display()),
        Credential::KeyText { .. } => "key".to_owned(),
        Credential::Agent => "agent".to_owned(),
        Credential::Password(_) => "password".to_owned(),
    }
}

async fn open_secret(secrets: &dyn Secrets, source: &SecretSource) -> Result<Secret, Why> {
    secrets.open(source).await.map_err(|_| ("SECRET_MISSING", "the secret cannot be opened"))
}

async fn open_optional(secrets: &dyn Secrets, source: Option<&SecretSource>) -> Result<Option<Secret>, Why> {
    match source {
        Some(source) => open_secret(secrets, source).await.map(Some),
        None => Ok(None),
    }
}

/// The key's text and the certificate beside it.
async fn read_pair(path: PathBuf, roots: Vec<PathBuf>) -> Result<(Secret, Option<Certificate>), Why> {
    let read = move || {
        let text = read_file(&path, &roots)?;
        let mut beside = path.into_os_string();
        beside.push("-cert.pub");
        let certificate = match read_file(Path::new(&beside), &roots) {
            Ok(text) => Some(
                Certificate::from_openssh(text.trim())
                    .map_err(|_| ("CERTIFICATE_UNREADABLE", "the certificate beside it cannot be read"))?,
            ),
            Err(_) => None,
        };
        Ok((Secret::from(text), certificate))
    };
    tokio::task::spawn_blocking(read).await.map_err(|_| UNREADABLE)?
}

const UNREADABLE: Why = ("KEY_UNREADABLE", "the key file cannot be read");

/// A file below the roots, links resolved first; never more than a key can be long.
fn read_file(path: &Path, roots: &[PathBuf]) -> Result<String, Why> {
    let real = path.canonicalize().map_err(|_| UNREADABLE)?;
    let is_below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| real.starts_with(root));
    if !roots.is_empty() && !roots.iter().any(is_below) {
        return Err(("KEY_FORBIDDEN", "the key file lies outside the folders for keys"));
    }
    let file = std::fs::File::open(&real).map_err(|_| UNREADABLE)?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Err(UNREADABLE);
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(|_| UNREADABLE)?;
    Ok(text)
}

/// Decrypting a key is slow on purpose, so not here and now.
async fn decode(text: Secret, passphrase: Option<Secret>) -> Result<Arc<PrivateKey>, Why> {
    let work = move || {
        let text = text.expose();
        let has_passphrase = passphrase.is_some();
        decode_secret_key(text, passphrase.as_ref().map(Secret::expose)).map_err(|error| match error {
            russh::keys::Error::KeyIsEncrypted if !has_passphrase => {
                ("KEY_PASSPHRASE_MISSING", "the key is encrypted and no passphrase was given")
            }
            russh::keys::Error::SshKey(_) | russh::keys::Error::KeyIsEncrypted
                if is_encrypted(text) && !has_passphrase =>
            {
                ("KEY_PASSPHRASE_MISSING", "the key is encrypted and no passphrase was given")
            }
            _ if has_passphrase && is_encrypted(text) => {
                ("KEY_PASSPHRASE_WRONG", "the passphrase does not open the key")
            }
            _ => ("KEY_UNREADABLE", "the file holds no private key of a known form"),
        })
    };
    let decoded = tokio::task::spawn_blocking(work).await.map_err(|_| UNREADABLE)?;
    decoded.map(Arc::new)
}

fn is_encrypted(text: &str) -> bool {
    text.contains("ENCRYPTED") || PrivateKey::from_openssh(text).is_ok_and(|key| key.is_encrypted())
}
