//! `webhook`: for whoever builds the receiving end.

mod listen;
mod verify;

use clap::{ArgMatches, Command};
use gabier_tool::Result;

use crate::commands::{Report, Site};

pub(crate) fn command() -> Command {
    Command::new("webhook")
        .about("Verify webhooks, or receive them on this machine")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(verify::command())
        .subcommand(listen::command())
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    match matches.subcommand() {
        Some(("listen", given)) => listen::run(site, given).await,
        Some((_, given)) => verify::run(site, given),
        None => verify::run(site, matches),
    }
}
