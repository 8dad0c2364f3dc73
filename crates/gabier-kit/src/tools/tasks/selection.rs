//! Which tasks a call means, as parameters.

use gabier_task::manage::Selection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a task stands. The words speak for themselves: what is said here, every list of tools would repeat.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum Status {
    Pending,
    Scheduled,
    PendingApproval,
    InputRequired,
    Running,
    Completed,
    Partial,
    TimedOut,
    Failed,
    Crashed,
    Unknown,
    Cancelled,
    Expired,
}

impl Status {
    /// The word on the wire.
    pub(crate) fn word(self) -> String {
        serde_json::json!(self).as_str().unwrap_or_default().to_owned()
    }
}

/// Several tasks at once: those that fit everything that is said.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct Filter {
    /// In this status.
    status: Option<Status>,
    /// Of this tool.
    tool: Option<String>,
    /// To this host.
    alias: Option<String>,
    /// Made at least so many seconds ago.
    #[schemars(range(max = 1_000_000_000))]
    older_than: Option<u64>,
}

impl Filter {
    /// What the engine takes.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            status: self.status.map(Status::word),
            tool: self.tool.clone(),
            alias: self.alias.clone(),
            older_than_s: self.older_than,
            ..Selection::default()
        }
    }
}
