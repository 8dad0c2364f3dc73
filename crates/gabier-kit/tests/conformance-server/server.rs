//! The server that the official conformance suites ask for: made with the kit like any other, with the fixtures that
//! the suites name. `conformance-server serve --port PORT`.

mod fixtures;
mod reading;
mod rounds;
mod talking;
mod tasks;
mod tools;

use std::process::ExitCode;
use std::sync::Arc;

use gabier_kit::App;

fn main() -> ExitCode {
    App::new("conformance-server", env!("CARGO_PKG_VERSION"))
        .about("The fixtures of the MCP conformance suites.")
        .tools(tasks::TOOLSETS, |_| Ok(()))
        .mcp_extras(Arc::new(fixtures::Fixtures::new()))
        .run()
}
