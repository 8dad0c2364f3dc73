//! A new API, or what changes of one.

use gabier_access::secret::SecretName;
use gabier_host::Alias;
use gabier_tool::{Context, Effect, Outcome, Plan, Profile, Result, Secret, Status, Tool, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{ApiRecord, AuthMethod, Method, Sealed, change};
use crate::Services;
use crate::hosts::Hosts;

/// Add an API to the catalogue or change one; secrets go to the vault.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ApiAdd {
    /// Its name.
    #[schemars(length(min = 1, max = 64), extend("x-resource" = "api"))]
    alias: String,
    /// Base URL.
    #[schemars(length(min = 1, max = 2048))]
    url: String,
    /// Path that tells its health.
    #[schemars(length(max = 2048))]
    health_check_endpoint: Option<String>,
    /// How that is asked; GET unless set.
    #[schemars(extend("x-full" = true))]
    health_check_method: Option<Method>,
    /// What it is shown; `none` unless set.
    auth_method: Option<AuthMethod>,
    /// The key, or `vault:NAME`.
    api_key: Option<Secret>,
    /// Header of the key; `Authorization` unless set.
    #[schemars(regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"), extend("x-full" = true))]
    auth_header_name: Option<String>,
    /// Word before the key; `Bearer` unless set, '' for none.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{0,50}$"), extend("x-full" = true))]
    auth_scheme: Option<String>,
    /// User.
    #[schemars(regex(pattern = r"^[^:\r\n]{1,255}$"), extend("x-full" = true))]
    htpasswd_user: Option<String>,
    /// Password, or `vault:NAME`.
    #[schemars(extend("x-full" = true))]
    htpasswd_pass: Option<Secret>,
    /// Notes.
    #[schemars(length(max = 2000), extend("x-full" = true))]
    notes: Option<String>,
}

/// An API of the catalogue.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Added {
    /// Its name.
    alias: String,
    /// Its base URL.
    url: String,
    /// What it is shown.
    auth: String,
    #[serde(skip)]
    status: Status,
}

impl Tool<Services> for ApiAdd {
    const NAME: &'static str = "api_add";
    const EFFECT: Effect = Effect::Write;
    const PROFILE: Profile = Profile::Core;
    const IDEMPOTENT: bool = true;
    const KEYWORDS: &'static str = "register endpoint rest service catalogue key ajouter enregistrer";
    type Output = Added;

    async fn plan(&self, _: &Context<Services>) -> Result<Option<Plan>> {
        let steps = vec![format!("keep the API {} at {}", self.alias, self.url)];
        Ok(Some(Plan { steps, targets: vec![self.url.clone()] }))
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Added> {
        self.keep(ctx.services.hosts()?, &iso(ctx.now())).await
    }

    fn outcome(output: &Added) -> Outcome {
        Outcome::of(output.status)
    }
}

impl ApiAdd {
    /// Refuses what could not be kept, before any secret is.
    pub(super) fn check(&self) -> Result<()> {
        self.alias.parse::<Alias>()?;
        self.merged(None, None, None).check()
    }

    /// Keeps the API, with its secrets in the vault.
    pub(super) async fn keep(&self, hosts: &Hosts, now: &str) -> Result<Added> {
        let alias: Alias = self.alias.parse()?;
        self.check()?;
        let key = seal(hosts, &alias, "key", self.api_key.as_ref(), now).await?;
        let password = seal(hosts, &alias, "password", self.htpasswd_pass.as_ref(), now).await?;
        let merge = |before: Option<&ApiRecord>| Ok(self.merged(before, key.clone(), password.clone()));
        let (before, after) = change(hosts, &alias, merge).await?;
        let status = match before {
            None => Status::Created,
            Some(before) if before == after => Status::AlreadyExists,
            Some(_) => Status::Ok,
        };
        Ok(Added { alias: alias.to_string(), auth: after.auth(), url: after.url, status })
    }

    /// What is given, over what there was.
    fn merged(&self, before: Option<&ApiRecord>, key: Option<Sealed>, password: Option<Sealed>) -> ApiRecord {
        let base = before.cloned().unwrap_or_else(|| ApiRecord::new(self.url.clone()));
        let guessed = match (base.auth_method, self.api_key.is_some(), self.htpasswd_pass.is_some()) {
            (AuthMethod::None, true, false) => AuthMethod::ApiKey,
            (AuthMethod::None, false, true) => AuthMethod::Htpasswd,
            (method, ..) => method,
        };
        ApiRecord {
            url: self.url.clone(),
            health_check_endpoint: self.health_check_endpoint.clone().unwrap_or(base.health_check_endpoint),
            health_check_method: self.health_check_method.unwrap_or(base.health_check_method),
            auth_method: self.auth_method.unwrap_or(guessed),
            auth_header_name: self.auth_header_name.clone().unwrap_or(base.auth_header_name),
            auth_scheme: self.auth_scheme.clone().unwrap_or(base.auth_scheme),
            htpasswd_user: self.htpasswd_user.clone().or(base.htpasswd_user),
            notes: self.notes.clone().or(base.notes),
            key: key.or(base.key),
            password: password.or(base.password),
        }
    }
}

/// Moves a secret to the vault, unless it names one that is there.
async fn seal(
    hosts: &Hosts,
    alias: &Alias,
    word: &str,
    secret: Option<&Secret>,
    now: &str,
) -> Result<Option<Sealed>> {
    let Some(secret) = secret else { return Ok(None) };
    if let Some(name) = SecretName::of_reference(secret.expose()) {
        let name = name?;
        hosts.vault.get(&name).await?;
        return Ok(Some(Sealed { name: name.to_string(), set: now.to_owned() }));
    }
    let name = SecretName::parse(&format!("api/{alias}/{word}"))?;
    hosts.vault.set(&name, &secret.to_secret_string()).await?;
    Ok(Some(Sealed { name: name.to_string(), set: now.to_owned() }))
}
