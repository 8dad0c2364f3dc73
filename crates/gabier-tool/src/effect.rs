//! What a tool does to the world, and what a caller must hold to let it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The worst a tool can do. Annotations, read-only mode, confirmations and colours derive from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes state that can be set back.
    Write,
    /// Runs a command on a host.
    Exec,
    /// Removes or overwrites for good.
    Destroy,
}

impl Effect {
    /// The permission a tool of this effect asks for unless it says otherwise.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Read => Permission::Read,
            Self::Write | Self::Exec | Self::Destroy => Permission::Write,
        }
    }

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Exec => "exec",
            Self::Destroy => "destroy",
        }
    }

    /// True when nothing changes.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Read)
    }
}

/// One right a caller can hold. Rights imply nothing of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Needs no token.
    Public,
    /// Reads.
    Read,
    /// Reads that may carry data out.
    Net,
    /// Changes and commands.
    Write,
    /// Access, hosts' trust and the server itself.
    Admin,
    /// Answers another principal's approvals.
    Approve,
}

impl Permission {
    /// All rights, in the order of the enum.
    pub const ALL: [Self; 6] = [Self::Public, Self::Read, Self::Net, Self::Write, Self::Admin, Self::Approve];

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Read => "read",
            Self::Net => "net",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Approve => "approve",
        }
    }

    /// The right of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl JsonSchema for Permission {
    fn schema_name() -> Cow<'static, str> {
        "Permission".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": Self::ALL.map(Self::name)})
    }
}

/// A set of rights.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// No right but `public`.
    pub const NONE: Self = Self(1);

    /// Every right.
    pub const ALL: Self = Self(0b0011_1111);

    /// The set with one right more.
    #[must_use]
    pub const fn with(self, permission: Permission) -> Self {
        Self(self.0 | 1 << permission as u8)
    }

    /// True when the right is in the set; `public` always is.
    pub const fn has(self, permission: Permission) -> bool {
        matches!(permission, Permission::Public) || self.0 & (1 << permission as u8) != 0
    }

    /// True when one of the rights is in the set.
    pub fn has_any(self, wanted: &[Permission]) -> bool {
        wanted.iter().any(|permission| self.has(*permission))
    }

    /// The rights of the set in their order, without `public`.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().skip(1).filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::name)).finish()
    }
}

/// When the answer comes (tools.md §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Within the call, under the tool's own limit.
    Inline,
    /// Within the inline budget, else as a task.
    Hybrid,
    /// As a task, at once.
    Background,
}

/// The smallest MCP profile that lists the tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Only in `all` and the profiles by effect or toolset.
    Full,
    /// In `core` as well.
    Core,
    /// In `core` and `lean`.
    Lean,
    /// In `lean` alone: the three tools that reach all others from there.
    LeanOnly,
}

/// Whether a failed attempt may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// At most one start.
    Never,
    /// Repeating is harmless.
    Safe {
        /// Starts in all.
        attempts: u32,
        /// Wait before the second start; doubles from there.
        base: Duration,
        /// By how many percent of itself a wait may be shorter, at random; 20 spreads what failed together.
        jitter: u8,
    },
}
