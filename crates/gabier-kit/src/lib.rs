//! Faces and engines wired for any list of tools: what a server of one's own depends on.
//!
//! ```no_run
//! use gabier_kit::App;
//! use gabier_kit::tool::{Context, Effect, Result, Tool, ToolDef, Toolset};
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// Greet somebody by name.
//! #[derive(Deserialize, JsonSchema)]
//! struct Hello {
//!     /// Whom to greet.
//!     name: String,
//! }
//!
//! /// A greeting.
//! #[derive(Serialize, JsonSchema)]
//! struct Greeting {
//!     /// The words.
//!     greeting: String,
//! }
//!
//! impl Tool<()> for Hello {
//!     const NAME: &'static str = "hello_say";
//!     const EFFECT: Effect = Effect::Read;
//!     type Output = Greeting;
//!
//!     async fn run(self, _: &Context<()>) -> Result<Greeting> {
//!         Ok(Greeting { greeting: format!("Hello, {}!", self.name) })
//!     }
//! }
//!
//! const TOOLS: &[Toolset<()>] = &[Toolset { name: "hello", tools: &[ToolDef::of::<Hello>()] }];
//!
//! fn main() -> std::process::ExitCode {
//!     App::new("hello", "1.0.0").tools(TOOLS, |_| Ok(())).run()
//! }
//! ```

pub mod doctor;

mod app;
mod clock;
mod commands;
mod config;
mod health;
mod log;
mod store;
mod tools;
mod wiring;

pub use app::{App, OwnCommand, Setup};
/// What commands are made of.
pub use clap;
pub use config::{Loaded, Origin, Variable, VariableUse};
/// The vault, for services that log in somewhere.
pub use gabier_access::secret;
/// What MCP has and a tool has not.
pub use gabier_mcp as mcp;
/// The tasks of a store, for commands that put some there.
pub use gabier_store::queue;
/// What a tool is made of.
pub use gabier_tool as tool;
pub use http::Method;
