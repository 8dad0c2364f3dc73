//! The key of a host: the recorded one, and the one it offers.

use gabier_host::{Contact, HostKeyPolicy, HostRecord};
use gabier_tool::{Context, Effect, HostsRef, Outcome, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reach;
use crate::Services;

/// Show a host's recorded key and the one it offers now. Sends no credential.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct HostkeyShow {
    /// Host.
    alias: HostsRef,
}

/// The key of a host.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownKey {
    /// The host.
    alias: String,
    /// The algorithm of the recorded key.
    algorithm: Option<String>,
    /// The fingerprint of the recorded key.
    fingerprint: Option<String>,
    /// Which of its keys are accepted.
    policy: HostKeyPolicy,
    /// When it was recorded.
    recorded_at: Option<String>,
    /// The key it offers now, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    offered: Option<OfferedKey>,
    #[serde(skip)]
    trouble: Option<String>,
}

/// A key that a host offers.
#[derive(Debug, Serialize, JsonSchema)]
struct OfferedKey {
    /// Its algorithm.
    algorithm: String,
    /// Its fingerprint.
    fingerprint: String,
}

impl Tool<Services> for HostkeyShow {
    const NAME: &'static str = "hostkey_show";
    const EFFECT: Effect = Effect::Read;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str = "ssh fingerprint known_hosts empreinte clé";
    type Output = ShownKey;

    async fn run(self, ctx: &Context<Services>) -> Result<ShownKey> {
        let hosts = ctx.services.hosts()?;
        let alias = reach::target(ctx, &self.alias).await?;
        let record = hosts.inventory.get(alias.as_str()).await?;
        match hosts.fleet.offered(alias.as_str()).await {
            Ok(contact) => Ok(shown(alias.into(), &record, Some(&contact), None)),
            Err(error) if !record.pinned.is_empty() => {
                Ok(shown(alias.into(), &record, None, Some(error.message().to_owned())))
            }
            Err(error) => Err(error),
        }
    }

    fn outcome(output: &ShownKey) -> Outcome {
        let accept = |offered: &OfferedKey| {
            format!(
                "compare the fingerprint with the host's owner, then hostkey_accept {} {}",
                output.alias, offered.fingerprint
            )
        };
        let next = output.offered.as_ref().map(accept);
        match (&output.trouble, &output.offered, &output.fingerprint) {
            (Some(trouble), ..) => Outcome::warning(trouble.clone()),
            (None, Some(_), Some(_)) => {
                Outcome { next, ..Outcome::warning("the host offers another key than the recorded one") }
            }
            _ => Outcome { next, ..Outcome::default() },
        }
    }
}

fn shown(alias: String, record: &HostRecord, contact: Option<&Contact>, trouble: Option<String>) -> ShownKey {
    let same = contact.and_then(|contact| record.pinned.iter().find(|pinned| pinned.key == contact.key));
    let recorded = same.or(record.pinned.first());
    let offered = contact.as_ref().filter(|_| same.is_none()).map(|contact| OfferedKey {
        algorithm: contact.algorithm.clone(),
        fingerprint: contact.fingerprint.clone(),
    });
    ShownKey {
        alias,
        algorithm: recorded.map(|key| key.algorithm.clone()),
        fingerprint: recorded.map(|key| key.fingerprint.clone()).or_else(|| record.fingerprint.clone()),
        policy: record.host_key,
        recorded_at: recorded.map(|key| key.recorded_at.clone()),
        offered,
        trouble,
    }
}
