//! A server with one tool of its own: MCP, REST, command line, shell and pages from one struct.

use gabier_kit::tool::{Context, Effect, Result, Tool, ToolDef, Toolset};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Greet somebody by name.
#[derive(Deserialize, JsonSchema)]
struct Hello {
    /// Whom to greet.
    #[schemars(length(min = 1, max = 100))]
    name: String,
}

/// A greeting.
#[derive(Serialize, JsonSchema)]
struct Greeting {
    /// The words.
    greeting: String,
}

impl Tool<()> for Hello {
    const NAME: &'static str = "hello_say";
    const EFFECT: Effect = Effect::Read;
    type Output = Greeting;

    async fn run(self, _: &Context<()>) -> Result<Greeting> {
        Ok(Greeting { greeting: format!("Hello, {}!", self.name) })
    }
}

const TOOLS: &[Toolset<()>] = &[Toolset { name: "hello", tools: &[ToolDef::of::<Hello>()] }];

fn main() -> std::process::ExitCode {
    gabier_kit::App::new("hello-tool", env!("CARGO_PKG_VERSION")).tools(TOOLS, |_| Ok(())).run()
}
