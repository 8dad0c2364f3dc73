//! What the server is and which tools it has for the caller.

use gabier_tool::{Context, Effect, Outcome, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tools::Services;

/// Tell name, version, platform and the tools of this server.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct SystemAbout {}

/// What the server is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct About {
    /// The server's name.
    service_name: String,
    /// Its version.
    version: String,
    /// What it runs on.
    runtime: String,
    /// The operating system and processor.
    platform: String,
    /// How many tools the caller sees.
    tools_count: usize,
    /// Those tools.
    tools: Vec<Brief>,
}

/// A tool in one line.
#[derive(Debug, Serialize, JsonSchema)]
struct Brief {
    /// The name.
    name: &'static str,
    /// The help text, cut to 100 characters.
    description: String,
}

impl Tool<Services> for SystemAbout {
    const NAME: &'static str = "system_about";
    const EFFECT: Effect = Effect::Read;
    const PERMISSION: Permission = Permission::Public;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "version server information à propos serveur";
    type Output = About;

    async fn run(self, ctx: &Context<Services>) -> Result<About> {
        let dispatch = ctx.services.dispatch()?;
        let tools: Vec<Brief> = dispatch
            .listed(ctx.caller(), ctx.profile())
            .map(|entry| Brief {
                name: entry.facts.name,
                description: entry.schemas().summary.chars().take(100).collect(),
            })
            .collect();
        Ok(About {
            service_name: ctx.services.name.clone(),
            version: ctx.services.version.clone(),
            runtime: "rust".to_owned(),
            platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            tools_count: tools.len(),
            tools,
        })
    }

    fn outcome(_: &About) -> Outcome {
        Outcome { beside: true, ..Outcome::default() }
    }
}
