//! `worker`: runs tasks of the servers that share its store, until a signal ends it.

use std::sync::Arc;

use clap::{ArgMatches, Command};
use gabier_tool::Result;
use tokio_util::sync::CancellationToken;

use crate::commands::{Report, Site, serve};

pub(crate) fn command() -> Command {
    Command::new("worker")
        .about("Run tasks of the servers that share the store, without serving anything")
        .args(super::site::setting_flags("tasks"))
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let loaded = site.loaded_with("tasks", matches)?;
    let wired = site.wire(&loaded, "worker", None)?;
    wired.may_start()?;
    let shutdown = CancellationToken::new();
    serve::stop_on_signal(&shutdown);
    for warning in wired.warnings.iter().chain(&loaded.warnings) {
        tracing::warn!("{warning}");
    }
    serve::follow(&wired, &shutdown);
    serve::tell_promise(&wired, &shutdown);
    let settings = wired.tasks.settings();
    let place = Arc::clone(&wired.store).place().await;
    site.terminal
        .say(&format!("{} runs up to {} tasks at once from {place}", wired.name, settings.concurrency));
    wired.tasks.work(shutdown).await;
    wired.store.leave();
    Ok(Report::done())
}
