//! A fleet over the servers of a test.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_host::{Fleet as _, Host, HostChange, HostRecord, Inventory, SecretSource, Secrets};
use gabier_ssh::{Settings, SshFleet, SshHost};
use gabier_store::Memory;
use gabier_tool::{Clock, Error, Result, Secret, Timestamp};

use crate::sshd::Server;

/// Secrets that a test gave.
#[derive(Default)]
struct Given(Mutex<HashMap<String, String>>);

impl Secrets for Given {
    fn open<'a>(&'a self, source: &'a SecretSource) -> BoxFuture<'a, Result<Secret>> {
        let secret = self.0.lock().unwrap().get(&source.0).cloned();
        std::future::ready(secret.map(Secret::from).ok_or_else(|| Error::not_found("opening a secret")))
            .boxed()
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        std::future::ready(()).boxed()
    }
}

/// A fleet with an inventory in memory.
pub(crate) struct Fleet {
    pub(crate) inventory: Inventory,
    pub(crate) ssh: SshFleet,
    secrets: Arc<Given>,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let inventory = Inventory::new(Arc::new(Memory::default()), Arc::new(Stopped));
        let secrets = Arc::new(Given::default());
        let opened: Arc<dyn Secrets> = Arc::clone(&secrets) as _;
        let ssh = SshFleet::new(inventory.clone(), opened, settings);
        Self { inventory, ssh, secrets }
    }

    /// Keeps a secret under a name.
    pub(crate) fn keep(&self, name: &str, secret: &str) {
        self.secrets.0.lock().unwrap().insert(name.to_owned(), secret.to_owned());
    }

    /// Adds a server under an alias, logged in to by the test's key unless the change says otherwise.
    pub(crate) async fn add_with(&self, alias: &str, server: &Server, change: HostChange) -> HostRecord {
        let base = HostChange {
            host: Some("127.0.0.1".to_owned()),
            port: Some(server.port),
            user: Some(change.user.clone().unwrap_or_else(|| server.user.clone())),
            ..change
        };
        self.inventory.upsert(&alias.parse().unwrap(), base).await.unwrap().record
    }

    /// Adds a server under an alias and gives it as a host.
    pub(crate) async fn add(&self, alias: &str, server: &Server) -> Arc<dyn Host> {
        self.add_with(alias, server, key(server.key.clone())).await;
        self.ssh.host(alias).await.unwrap()
    }

    /// A host with what only SSH has.
    pub(crate) async fn find(&self, alias: &str) -> SshHost {
        self.ssh.find(alias).await.unwrap()
    }
}

/// Logs in by this key.
pub(crate) fn key(path: PathBuf) -> HostChange {
    HostChange { key_path: Some(path), ..HostChange::default() }
}

/// Logs in as this user with the password kept under a name.
pub(crate) fn password(user: &str, name: &str) -> HostChange {
    HostChange { user: Some(user.to_owned()), credential: Some(name.to_owned()), ..HostChange::default() }
}

/// The code and the reason of a failure.
pub(crate) fn why(error: &Error) -> String {
    let reason = error.details().get("reason").and_then(|reason| reason.as_str()).unwrap_or("-");
    format!("{} {reason}", error.kind().code())
}
