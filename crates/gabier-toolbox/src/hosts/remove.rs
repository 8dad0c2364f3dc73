//! A host forgotten.

use gabier_access::secret::SecretName;
use gabier_tool::{
    Context, Effect, Error, ErrorKind, HostsRef, Outcome, Permission, Plan, Profile, Result, Status, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::add::name_of;
use super::{Hosts, reach};
use crate::Services;

/// Forget a host, its recorded key and its secrets; closes its connections.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ServerRemove {
    /// Host.
    alias: HostsRef,
    /// Also while tasks run on it.
    #[serde(default)]
    #[schemars(extend("x-full" = true))]
    force: bool,
}

/// The host that is gone.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RemovedHost {
    /// Its name.
    alias: String,
    #[serde(skip)]
    was_there: bool,
}

impl Tool<Services> for ServerRemove {
    const NAME: &'static str = "server_remove";
    const EFFECT: Effect = Effect::Destroy;
    const PERMISSION: Permission = Permission::Admin;
    const PROFILE: Profile = Profile::Core;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "ssh host delete forget supprimer retirer serveur hôte";
    type Output = RemovedHost;

    async fn plan(&self, ctx: &Context<Services>) -> Result<Option<Plan>> {
        let alias = reach::target(ctx, &self.alias).await?;
        let steps = vec![format!("close the connections of {alias}, forget it, its key and its secrets")];
        Ok(Some(Plan { steps, targets: vec![alias.to_string()] }))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<RemovedHost> {
        let hosts = ctx.services.hosts()?;
        let alias = match reach::target(ctx, &self.alias).await {
            Ok(alias) => alias,
            // What is not there need not be removed.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(RemovedHost { alias: self.alias.0, was_there: false });
            }
            Err(error) => return Err(error),
        };
        let mut running = hosts.running.on(alias.as_str());
        for task in ctx.running_on(alias.as_str()).await? {
            if !running.contains(&task) {
                running.push(task);
            }
        }
        if !self.force && !running.is_empty() {
            let message = format!("removing the host {alias}: {} tasks run on it", running.len());
            return Err(Error::new(ErrorKind::Conflict, message)
                .with("tasks", running)
                .with_next(format!("task_cancel them, or server_remove {alias} with force")));
        }
        let record = hosts.inventory.get(alias.as_str()).await?;
        let was_there = hosts.inventory.remove(alias.as_str()).await?;
        hosts.fleet.close(alias.as_str()).await;
        for (what, reference) in [("password", &record.credential), ("passphrase", &record.passphrase)] {
            forget(hosts, &name_of(&alias, what), reference.as_deref()).await?;
        }
        Ok(RemovedHost { alias: alias.to_string(), was_there })
    }

    fn outcome(output: &RemovedHost) -> Outcome {
        Outcome::of(if output.was_there { Status::Deleted } else { Status::NotFound })
    }
}

/// Removes a secret that was made for the host; one that only was named by it stays.
async fn forget(hosts: &Hosts, own: &str, reference: Option<&str>) -> Result<()> {
    if reference.and_then(|reference| reference.strip_prefix("vault:")) == Some(own) {
        hosts.vault.remove(&SecretName::parse(own)?).await?;
    }
    Ok(())
}
