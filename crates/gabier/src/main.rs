//! The shipped binary: the kit with the toolbox.

mod fleet;
mod import;

use std::process::ExitCode;
use std::sync::Arc;

use gabier_kit::{App, Method, Variable, VariableUse};
use gabier_toolbox::{Services, Settings, TOOLSETS};

/// What MCP clients tell their model (at most 2,000 characters).
const INSTRUCTIONS: &str = include_str!("instructions.txt");

/// What `version --licenses` prints.
const LICENCES: &str = include_str!("../../../reference/licences.txt");

/// Variables of older projects that set keys of the toolbox.
const VARIABLES: &[Variable] = &[
    Variable { name: "MCP_ALLOWED_ROOTS", usage: VariableUse::Paths("files.roots") },
    Variable { name: "DBUS_SYSTEM_BUS_ADDRESS", usage: VariableUse::Key("monitor.bus_address") },
];

fn main() -> ExitCode {
    let known = fleet::Known::default();
    let completed = known.clone();
    App::new("gabier", env!("CARGO_PKG_VERSION"))
        .about("An MCP server, REST service, command line and shell over one list of tools.")
        .instructions(INSTRUCTIONS)
        .licenses(LICENCES)
        .settings::<Settings>()
        .settings::<fleet::Section>()
        .variables(VARIABLES)
        .variables(fleet::VARIABLES)
        .tools(TOOLSETS, move |setup| {
            let services = Services::open(&setup.settings::<Settings>()?, Some(setup.data_dir))?;
            Ok(services.through(Arc::clone(setup.egress)).reaching(fleet::open(setup, &known)?))
        })
        .command(import::Import)
        .completer("host", move || completed.names())
        .selects("host")
        .profile("it", &["files", "monitor", "logs", "network", "math"])
        .diagnosis("pool", "pool_stats")
        .diagnosis("servers", "server_list")
        .diagnosis("apis", "api_list")
        .short_route(Method::GET, "/tools/system-info", "system_info")
        .short_route(Method::POST, "/tools/ping", "ping_host")
        .short_route(Method::POST, "/tools/port-scan", "port_scan")
        .short_route(Method::POST, "/tools/calculator", "calculator")
        .run()
}
