//! The key of a host, accepted by a person.

use gabier_host::PinnedKey;
use gabier_tool::{
    Context, Effect, Error, ErrorKind, HostsRef, Outcome, Permission, Plan, Result, Status, Tool,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reach;
use crate::Services;

/// Record the key a host offers now, in place of the earlier one, if it has this fingerprint.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HostkeyAccept {
    /// Host.
    alias: HostsRef,
    /// `SHA256:…` as the host's owner tells it.
    #[schemars(length(min = 8, max = 100))]
    fingerprint: String,
}

/// The key that is recorded now.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AcceptedKey {
    /// The host.
    alias: String,
    /// The fingerprint of its key.
    fingerprint: String,
    /// The fingerprint of the earlier key.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    #[serde(skip)]
    is_same: bool,
}

impl Tool<Services> for HostkeyAccept {
    const NAME: &'static str = "hostkey_accept";
    const EFFECT: Effect = Effect::Write;
    const PERMISSION: Permission = Permission::Admin;
    const OPEN_WORLD: bool = true;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "ssh fingerprint trust known_hosts accepter empreinte clé";
    type Output = AcceptedKey;

    async fn plan(&self, ctx: &Context<Services>) -> Result<Option<Plan>> {
        let alias = reach::target(ctx, &self.alias).await?;
        let steps = vec![format!("ask {alias} for its key and record it if it is {}", self.fingerprint)];
        Ok(Some(Plan { steps, targets: vec![alias.to_string()] }))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<AcceptedKey> {
        let hosts = ctx.services.hosts()?;
        let alias = reach::target(ctx, &self.alias).await?;
        let offered = hosts.fleet.offered(alias.as_str()).await?;
        if offered.fingerprint != self.fingerprint {
            let message =
                format!("accepting the key of {alias}: it offers another one; nothing was recorded");
            return Err(Error::new(ErrorKind::HostKeyMismatch, message)
                .with("alias", alias.as_str())
                .with("expected", self.fingerprint)
                .with("fingerprint", offered.fingerprint));
        }
        let record = hosts.inventory.get(alias.as_str()).await?;
        let is_same = matches!(record.pinned.as_slice(), [only] if only.key == offered.key);
        if !is_same {
            let key = PinnedKey {
                algorithm: offered.algorithm,
                key: offered.key,
                fingerprint: offered.fingerprint,
                recorded_at: String::new(),
            };
            hosts.inventory.pin(alias.as_str(), key, true).await?;
            hosts.fleet.close(alias.as_str()).await;
        }
        let earlier = record.pinned.first().map(|key| key.fingerprint.clone());
        Ok(AcceptedKey {
            alias: alias.into(),
            previous: earlier.filter(|earlier| *earlier != self.fingerprint),
            fingerprint: self.fingerprint,
            is_same,
        })
    }

    fn outcome(output: &AcceptedKey) -> Outcome {
        Outcome::of(if output.is_same { Status::AlreadyExists } else { Status::Ok })
    }
}
