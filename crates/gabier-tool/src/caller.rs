//! Who calls, and with which rights.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::effect::Permissions;

/// Who calls. Made by the access engine alone; no call exists without one.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The stable name that owns tasks and sessions, such as `token:1a2b3c4d` or `user:1000`.
    pub subject: Arc<str>,
    /// The name a person gave it.
    pub name: Arc<str>,
    /// How it was identified.
    pub kind: CallerKind,
    /// The rights it holds now.
    pub permissions: Permissions,
    /// What arguments may name; nothing when empty.
    pub resources: Arc<[Resource]>,
    /// The only tools it may call; `None` = all that its rights allow.
    pub tools: Option<Arc<[String]>>,
    /// The MCP profile it always gets.
    pub profile: Option<Arc<str>>,
    /// The address it called from.
    pub address: Option<IpAddr>,
    /// When it was identified.
    pub authenticated_at: Timestamp,
}

impl Caller {
    /// True when it showed no credential although the server knows some: only public tools are open to it.
    pub fn is_stranger(&self) -> bool {
        self.kind == CallerKind::Anonymous && self.permissions == Permissions::NONE
    }

    /// True when it may name that resource.
    pub fn may_reach(&self, kind: ResourceKind, name: &str) -> bool {
        self.resources.iter().any(|resource| resource.covers(kind, name))
    }
}

/// How a caller was identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallerKind {
    /// Not at all: no token is configured.
    Anonymous,
    /// As the operating system's user who started the process.
    OsUser,
    /// By a token of the store.
    Token,
    /// By the bootstrap token of the configuration.
    Bootstrap,
}

/// What an argument can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// A host by alias.
    Host,
    /// A group of hosts.
    Group,
    /// An API of the catalogue.
    Api,
    /// A local folder and what is below it.
    Root,
    /// All tools of a toolset.
    Toolset,
}

impl ResourceKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Host, Self::Group, Self::Api, Self::Root, Self::Toolset];

    /// The word before the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Group => "group",
            Self::Api => "api",
            Self::Root => "root",
            Self::Toolset => "toolset",
        }
    }
}

/// One thing a caller may reach: `host:NAME`, `group:NAME`, `api:NAME`, `root:PATH`, `toolset:NAME`, a bare name
/// (a host or a group), or `*`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// Everything.
    All,
    /// One thing of a kind.
    One(ResourceKind, String),
    /// A host or a group of that name.
    Bare(String),
}

impl Resource {
    /// Reads the written form.
    pub fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        for kind in ResourceKind::ALL {
            if let Some(name) = text.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix(':')) {
                return Self::One(kind, name.to_owned());
            }
        }
        Self::Bare(text.to_owned())
    }

    fn covers(&self, kind: ResourceKind, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(own, value) => *own == kind && value == name,
            Self::Bare(value) => matches!(kind, ResourceKind::Host | ResourceKind::Group) && value == name,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::One(kind, name) => write!(f, "{}:{name}", kind.name()),
            Self::Bare(name) => f.write_str(name),
        }
    }
}
