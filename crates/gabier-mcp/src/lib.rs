//! The MCP face: stdio, streamable HTTP and SSE over one catalog.
