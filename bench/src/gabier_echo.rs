//! The echo tool on gabier-kit: a complete server, as anyone would write it.

use std::process::ExitCode;

use gabier_kit::App;
use gabier_tool::{Context, Effect, Profile, Result, Tool, ToolDef, Toolset};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The name this program is called by when it shall be that server.
pub(crate) const NAME: &str = "gabier-echo";

const TOOLS: &[Toolset<()>] = &[Toolset { name: "echo", tools: &[ToolDef::of::<Echo>()] }];

/// Serves as its command line says.
pub(crate) fn run() -> ExitCode {
    App::new(NAME, env!("CARGO_PKG_VERSION")).tools(TOOLS, |_| Ok(())).run()
}

/// Say the text back.
#[derive(Debug, Deserialize, JsonSchema)]
struct Echo {
    /// What to say back.
    text: String,
}

/// What was said.
#[derive(Debug, Serialize, JsonSchema)]
struct Echoed {
    /// The same text.
    text: String,
}

impl Tool<()> for Echo {
    const NAME: &'static str = "echo";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    type Output = Echoed;

    async fn run(self, _ctx: &Context<()>) -> Result<Echoed> {
        Ok(Echoed { text: self.text })
    }
}
