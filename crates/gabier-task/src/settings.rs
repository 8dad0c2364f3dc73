//! What can be set of tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use gabier_store::queue::{Ms, Retention, Scope};
use gabier_tool::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Work that outlives its call: how long callers wait, how much runs at once, how long it is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// How long a call waits for its work before it gets the task, in seconds.
    #[schemars(range(min = 0.0, max = 86_400.0))]
    pub inline_budget_s: f64,
    /// The longest that `task_wait` waits, in seconds.
    #[schemars(range(min = 1))]
    pub max_wait_s: u32,
    /// How many background tasks a worker runs at once.
    #[schemars(range(min = 1, max = 1024))]
    pub concurrency: u32,
    /// How many calls of other processes a worker runs at once.
    #[schemars(range(min = 1, max = 4096))]
    pub call_slots: u32,
    /// How many tasks of a queue may wait or run; 0 = any number.
    pub max_queue: u32,
    /// How long ended tasks are kept, in seconds.
    #[schemars(range(min = 60))]
    pub history_retention_s: u32,
    /// How many ended tasks are kept.
    pub kept_tasks: u32,
    /// How many bytes of output are kept of all ended tasks.
    pub kept_output_bytes: u64,
    /// How long MCP clients may ask for a task after its creation, in seconds.
    #[schemars(range(min = 60))]
    pub ttl_s: u32,
    /// How long a worker may be silent before its tasks are taken from it, in seconds.
    #[schemars(range(min = 3, max = 3600))]
    pub lease_s: u32,
    /// How long running tasks may go on once the process is asked to stop, in seconds.
    pub shutdown_grace_s: u32,
    /// How much may run at once and start per second, over all workers.
    pub limits: Limits,
    /// Webhooks.
    pub webhooks: Webhooks,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            inline_budget_s: 30.0,
            max_wait_s: 600,
            concurrency: 5,
            call_slots: 64,
            max_queue: 1000,
            history_retention_s: 31 * 24 * 60 * 60,
            kept_tasks: 100_000,
            kept_output_bytes: 1024 * 1024 * 1024,
            ttl_s: 24 * 60 * 60,
            lease_s: 30,
            shutdown_grace_s: 20,
            limits: Limits::default(),
            webhooks: Webhooks::default(),
        }
    }
}

/// Bounds over all workers of a store. The worker that was started last decides.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// How much of a queue may run at once and start a second over all workers, by its name, such as
    /// `{"async-tasks": {"running": 5, "per_second": 10}}`.
    pub queues: BTreeMap<String, Bound>,
    /// The same of a tool, by its name.
    pub tools: BTreeMap<String, Bound>,
    /// The same of the tasks that speak to a host, by its alias.
    pub hosts: BTreeMap<String, Bound>,
}

/// How much there may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bound {
    /// At once; any number when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub running: Option<u32>,
    /// Starts a second; any number when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0.000_1, max = 1_000_000.0))]
    pub per_second: Option<f64>,
}

impl Limits {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<(Scope, Bound)> {
        let of = |bounds: &BTreeMap<String, Bound>, scope: fn(String) -> Scope| {
            bounds.iter().map(|(name, bound)| (scope(name.clone()), *bound)).collect::<Vec<_>>()
        };
        [of(&self.queues, Scope::Queue), of(&self.tools, Scope::Tool), of(&self.hosts, Scope::Alias)].concat()
    }
}

/// How receivers know that a webhook is ours.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Webhooks {
    /// Secret that webhooks are signed with, 16 characters or more; without it they are unsigned.
    pub secret: Option<Secret>,
    /// Earlier secrets that webhooks are signed with as well, while receivers change over.
    pub earlier_secrets: Vec<Secret>,
    /// Send the header `X-Webhook-Signature-256` beside the Standard Webhooks ones.
    pub legacy_signature: bool,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self { secret: None, earlier_secrets: Vec::new(), legacy_signature: true }
    }
}

impl Settings {
    /// How long a call waits for its work.
    pub(crate) fn inline_budget(&self) -> Duration {
        Duration::try_from_secs_f64(self.inline_budget_s).unwrap_or(Duration::from_secs(30))
    }

    /// How long a task is held without a beat.
    pub(crate) fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_s.into())
    }

    /// The same as the store counts it.
    pub(crate) fn lease_ms(&self) -> Ms {
        Ms::from(self.lease_s) * 1000
    }

    /// How much of the past is kept.
    pub fn retention(&self) -> Retention {
        Retention {
            age: Ms::from(self.history_retention_s) * 1000,
            tasks: self.kept_tasks.into(),
            output_bytes: self.kept_output_bytes,
        }
    }

    /// How long a task can be asked for: at most as long as history is kept.
    pub(crate) fn ttl_ms(&self) -> Ms {
        Ms::from(self.ttl_s.min(self.history_retention_s)) * 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_contract() {
        let settings = Settings::default();
        assert_eq!(settings.inline_budget(), Duration::from_secs(30));
        assert_eq!((settings.concurrency, settings.max_queue, settings.max_wait_s), (5, 1000, 600));
        assert_eq!(settings.retention().age, 2_678_400_000);
        assert_eq!((settings.lease_ms(), settings.ttl_ms()), (30_000, 86_400_000));
    }

    #[test]
    fn a_task_cannot_be_asked_for_longer_than_it_is_kept() {
        let settings = Settings { history_retention_s: 3600, ..Settings::default() };
        assert_eq!(settings.ttl_ms(), 3_600_000);
    }
}
