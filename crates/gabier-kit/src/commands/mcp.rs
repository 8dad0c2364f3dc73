//! `mcp`: one MCP client on standard input and output.

use clap::{Arg, ArgMatches, Command};
use gabier_tool::{Result, Surface};
use tokio_util::sync::CancellationToken;

use crate::commands::{Report, Site};

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
    let caller = wired.identify(Surface::McpStdio).await?;
    let shutdown = CancellationToken::new();
    super::serve::stop_on_signal(&shutdown);
    super::serve::follow(&wired, &shutdown);
    mcp.serve_stdio(caller, shutdown).await?;
    Ok(Report::done())
}
