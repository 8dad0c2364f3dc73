//! Whether an API of the catalogue is well.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gabier_access::secret::SecretName;
use gabier_egress::{HeaderName, HeaderValue, Reach, Request};
use gabier_tool::{Context, Effect, Error, HostsRef, Mode, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::health::{Health, from_host, measured};
use super::record::{ApiRecord, Method, Sealed, get};
use crate::Services;
use crate::hosts::{Hosts, reach};
use crate::monitor::fixed::TOOL_LIMIT;

/// Check whether an API is up, from here or from a host.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ApiCheck {
    /// Name of the API.
    #[schemars(length(min = 1, max = 64), extend("x-resource" = "api"))]
    alias: String,
    /// Host that asks; gabier itself when absent.
    server_alias: Option<HostsRef>,
}

impl Tool<Services> for ApiCheck {
    const NAME: &'static str = "api_check";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Net;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Lean;
    const LIMIT: Duration = TOOL_LIMIT;
    const OPEN_WORLD: bool = true;
    const KEYWORDS: &'static str = "health up down http probe endpoint santé disponible vérifier";
    type Output = Health;

    async fn run(self, ctx: &Context<Services>) -> Result<Health> {
        let hosts = ctx.services.hosts()?;
        let record = get(hosts, &self.alias).await?;
        let request = request(hosts, &record).await?;
        match &self.server_alias {
            None => measured(ctx, ctx.services.network.egress().send(request)).await,
            Some(server) => {
                let server = reach::target(ctx, server).await?;
                measured(ctx, from_host(ctx, &server, request)).await
            }
        }
    }
}

async fn request(hosts: &Hosts, api: &ApiRecord) -> Result<Request> {
    let mut request = Request::get(ApiCheck::NAME, Reach::Configured, api.health_url()?);
    if api.health_check_method == Method::Post {
        request.method = gabier_egress::Method::POST;
        request.body = Some(Bytes::new());
    }
    if api.auth_method.has_key() {
        let key = open(hosts, api.key.as_ref(), "api_key").await?;
        let name = HeaderName::from_bytes(api.auth_header_name.as_bytes())
            .map_err(|_| Error::invalid("auth_header_name", "is no name of a header"))?;
        let value = match api.auth_scheme.as_str() {
            "" => key.expose_secret().to_owned(),
            scheme => format!("{scheme} {}", key.expose_secret()),
        };
        request = request.with_header(name, header("api_key", &value)?);
    }
    if api.auth_method.has_password() {
        let password = open(hosts, api.password.as_ref(), "htpasswd_pass").await?;
        let user = api.htpasswd_user.as_deref().unwrap_or_default();
        let value = format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose_secret())));
        let name = HeaderName::from_static("authorization");
        request = request.with_header(name, header("htpasswd_pass", &value)?);
    }
    Ok(request)
}

async fn open(hosts: &Hosts, secret: Option<&Sealed>, parameter: &str) -> Result<SecretString> {
    let Some(secret) = secret else {
        let error = Error::invalid(parameter, "was never set for this API");
        return Err(error.with_next(format!("api_add with {parameter}")));
    };
    hosts.vault.get(&SecretName::parse(&secret.name)?).await
}

fn header(parameter: &str, value: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value).map_err(|_| Error::invalid(parameter, "holds characters that no header may"))
}
