//! Faces and engines joined: reads like a table of contents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gabier_access::secret::{Keys, Vault};
use gabier_access::{Access, Bootstrap, Limits};
use gabier_egress::Egress;
use gabier_mcp::{Mcp, McpOptions};
use gabier_store::{Opening, Records as StoredRecords};
use gabier_task::{Role, Tasks};
use gabier_tool::guard::{AllowAll, Audit, Credential, Guards, Origin, Rate, Records};
use gabier_tool::{
    Caller, Catalog, Clock, Dispatch, Error, ErrorKind, Health, Redactor, Result, Surface, Toolset, lint,
    lint_names,
};

use gabier_web::{Metrics, ShortRoute, WebOptions};
use http::Method;
use serde_json::Value;

use crate::app::{App, Setup};
use crate::clock::SystemClock;
use crate::config::{self, Config, Loaded, Loader, LogLevel, Transport};
use crate::health::Parts;
use crate::log::LogAudit;
use crate::store::LazyStore;
use crate::tools::{self, Services};

/// A server that is ready to be given faces.
pub(crate) struct Wired {
    pub(crate) config: Config,
    pub(crate) data_dir: PathBuf,
    pub(crate) name: String,
    pub(crate) store: Arc<LazyStore>,
    pub(crate) access: Arc<Access>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) tasks: Tasks,
    pub(crate) egress: Arc<Egress>,
    pub(crate) health: Arc<dyn Health>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dispatch: Arc<Dispatch>,
    pub(crate) warnings: Vec<String>,
}

/// Joins everything but the faces. `role` is what other processes of the data directory see; `metrics` count calls
/// where somebody may ask for the counts.
pub(crate) fn wire(app: &App, loaded: &Loaded, role: &str, metrics: Option<&Arc<Metrics>>) -> Result<Wired> {
    let config = loaded.config()?;
    let data_dir = data_dir(app, &config)?;
    let name = if config.server.name.is_empty() { app.name.to_owned() } else { config.server.name.clone() };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());

    let redactor = Arc::new(Redactor::new());
    learn_secrets(&config, &redactor);
    crate::log::start(&config.log, level(loaded, &config, role), &redactor);

    let store = Arc::new(LazyStore::new(store_url(&config, &data_dir)?, Opening::role(role)));
    let health: Arc<dyn Health> = Arc::new(Parts { store: Arc::clone(&store), others: app.parts.clone() });
    let (access, mut warnings) = access(&config, Arc::clone(&store) as _, Arc::clone(&clock))?;
    if let Some(secret) = &config.tasks.webhooks.secret {
        // As long and as hard to guess as a token must be.
        warnings.extend(Bootstrap::token("WEBHOOK_SECRET", &secret.to_secret_string())?.warning());
    }

    if config.vault.key.is_some() {
        warnings.push(
            "vault.key: a key in the environment is seen by whoever sees the process; name a file".to_owned(),
        );
    }
    let keys = vault_keys(app, &config, &data_dir);
    let vault = Vault::new(Arc::clone(&store) as _, Arc::clone(&clock), Arc::clone(&redactor), keys);
    let vault = Arc::new(vault);

    let services = Services::new(&name, app.version, Arc::clone(&health)).diagnosing(&app.diagnoses);
    let services = Arc::new(services);
    let mut catalog = Catalog::new();
    let egress = Arc::new(Egress::new(config.egress.clone()));
    let records: Arc<dyn StoredRecords> = Arc::clone(&store) as _;
    let setup = Setup {
        loaded,
        egress: &egress,
        data_dir: &data_dir,
        records: &records,
        clock: &clock,
        vault: &vault,
        user: &access.os_user(),
        store: &store,
        person: None,
    };
    app.binders.iter().try_for_each(|bind| bind(&setup, &mut catalog))?;
    catalog.bind(Toolset { name: "system", tools: tools::system::TOOLS }, &services);
    catalog.bind(tools::access::TOOLSET, &access);
    let tasks = {
        let store = Arc::clone(&store);
        let (settings, clock) = (config.tasks.clone(), Arc::clone(&clock));
        Tasks::new(settings, worker_role(role), clock, Some(Arc::clone(&egress)), move || store.backing())
    };
    catalog.bind(tools::tasks::TOOLSET, &Arc::new(tasks.clone()));
    catalog.bind(Toolset { name: "meta", tools: tools::meta::TOOLS }, &services);
    app.groups.iter().for_each(|(group, members)| catalog.group(group, members));

    let limits = Arc::new(Limits::new(Arc::clone(&clock), &config.access));
    let mut audits: Vec<Arc<dyn Audit>> = vec![Arc::new(LogAudit)];
    let mut rate: Arc<dyn Rate> = Arc::clone(&limits) as _;
    if let Some(metrics) = metrics {
        audits.push(Arc::clone(metrics) as _);
        rate = metrics.counting(rate);
    }
    let guards = Guards {
        authority: Arc::clone(&access) as _,
        policy: Arc::new(AllowAll),
        rate,
        submission: Arc::new(tasks.clone()),
        audit: Arc::new(Records(audits)),
        redactor,
        clock: Arc::clone(&clock),
    };
    let dispatch = Arc::new(Dispatch::new(Arc::new(catalog), guards));
    services.set_dispatch(&dispatch);
    tasks.join(&dispatch);
    Ok(Wired {
        config,
        data_dir,
        name,
        store,
        access,
        vault,
        tasks,
        egress,
        health,
        limits,
        clock,
        dispatch,
        warnings,
    })
}

