//! The names of settings in the environment, those of older projects too, and what became of them (tools.md §6).

use gabier_tool::schema::Param;

/// `server.port` = `PREFIX_SERVER_PORT`.
pub(crate) fn variable_of(prefix: &str, param: &Param) -> String {
    format!("{prefix}_{}", param.path.join("_").to_uppercase())
}

/// A variable under a name that is not `PREFIX_KEY`.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// The name in the environment.
    pub name: &'static str,
    /// What it does.
    pub usage: VariableUse,
}

/// What a variable does.
#[derive(Clone, Copy, Debug)]
pub enum VariableUse {
    /// Sets a key as it stands.
    Key(&'static str),
    /// Sets a key to its value in lower case.
    Word(&'static str),
    /// Sets a key that is in seconds to a value in milliseconds.
    Milliseconds(&'static str),
    /// Sets a list, separated by colons or commas.
    Paths(&'static str),
    /// Sets a key to a value when it is true.
    Switch(&'static str, &'static str),
    /// Sets the log's format: JSON in production.
    Environment,
    /// Is read before everything else, to find the configuration.
    Finder,
    /// Is known and does nothing, because of this.
    Idle(&'static str),
}

const COMPOSE: &str = "it belongs to the container set-up";
const SOURCE: &str = "the MCP library is compiled in";

/// The known variables; of several for one key the first that is set wins.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable { name: "PORT", usage: VariableUse::Key("server.port") },
    Variable { name: "MCP_SERVER_PORT", usage: VariableUse::Key("server.port") },
    Variable { name: "MCP_HTTP_PORT", usage: VariableUse::Key("server.port") },
    Variable { name: "MCP_SERVER_HOST", usage: VariableUse::Key("server.host") },
    Variable { name: "MCP_SERVER_NAME", usage: VariableUse::Key("server.name") },
    Variable { name: "MCP_TRANSPORT", usage: VariableUse::Word("server.transport") },
    Variable { name: "HTTP_STREAM_ENDPOINT", usage: VariableUse::Key("server.endpoint") },
    Variable { name: "HEALTH_CHECK_PATH", usage: VariableUse::Key("server.health_path") },
    Variable { name: "AUTH_TOKEN", usage: VariableUse::Key("auth.token") },
    Variable { name: "ADMIN_BOOTSTRAP_KEY", usage: VariableUse::Key("auth.admin_bootstrap_key") },
    Variable { name: "LOG_LEVEL", usage: VariableUse::Word("log.level") },
    Variable { name: "MCP_DEBUG", usage: VariableUse::Switch("log.level", "debug") },
    Variable { name: "MCP_SERVER_DEBUG", usage: VariableUse::Switch("log.level", "debug") },
    Variable { name: "DEBUG", usage: VariableUse::Switch("log.level", "debug") },
    Variable { name: "NODE_ENV", usage: VariableUse::Environment },
    Variable { name: "MCP_DATA_DIR", usage: VariableUse::Key("data_dir") },
    Variable { name: "MCP_URL", usage: VariableUse::Key("client.url") },
    Variable { name: "MCP_SERVER_URL", usage: VariableUse::Key("client.url") },
    Variable { name: "MCP_TOKEN", usage: VariableUse::Key("client.token") },
    Variable { name: "GABIER_TOKEN", usage: VariableUse::Key("stdio.token") },
    Variable { name: "GABIER_CONFIG", usage: VariableUse::Finder },
    Variable { name: "GABIER_PAGER", usage: VariableUse::Finder },
    Variable { name: "WEBHOOK_SECRET", usage: VariableUse::Key("tasks.webhooks.secret") },
    Variable { name: "WORKER_CONCURRENCY", usage: VariableUse::Key("tasks.concurrency") },
    Variable { name: "MCP_SYNC_TIMEOUT_S", usage: VariableUse::Key("tasks.inline_budget_s") },
    Variable { name: "MCP_SYNC_TIMEOUT_MS", usage: VariableUse::Milliseconds("tasks.inline_budget_s") },
    Variable { name: "MCP_MAX_WAIT_TIMEOUT_S", usage: VariableUse::Key("tasks.max_wait_s") },
    Variable { name: "MCP_MAX_WAIT_TIMEOUT_MS", usage: VariableUse::Milliseconds("tasks.max_wait_s") },
    Variable { name: "MAX_QUEUE_SIZE", usage: VariableUse::Key("tasks.max_queue") },
    Variable { name: "HISTORY_RETENTION", usage: VariableUse::Milliseconds("tasks.history_retention_s") },
    Variable { name: "HISTORY_RETENTION_MS", usage: VariableUse::Milliseconds("tasks.history_retention_s") },
    Variable { name: "HISTORY_RETENTION_S", usage: VariableUse::Key("tasks.history_retention_s") },
    Variable {
        name: "SAVE_INTERVAL",
        usage: VariableUse::Idle("every change is durable before it is acknowledged"),
    },
    Variable { name: "REDIS_HOST", usage: VariableUse::Key("store.redis_host") },
    Variable { name: "REDIS_PORT", usage: VariableUse::Key("store.redis_port") },
    Variable { name: "REDIS_PASSWORD", usage: VariableUse::Key("store.redis_password") },
    Variable { name: "REDIS_PORT_HOST", usage: VariableUse::Idle(COMPOSE) },
    Variable { name: "REDIS_PORT_CONTAINER", usage: VariableUse::Idle(COMPOSE) },
    Variable { name: "HOST_PORT", usage: VariableUse::Idle(COMPOSE) },
    Variable { name: "SITE_ADDRESS", usage: VariableUse::Idle(COMPOSE) },
    Variable { name: "WAF_PORT", usage: VariableUse::Idle(COMPOSE) },
    Variable { name: "FASTMCP_SOURCE", usage: VariableUse::Idle(SOURCE) },
    Variable { name: "FASTMCP_REMOTE_VERSION", usage: VariableUse::Idle(SOURCE) },
];
