//! The APIs of the catalogue.

use std::collections::BTreeMap;

use gabier_tool::{Context, Effect, Profile, ResourceKind, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::record::{ApiRecord, Method, list};
use crate::Services;

/// List the APIs of the catalogue.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ApiList {}

/// The APIs there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Apis {
    /// By name.
    apis: BTreeMap<String, Api>,
    /// How many.
    count: usize,
}

/// An API.
#[derive(Debug, Serialize, JsonSchema)]
struct Api {
    /// Its base URL.
    url: String,
    /// What tells its health.
    health_check_endpoint: String,
    /// How that is asked.
    health_check_method: Method,
    /// What it is shown, and since when that is known.
    auth: String,
    /// The header of its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_header_name: Option<String>,
    /// The word before its key.
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_scheme: Option<String>,
    /// The user it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    htpasswd_user: Option<String>,
    /// Notes.
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
}

impl Tool<Services> for ApiList {
    const NAME: &'static str = "api_list";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "registered endpoints services catalogue lister";
    type Output = Apis;

    async fn run(self, ctx: &Context<Services>) -> Result<Apis> {
        let mut apis = list(ctx.services.hosts()?).await?;
        apis.retain(|alias, _| ctx.caller().may_reach(ResourceKind::Api, alias));
        let apis: BTreeMap<String, Api> = apis.into_iter().map(|(alias, api)| (alias, shown(api))).collect();
        Ok(Apis { count: apis.len(), apis })
    }
}

fn shown(api: ApiRecord) -> Api {
    let has_key = api.auth_method.has_key();
    Api {
        auth: api.auth(),
        url: api.url,
        health_check_endpoint: api.health_check_endpoint,
        health_check_method: api.health_check_method,
        auth_header_name: has_key.then_some(api.auth_header_name),
        auth_scheme: has_key.then_some(api.auth_scheme),
        htpasswd_user: api.htpasswd_user,
        notes: api.notes,
    }
}