impl Wired {
    /// Refuses a list that breaks a rule, before a server starts. A list is as it was built: while it is developed,
    /// every rule is checked, which makes every schema; a release checks names, and leaves the rest to `doctor`.
    pub(crate) fn may_start(&self) -> Result<()> {
        if cfg!(debug_assertions) { self.lint() } else { refused(&lint_names(self.dispatch.catalog())) }
    }

    /// Refuses a list that breaks a rule.
    pub(crate) fn lint(&self) -> Result<()> {
        refused(&lint(self.dispatch.catalog()))
    }

    /// Who calls on this process's own surfaces: the token that the configuration names, else the operating system's
    /// user.
    pub(crate) async fn identify(&self, surface: Surface) -> Result<Caller> {
        let token = self.config.stdio.token.as_ref();
        let credential = token.map_or(Credential::OsUser, |token| Credential::Bearer(token.expose()));
        self.dispatch.guards().authority.identify(credential, Origin { surface, address: None }).await
    }

    /// The HTTP face as far as it does not depend on where it listens.
    pub(crate) fn web_options(&self, app: &App) -> WebOptions {
        let server = &self.config.server;
        WebOptions {
            service: self.name.clone(),
            version: app.version.to_owned(),
            transport: if server.transport == Transport::Both { "both" } else { "http" }.to_owned(),
            allowed_hosts: server.allowed_hosts.clone(),
            allowed_origins: server.allowed_origins.clone(),
            behind_proxy: server.behind_proxy,
            health_path: server.health_path.clone(),
            mcp_aliases: vec![server.endpoint.clone()],
            query_token: self.config.auth.query_token,
            short_routes: app.short_routes.iter().cloned().chain(task_routes()).collect(),
            ..WebOptions::default()
        }
    }

    /// The OpenAPI document of the HTTP face, as a server with tokens serves it.
    pub(crate) fn openapi(&self, app: &App) -> Value {
        gabier_tool::schema::openapi(self.dispatch.catalog(), &self.web_options(app).openapi(true))
    }

    /// The MCP face.
    pub(crate) fn mcp(&self, app: &App, profile: &str) -> Result<Mcp> {
        let profiles = self.dispatch.catalog().profiles();
        if !profiles.iter().any(|known| known == profile) {
            let message = format!("there is no profile {profile:?}; known are {}", profiles.join(", "));
            return Err(Error::new(ErrorKind::InvalidArgument, message));
        }
        let mut endpoints = vec!["/mcp".to_owned()];
        if self.config.server.endpoint != "/mcp" {
            endpoints.push(self.config.server.endpoint.clone());
        }
        let options = McpOptions {
            name: self.name.clone(),
            title: self.name.clone(),
            version: app.version.to_owned(),
            instructions: app.instructions.to_owned(),
            profile: profile.to_owned(),
            endpoints,
            sse: self.config.server.sse,
            extras: app.extras.clone(),
            resources: tools::tasks::resources(),
            ..McpOptions::default()
        };
        Ok(Mcp::new(options, Arc::clone(&self.dispatch)))
    }
}

