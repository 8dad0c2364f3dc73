//! The configuration: one struct, whose schema gives the variables, the flags, the checks and the reference.
//!
//! Only this folder reads the environment and configuration files.

mod address;
mod layer;
mod load;
mod loaded;
mod variable;

use gabier_tool::Secret;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use layer::read;
pub(crate) use load::{Flag, Loader};
pub use loaded::{Loaded, Origin};
pub(crate) use variable::VARIABLES;
pub use variable::{Variable, VariableUse};

/// The settings of every server; an app adds sections of its own beside these.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of the store; the user's data directory when empty.
    pub data_dir: String,
    /// The HTTP listener.
    pub server: Server,
    /// Tokens of the configuration.
    pub auth: Auth,
    /// Who may do what, and how often.
    pub access: gabier_access::Settings,
    /// What goes to standard error.
    pub log: Log,
    /// Where state rests.
    pub store: Store,
    /// Work that outlives its call.
    pub tasks: gabier_task::Settings,
    /// Addresses that requests over HTTP may reach.
    pub egress: gabier_egress::Settings,
    /// What opens the vault of secrets.
    pub vault: Vault,
    /// The command line as a client of a server.
    pub client: Client,
    /// Standard input and output.
    pub stdio: Stdio,
}

/// The HTTP listener.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Name shown to clients; the program's when empty.
    pub name: String,
    /// Address to listen on; beyond loopback it needs a token, and TLS or `behind_proxy`.
    pub host: String,
    /// Port to listen on; 0 = any free one.
    pub port: u16,
    /// MCP over `http`, `stdio`, or `both`; the command says it when empty.
    pub transport: Transport,
    /// Second path of the MCP endpoint, beside `/mcp`.
    #[schemars(regex(pattern = r"^/[A-Za-z0-9/_.-]*$"))]
    pub endpoint: String,
    /// Path of the health check.
    #[schemars(regex(pattern = r"^/[A-Za-z0-9/_.-]*$"))]
    pub health_path: String,
    /// MCP profile of clients that ask for none.
    pub profile: String,
    /// Serve the older HTTP+SSE transport at `/sse`.
    pub sse: bool,
    /// Host names besides loopback that requests may carry.
    pub allowed_hosts: Vec<String>,
    /// Origins of web pages that may call.
    pub allowed_origins: Vec<String>,
    /// Proxies whose `X-Forwarded-For` is believed, by address or CIDR.
    pub trusted_proxies: Vec<String>,
    /// A TLS proxy stands before this server.
    pub behind_proxy: bool,
    /// PEM file of the certificate chain; with `tls_key` it turns TLS on.
    pub tls_cert: String,
    /// PEM file of the private key.
    pub tls_key: String,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            name: String::new(),
            host: "127.0.0.1".to_owned(),
            port: 8000,
            transport: Transport::default(),
            endpoint: "/stream".to_owned(),
            health_path: "/health".to_owned(),
            profile: "core".to_owned(),
            sse: true,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            behind_proxy: false,
            tls_cert: String::new(),
            tls_key: String::new(),
        }
    }
}

/// The transports of `serve`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// HTTP alone.
    #[default]
    Http,
    /// Standard input and output alone.
    Stdio,
    /// Both.
    Both,
}

/// Tokens of the configuration.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// Bootstrap administrator's token, 16 characters or more.
    pub token: Option<Secret>,
    /// A second bootstrap administrator's token.
    pub admin_bootstrap_key: Option<Secret>,
    /// Accept `?token=` on GET streams.
    pub query_token: bool,
}

/// What goes to standard error.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least urgent line that is written.
    pub level: LogLevel,
    /// How lines look.
    pub format: LogFormat,
}

/// How urgent a line must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Nothing but the end of the process.
    Fatal,
    /// What is wrong.
    Error,
    /// What is to be looked at.
    Warn,
    /// What is worth knowing.
    #[default]
    Info,
    /// For whoever looks for a fault.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// The level's name in a tracing filter.
    pub(crate) fn filter(self) -> &'static str {
        match self {
            Self::Fatal | Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Where state rests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// `sqlite:PATH`, `memory:`, `redis://[host[:port]][/database]` or `rediss:` (TLS); SQLite in the data directory
    /// when empty.
    pub url: String,
    /// Host of Redis, where the URL names none.
    pub redis_host: String,
    /// Port of Redis, where the URL names none.
    #[schemars(range(min = 1))]
    pub redis_port: u16,
    /// Password of Redis, where the URL has none.
    pub redis_password: Option<Secret>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            url: String::new(),
            redis_host: "localhost".to_owned(),
            redis_port: 6379,
            redis_password: None,
        }
    }
}

/// What opens the vault of secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Vault {
    /// File of its key; `vault/key` in the user's configuration folder when empty. Never in the data directory.
    pub key_file: String,
    /// Passphrase, 12 characters or more, where it is sealed with one.
    pub passphrase: Option<Secret>,
    /// The key itself, 32 bytes in base64 or hexadecimal digits; a file is safer.
    pub key: Option<Secret>,
}

/// The command line as a client.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    /// Server to call; the command line works on the data directory itself when empty.
    pub url: String,
    /// Token for that server.
    pub token: Option<Secret>,
}

/// Standard input and output.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Stdio {
    /// Token that says who calls, instead of the operating system's user.
    pub token: Option<Secret>,
}
