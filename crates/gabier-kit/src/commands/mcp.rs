//! `mcp`: one MCP client on standard input and output.

use clap::{Arg, ArgMatches, Command};
use gabier_tool::guard::{Credential, Origin};
use gabier_tool::{Caller, Result, Surface};
use tokio_util::sync::CancellationToken;

use crate::commands::{Report, Site};
use crate::wiring::Wired;

pub(crate) fn command() -> Command {
    Command::new("mcp").about("Serve one MCP client on standard input and output").arg(
        Arg::new("profile")
            .long("profile")
            .value_name("PROFILE")
            .help("Which tools the client lists; core unless the configuration says otherwise"),
    )
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let wired = site.wire(site.loaded()?, "mcp", None)?;
    wired.lint()?;
    let profile = matches.get_one::<String>("profile").unwrap_or(&wired.config.server.profile).clone();
    let mcp = wired.mcp(site.app, &profile)?;
    let caller = identify(&wired, Surface::McpStdio).await?;
    let shutdown = CancellationToken::new();
    super::serve::stop_on_signal(&shutdown);
    mcp.serve_stdio(caller, shutdown).await?;
    Ok(Report::done())
}

/// Who calls on this process's own surfaces: the token that the configuration names, else the operating system's
/// user.
pub(crate) async fn identify(wired: &Wired, surface: Surface) -> Result<Caller> {
    let token = wired.config.stdio.token.as_ref();
    let credential = token.map_or(Credential::OsUser, |token| Credential::Bearer(token.expose()));
    wired.dispatch.guards().authority.identify(credential, Origin { surface, address: None }).await
}