fn refused(faults: &[String]) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    Err(Error::internal(format!("the list of tools breaks its rules:\n{}", faults.join("\n"))))
}

fn access(
    config: &Config,
    records: Arc<dyn StoredRecords>,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<Access>, Vec<String>)> {
    let mut bootstraps = Vec::new();
    for (field, token) in
        [("AUTH_TOKEN", &config.auth.token), ("ADMIN_BOOTSTRAP_KEY", &config.auth.admin_bootstrap_key)]
    {
        if let Some(token) = token {
            bootstraps.push(Bootstrap::token(field, &token.to_secret_string())?);
        }
    }
    let warnings = bootstraps.iter().filter_map(Bootstrap::warning).collect();
    Ok((Arc::new(Access::new(records, clock, &config.access, bootstraps)?), warnings))
}

/// Tasks as resources.
fn task_routes() -> impl Iterator<Item = ShortRoute> {
    [
        (Method::GET, "/api/v1/tasks", "task_queue"),
        (Method::GET, "/api/v1/tasks/{id}", "task_status"),
        (Method::DELETE, "/api/v1/tasks/{id}", "task_cancel"),
        (Method::GET, "/api/v1/tasks/{id}/output", "task_output"),
    ]
    .into_iter()
    .map(|(method, path, tool)| ShortRoute { method, path: path.to_owned(), tool: tool.to_owned() })
}

/// Which tasks a process of that role runs.
fn worker_role(role: &str) -> Role {
    match role {
        "serve" | "worker" => Role::Worker,
        "mcp" => Role::Substitute,
        _ => Role::Client,
    }
}

/// A command speaks to a person, who is told of trouble alone unless the settings say otherwise.
fn level(loaded: &Loaded, config: &Config, role: &str) -> LogLevel {
    let is_default = loaded.origin("log.level") == config::Origin::Default;
    if is_default && matches!(role, "cli" | "doctor") { LogLevel::Warn } else { config.log.level }
}

fn learn_secrets(config: &Config, redactor: &Redactor) {
    let secrets = [
        &config.auth.token,
        &config.auth.admin_bootstrap_key,
        &config.client.token,
        &config.stdio.token,
        &config.tasks.webhooks.secret,
        &config.store.redis_password,
    ];
    for secret in secrets.into_iter().flatten().chain(&config.tasks.webhooks.earlier_secrets) {
        redactor.learn(secret.to_secret_string());
    }
    if let Some(password) = config.store.password() {
        redactor.learn(password);
    }
}

/// What opens the vault: what the settings say, else a file in the user's configuration folder.
fn vault_keys(app: &App, config: &Config, data_dir: &Path) -> Keys {
    use etcetera::base_strategy::BaseStrategy;
    let vault = &config.vault;
    let file = if vault.key_file.is_empty() {
        let folder = Loader::folders().map(|folders| folders.config_dir().join(app.name));
        folder.unwrap_or_else(|| data_dir.to_owned()).join("vault/key")
    } else {
        PathBuf::from(&vault.key_file)
    };
    let secret =
        |secret: &Option<gabier_tool::Secret>| secret.as_ref().map(gabier_tool::Secret::to_secret_string);
    Keys { file, passphrase: secret(&vault.passphrase), key: secret(&vault.key) }
}

/// The data directory: the configured one, or the user's.
pub(crate) fn data_dir(app: &App, config: &Config) -> Result<PathBuf> {
    use etcetera::base_strategy::{BaseStrategy, Xdg};
    if !config.data_dir.is_empty() {
        return Ok(PathBuf::from(&config.data_dir));
    }
    let xdg = Xdg::new().map_err(|error| {
        Error::new(ErrorKind::Unavailable, "finding the user's data directory")
            .with_next("set --data-dir")
            .with_source(error)
    })?;
    Ok(xdg.data_dir().join(app.name))
}

/// The address of the store; one that cannot be opened is a bad setting.
fn store_url(config: &Config, data_dir: &Path) -> Result<String> {
    let url = config.store.address(data_dir)?;
    crate::store::vet(&url)
        .map_err(|error| Error::new(ErrorKind::InvalidArgument, format!("store.url: {error}")))?;
    Ok(url)
}
