//! The MCP face seen from its clients: every revision, over HTTP, SSE and a pipe.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![expect(clippy::needless_pass_by_value, reason = "tests write JSON where it is used")]

mod asking;
mod fixture;
mod http;
mod listing;
mod projection;
mod sessions;
mod sockets;
mod sse;
mod stdio;
mod straight;
