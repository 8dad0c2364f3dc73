//! How the face is set up.

use std::sync::Arc;
use std::time::Duration;

use crate::extras::McpExtras;
use crate::resources::ToolResource;

/// The longest instructions that clients show in full.
pub(crate) const INSTRUCTIONS: usize = 2_000;

/// How the face is set up.
#[derive(Clone)]
pub struct McpOptions {
    /// The server's name.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What a model should know of the server; cut at 2,000 characters.
    pub instructions: String,
    /// The profile of callers who choose none.
    pub profile: String,
    /// The paths of streamable HTTP.
    pub endpoints: Vec<String>,
    /// True when the older transport, `/sse` with `/messages/`, is served as well.
    pub sse: bool,
    /// Resources, prompts and raw tools beside the catalog's.
    pub extras: Option<Arc<dyn McpExtras>>,
    /// Resources that tools of the catalog read.
    pub resources: Vec<ToolResource>,
    /// How many sessions are kept.
    pub sessions: SessionLimits,
    /// The longest message, in bytes: a line on stdio, a body on HTTP.
    pub message_limit: usize,
}

impl Default for McpOptions {
    fn default() -> Self {
        Self {
            name: "gabier".to_owned(),
            title: "gabier".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instructions: String::new(),
            profile: "core".to_owned(),
            endpoints: vec!["/mcp".to_owned(), "/stream".to_owned()],
            sse: true,
            extras: None,
            resources: Vec::new(),
            sessions: SessionLimits::default(),
            message_limit: 1024 * 1024,
        }
    }
}

/// How many sessions are kept. Beyond, the one that was idle longest is closed.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// In all.
    pub total: usize,
    /// Of one principal.
    pub per_principal: usize,
    /// Of all callers without a token together.
    pub anonymous: usize,
    /// A session that rests this long is closed.
    pub idle: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { total: 1_000, per_principal: 64, anonymous: 256, idle: Duration::from_mins(15) }
    }
}
