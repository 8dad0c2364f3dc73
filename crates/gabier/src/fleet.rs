//! The hosts of the inventory, reached over SSH.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use etcetera::home_dir;
use futures::FutureExt as _;
use futures::executor::block_on;
use futures::future::BoxFuture;
use gabier_access::secret::{SecretName, Vault};
use gabier_host::{Alias, Inventory, SecretSource, Secrets};
use gabier_kit::{Setup, Variable, VariableUse};
use gabier_ssh::SshFleet;
use gabier_tool::{Error, ErrorKind, Result, Secret};
use gabier_toolbox::hosts::{Hosts, Running};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

/// The section of the settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Section {
    /// Connections to hosts.
    pub(crate) ssh: Settings,
}

/// Connections to hosts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// Connect, key exchange and login together, in seconds, for each host on the way.
    #[schemars(range(min = 1, max = 300))]
    connect_timeout_s: u64,
    /// Connections to one host that carry commands.
    #[schemars(range(min = 1, max = 64))]
    max_connections: usize,
    /// Connections to one host that stay although nothing uses them.
    #[schemars(range(max = 64))]
    min_connections: usize,
    /// An unused connection closes after so many seconds.
    #[schemars(range(min = 1, max = 86_400))]
    idle_timeout_s: u64,
    /// A silent connection is asked for a sign of life every so many seconds; the third unanswered one ends it.
    #[schemars(range(min = 1, max = 3_600))]
    keep_alive_s: u64,
    /// Folders that private keys are read from; `~/.ssh` when empty.
    key_roots: Vec<PathBuf>,
    /// `known_hosts` files that are believed besides the keys gabier recorded; the user's and the machine's when
    /// empty.
    known_hosts: Vec<PathBuf>,
    /// The socket of the agent; the one of `SSH_AUTH_SOCK` when absent.
    agent: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout_s: 10,
            max_connections: 5,
            min_connections: 1,
            idle_timeout_s: 300,
            keep_alive_s: 30,
            key_roots: Vec::new(),
            known_hosts: Vec::new(),
            agent: None,
        }
    }
}

/// Variables of older projects that set keys of the hosts.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable { name: "MAX_CONNECTIONS_PER_SERVER", usage: VariableUse::Key("ssh.max_connections") },
    Variable { name: "MIN_CONNECTIONS_PER_SERVER", usage: VariableUse::Key("ssh.min_connections") },
    Variable { name: "IDLE_TIMEOUT", usage: VariableUse::Milliseconds("ssh.idle_timeout_s") },
    Variable { name: "KEEP_ALIVE_INTERVAL", usage: VariableUse::Milliseconds("ssh.keep_alive_s") },
    Variable { name: "MCP_DEFAULT_CMD_TIMEOUT_MS", usage: VariableUse::Milliseconds("exec.timeout_s") },
    Variable { name: "MCP_DEFAULT_CMD_TIMEOUT_S", usage: VariableUse::Key("exec.timeout_s") },
    Variable {
        name: "MCP_INTERACTIVE_CMD_TIMEOUT_MS",
        usage: VariableUse::Milliseconds("exec.interactive_timeout_s"),
    },
    Variable { name: "MCP_INTERACTIVE_CMD_TIMEOUT_S", usage: VariableUse::Key("exec.interactive_timeout_s") },
    Variable { name: "SSH_AUTH_SOCK", usage: VariableUse::Key("ssh.agent") },
];

/// The hosts of this process, once its tools are there: what completes their names.
#[derive(Clone, Default)]
pub(crate) struct Known(Arc<OnceLock<Inventory>>);

impl Known {
    /// Every alias with its address, and every group.
    pub(crate) fn names(&self) -> Vec<(String, String)> {
        let hosts = self.0.get().and_then(|inventory| block_on(inventory.list()).ok()).unwrap_or_default();
        let groups: BTreeSet<&Alias> = hosts.values().flat_map(|record| &record.groups).collect();
        let groups = groups.into_iter().map(|group| (group.to_string(), "group".to_owned()));
        hosts
            .iter()
            .map(|(alias, record)| {
                (alias.to_string(), format!("{}@{}:{}", record.user, record.host, record.port))
            })
            .chain(groups)
            .collect()
    }
}

/// Joins the inventory and the transport. Nothing is connected before a call needs it.
pub(crate) fn open(setup: &Setup<'_>, known: &Known) -> Result<Hosts> {
    let inventory = Inventory::new(Arc::clone(setup.records), Arc::clone(setup.clock));
    let _ = known.0.set(inventory.clone());
    let secrets = Arc::new(Sealed(Arc::clone(setup.vault)));
    let settings = gabier_ssh::Settings {
        transfers: Some(setup.data_dir.join("transfers")),
        ..setup.settings::<Section>()?.ssh.resolved()
    };
    Ok(Hosts {
        fleet: Arc::new(SshFleet::new(inventory.clone(), secrets, settings)),
        inventory,
        vault: Arc::clone(setup.vault),
        records: Arc::clone(setup.records),
        running: Running::default(),
    })
}

impl Settings {
    pub(crate) fn resolved(self) -> gabier_ssh::Settings {
        let home = home_dir().ok();
        let in_home = |name: &str| home.iter().map(|home| home.join(name)).collect::<Vec<_>>();
        let or = |given: Vec<PathBuf>, usual: Vec<PathBuf>| if given.is_empty() { usual } else { given };
        let machine = PathBuf::from("/etc/ssh/ssh_known_hosts");
        gabier_ssh::Settings {
            connect_limit: Duration::from_secs(self.connect_timeout_s),
            max_connections: self.max_connections.max(self.min_connections),
            min_connections: self.min_connections,
            idle_limit: Duration::from_secs(self.idle_timeout_s),
            keep_alive: Duration::from_secs(self.keep_alive_s),
            key_roots: or(self.key_roots, in_home(".ssh")),
            known_hosts: or(
                self.known_hosts,
                in_home(".ssh/known_hosts").into_iter().chain([machine]).collect(),
            ),
            agent: self.agent,
            ..gabier_ssh::Settings::default()
        }
    }
}

/// The vault as the source of what hosts are logged in to with.
struct Sealed(Arc<Vault>);

impl Secrets for Sealed {
    fn open<'a>(&'a self, source: &'a SecretSource) -> BoxFuture<'a, Result<Secret>> {
        async move {
            let name = SecretName::of_reference(&source.0).transpose()?.ok_or_else(|| {
                Error::new(ErrorKind::AuthFailed, "a credential is no reference of the form vault:NAME")
            })?;
            let secret = self.0.get(&name).await?;
            Ok(Secret::from(secret.expose_secret().to_owned()))
        }
        .boxed()
    }
}
