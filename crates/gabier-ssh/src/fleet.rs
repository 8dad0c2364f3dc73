//! All hosts of an inventory over SSH.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_host::{Contact, Fleet, Host, Inventory, PoolState, Secrets, Target};
use gabier_tool::{Error, Result};
use tokio::time::Instant;

use crate::connect::Connector;
use crate::files::OpenFiles;
use crate::host::SshHost;
use crate::host_keys::{HostKeys, RecordedKeys};
use crate::pool::Pool;
use crate::settings::Settings;

/// The hosts of an inventory over SSH. Clones share their connections.
#[derive(Clone)]
pub struct SshFleet {
    inventory: Inventory,
    pool: Arc<Pool>,
    files: Arc<OpenFiles>,
}

impl SshFleet {
    /// Reaches the hosts of an inventory. Must be called inside a Tokio runtime.
    pub fn new(inventory: Inventory, secrets: Arc<dyn Secrets>, settings: Settings) -> Self {
        let keys: Arc<dyn HostKeys> =
            Arc::new(RecordedKeys::new(inventory.clone(), settings.known_hosts.clone()));
        let pool = Pool::new(Connector { settings, keys, secrets });
        Self { inventory, pool, files: Arc::default() }
    }

    /// The host of a target that no inventory holds.
    pub fn reach(&self, target: Target) -> SshHost {
        SshHost::new(Arc::clone(&self.pool), Arc::clone(&self.files), target)
    }

    /// The host of an alias, with what only SSH has.
    pub async fn find(&self, alias: &str) -> Result<SshHost> {
        Ok(self.reach(self.inventory.target(alias).await?))
    }
}

impl Fleet for SshFleet {
    fn host<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Arc<dyn Host>>> {
        async move { Ok(Arc::new(self.find(alias).await?) as Arc<dyn Host>) }.boxed()
    }

    fn contact<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Contact>> {
        async move {
            let target = self.inventory.target(alias).await?;
            let limit = self.pool.connector().settings.connect_limit
                * u32::try_from(target.jumps.len() + 1).unwrap_or(1);
            let connected =
                self.pool.dedicated(&target, Instant::now() + limit + Duration::from_secs(1)).await;
            let connection = connected.map_err(|failure| Error::from(failure.at(&target.endpoint, false)))?;
            let contact = connection.contact().clone();
            connection.close().await;
            Ok(contact)
        }
        .boxed()
    }

    fn offered<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, Result<Contact>> {
        async move {
            let target = self.inventory.target(alias).await?;
            self.pool.connector().look(&target).await.map_err(Error::from)
        }
        .boxed()
    }

    fn close<'a>(&'a self, alias: &'a str) -> BoxFuture<'a, ()> {
        self.pool.close(alias).boxed()
    }

    fn state(&self) -> Vec<PoolState> {
        self.pool.state()
    }
}
