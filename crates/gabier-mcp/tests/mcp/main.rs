//! The MCP face seen from its clients: every revision, over HTTP, SSE and a pipe.

mod asking;
mod fixture;
mod http;
mod listing;
mod sessions;
mod sockets;
mod sse;
mod stdio;
