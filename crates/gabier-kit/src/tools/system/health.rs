//! Whether every part of the server works.

use std::collections::BTreeMap;

use gabier_tool::{Context, Effect, Error, ErrorKind, Outcome, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::tools::Services;

/// Tell whether the server and its parts work.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SystemHealth {}

/// How the server is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// The server's name.
    service_name: String,
    /// Each part by name.
    services: BTreeMap<String, Part>,
}

/// How one part is.
#[derive(Debug, Serialize, JsonSchema)]
struct Part {
    /// `ok` or `error`.
    status: &'static str,
    /// What there is to know.
    message: String,
}

impl Tool<Services> for SystemHealth {
    const NAME: &'static str = "system_health";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Public;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "status alive ready state santé état";
    type Output = Health;

    async fn run(self, ctx: &Context<Services>) -> Result<Health> {
        let states = ctx.services.health.states().await;
        let is_ready = states.iter().all(|part| part.ready);
        let services = states
            .into_iter()
            .map(|part| {
                let status = if part.ready { "ok" } else { "error" };
                (part.name, Part { status, message: part.message })
            })
            .collect();
        let health = Health { service_name: ctx.services.name.clone(), services };
        if is_ready { Ok(health) } else { Err(down(&health)) }
    }

    fn outcome(_: &Health) -> Outcome {
        Outcome { beside: true, ..Outcome::default() }
    }
}

fn down(health: &Health) -> Error {
    let parts: Vec<&str> = health
        .services
        .iter()
        .filter(|(_, part)| part.status != "ok")
        .map(|(name, _)| name.as_str())
        .collect();
    let error = Error::new(
        ErrorKind::Unavailable,
        format!("checking the server: {} does not work", parts.join(", ")),
    )
    .with("parts", parts);
    match json!(health) {
        Value::Object(keys) => error.with_beside(keys),
        _ => error,
    }
}
