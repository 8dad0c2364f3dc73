//! A host that another program knew: taken with its secrets, without being reached.

use gabier_host::{Added, Alias, HostChange};
use gabier_tool::{Result, Secret};

use super::Hosts;
use super::add::Sealed;

/// What another program knew of a host.
pub struct Known {
    /// What is to be kept of it.
    pub change: HostChange,
    /// Its password.
    pub password: Option<Secret>,
    /// The passphrase of its key.
    pub passphrase: Option<Secret>,
}

impl Hosts {
    /// Adds a host or merges into the one there is. Its secrets go to the vault, and out of it again when the host is
    /// refused. Nothing is connected: the first use pins the host's key. `now` is when the password was set, ISO 8601.
    pub async fn adopt(&self, alias: &Alias, known: &Known, now: &str) -> Result<Added> {
        let mut sealed = Sealed::new(&self.vault);
        let added = match known.sealed(alias, now, &mut sealed).await {
            Ok(change) => self.inventory.upsert(alias, change).await,
            Err(error) => Err(error),
        };
        if added.is_err() {
            sealed.undo().await;
        }
        added
    }
}

impl Known {
    /// What is to be kept once its secrets are in the vault.
    async fn sealed(&self, alias: &Alias, now: &str, sealed: &mut Sealed<'_>) -> Result<HostChange> {
        let mut change = self.change.clone();
        if let Some(password) = &self.password {
            let (reference, is_other) = sealed.put(alias, "password", password).await?;
            change.credential = Some(reference);
            change.credential_set = is_other.then(|| now.to_owned());
        }
        if let Some(passphrase) = &self.passphrase {
            change.passphrase = Some(sealed.put(alias, "passphrase", passphrase).await?.0);
        }
        Ok(change)
    }
}
