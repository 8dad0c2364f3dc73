//! `mcp`: one MCP client on standard input and output.

use clap::{Arg, ArgMatches, Command};
use gabier_mcp::Mcp;
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
    wired.may_start()?;
    let profile = matches.get_one::<String>("profile").unwrap_or(&wired.config.server.profile).clone();
    let mcp = wired.mcp(site.app, &profile)?;
    let caller = wired.identify(Surface::McpStdio).await?;
    let shutdown = CancellationToken::new();
    super::serve::stop_on_signal(&shutdown);
    super::serve::follow(&wired, &shutdown);
    converse(&wired, mcp, caller, shutdown).await?;
    Ok(Report::done())
}

/// Serves one client until it is gone, and ends with it what only ran for it.
pub(crate) async fn converse(
    wired: &Wired,
    mcp: Mcp,
    caller: Caller,
    shutdown: CancellationToken,
) -> Result<()> {
    let stop = shutdown.child_token();
    let working = tokio::spawn({
        let (tasks, stop) = (wired.tasks.clone(), stop.clone());
        async move { tasks.work(stop).await }
    });
    let served = mcp.serve_stdio(caller, shutdown).await;
    wired.tasks.end().await;
    stop.cancel();
    if working.await.is_err() {
        tracing::error!("what ran tasks stopped with a panic");
    }
    wired.store.leave();
    served
}
