//! The hosts there are.

use std::collections::BTreeMap;

use gabier_host::{HostKeyPolicy, HostRecord};
use gabier_tool::{Context, Effect, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reach::may_use;
use crate::Services;

/// List the hosts you may use, with their groups.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ServerList {}

/// The hosts.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ServersListed {
    /// Each by its alias.
    servers: BTreeMap<String, ListedHost>,
    /// How many.
    count: usize,
}

/// A host without its secrets.
#[derive(Debug, Serialize, JsonSchema)]
struct ListedHost {
    /// Address.
    host: String,
    /// Port.
    port: u16,
    /// Account.
    user: String,
    /// How it is logged in to.
    auth: String,
    /// The groups it is in.
    groups: Vec<String>,
    /// Which of its keys are accepted.
    host_key: HostKeyPolicy,
    /// The name of its keys in `known_hosts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_key_alias: Option<String>,
    /// The host it is reached through.
    #[serde(skip_serializing_if = "Option::is_none")]
    jump: Option<String>,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Tool<Services> for ServerList {
    const NAME: &'static str = "server_list";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Lean;
    const KEYWORDS: &'static str = "ssh hosts machines inventory groups serveurs hôtes liste";
    type Output = ServersListed;

    async fn run(self, ctx: &Context<Services>) -> Result<ServersListed> {
        let hosts = ctx.services.hosts()?.inventory.list().await?;
        let usable = hosts.into_iter().filter(|(alias, record)| may_use(ctx.caller(), alias, record));
        let servers: BTreeMap<String, ListedHost> =
            usable.map(|(alias, record)| (alias.to_string(), record.into())).collect();
        Ok(ServersListed { count: servers.len(), servers })
    }
}

impl From<HostRecord> for ListedHost {
    fn from(record: HostRecord) -> Self {
        Self {
            auth: record.auth(),
            host: record.host,
            port: record.port,
            user: record.user,
            groups: record.groups.into_iter().map(String::from).collect(),
            host_key: record.host_key,
            host_key_alias: record.host_key_alias,
            jump: record.jump.map(String::from),
            description: record.description,
        }
    }
}
