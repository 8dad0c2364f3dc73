//! The MCP face: stdio, streamable HTTP and SSE over one catalog.
//!
//! rmcp speaks the protocol and stays inside this crate; every call goes through [`gabier_tool::Dispatch`]. One
//! endpoint serves all five revisions at once: a request with the metadata of 2026-07-28 stands alone, `initialize`
//! opens a session, and a bare POST without either gets one plain JSON answer.

mod ask;
mod asked;
mod connection;
mod extras;
mod feedback;
mod handler;
mod http;
mod legacy_sse;
mod listing;
mod mcp;
mod options;
mod profile;
mod resources;
mod server;
mod sessions;
mod stdio;
mod tasks;
mod wire;

pub use extras::McpExtras;
pub use mcp::Mcp;
pub use options::{McpOptions, SessionLimits};
pub use resources::ToolResource;
/// The protocol's own types, for [`McpExtras`] alone.
pub use rmcp;
