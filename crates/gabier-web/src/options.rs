//! What a web server can be told.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use ipnet::IpNet;

/// How the web server is set up; [`WebOptions::default`] listens on loopback with every limit in place.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// The service's name in health answers, the landing page and the OpenAPI document.
    pub service: String,
    /// The service's version.
    pub version: String,
    /// The transports that run beside each other, as `/health` names them: `http`, or `both` with stdio.
    pub transport: String,
    /// Where to listen; port 0 takes a free one.
    pub bind: SocketAddr,
    /// Host names beyond loopback that a request may name, each with or without a port. No wildcards.
    pub allowed_hosts: Vec<String>,
    /// Foreign origins that a browser may call from, such as `https://console.example`. No wildcards.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// True when a proxy in front ends TLS: only then may a plain server listen beyond loopback.
    pub behind_proxy: bool,
    /// The certificate to serve with; plain HTTP when absent.
    pub tls: Option<TlsFiles>,
    /// The path of the health check; `/health` is not found when it is another.
    pub health_path: String,
    /// The path of the MCP endpoint, for the landing page.
    pub mcp_path: String,
    /// Other paths of the MCP endpoint, for the landing page.
    pub mcp_aliases: Vec<String>,
    /// True when `?token=` is allowed on `GET` requests for an event stream.
    pub query_token: bool,
    /// Short routes to tools, beside `/api/v1/tools/NAME` and `/call/NAME`.
    pub short_routes: Vec<ShortRoute>,
    /// Requests per minute and address, by kind of route.
    pub per_minute: PerMinute,
    /// Sizes, times and counts.
    pub limits: Limits,
}

impl Default for WebOptions {
    fn default() -> Self {
        Self {
            service: "gabier".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            transport: "http".to_owned(),
            bind: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8000),
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            behind_proxy: false,
            tls: None,
            health_path: "/health".to_owned(),
            mcp_path: "/mcp".to_owned(),
            mcp_aliases: Vec::new(),
            query_token: false,
            short_routes: Vec::new(),
            per_minute: PerMinute::default(),
            limits: Limits::default(),
        }
    }
}

/// Where the certificate chain and its key are, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// A path of its own for a tool.
#[derive(Clone, Debug)]
pub struct ShortRoute {
    /// `GET` or `POST`.
    pub method: Method,
    /// The path, such as `/tools/ping`.
    pub path: String,
    /// The tool it calls.
    pub tool: String,
}

/// Requests per minute and address; unlimited where absent.
#[derive(Clone, Copy, Debug, Default)]
pub struct PerMinute {
    /// All routes together.
    pub all: Option<NonZeroU32>,
    /// REST: `/api`, `/call` and `/tools`.
    pub api: Option<NonZeroU32>,
    /// Everything that other faces mounted.
    pub mcp: Option<NonZeroU32>,
}

/// Limits of the listener and of every request.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest request head, in bytes (431).
    pub head_bytes: usize,
    /// Longest body, in bytes (413).
    pub body_bytes: usize,
    /// Longest time for a request head or a TLS handshake to arrive.
    pub head_time: Duration,
    /// Longest time for a whole body to arrive.
    pub body_time: Duration,
    /// Longest time for a connection without a request, or whose reader takes nothing.
    pub idle_time: Duration,
    /// Connections in all; what exceeds is closed at once.
    pub connections: usize,
    /// Connections of one address; IPv6 counts by /64. Trusted proxies are free of it.
    pub connections_per_address: usize,
    /// Event streams of one token that last until somebody ends them.
    pub streams_per_token: usize,
    /// Longest time for calls to end after the stop.
    pub drain_time: Duration,
    /// Refusals for want of identity, per second and address.
    pub strangers_per_second: NonZeroU32,
    /// The same, at once.
    pub strangers_burst: NonZeroU32,
    /// Addresses that a limiter remembers.
    pub addresses: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 * 1024,
            body_bytes: 1024 * 1024,
            head_time: Duration::from_secs(5),
            body_time: Duration::from_secs(15),
            idle_time: Duration::from_mins(1),
            connections: 1024,
            connections_per_address: 64,
            streams_per_token: 8,
            drain_time: Duration::from_secs(20),
            strangers_per_second: const { NonZeroU32::new(20).expect("20 is not zero") },
            strangers_burst: const { NonZeroU32::new(40).expect("40 is not zero") },
            addresses: 100_000,
        }
    }
}
