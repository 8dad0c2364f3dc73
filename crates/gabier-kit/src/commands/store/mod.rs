//! `store`: what a person does with the whole of a store.

mod copy;
mod file;
mod look;
mod staged;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use gabier_store::{ErrorKind as StoreErrorKind, Opening, Store};
use gabier_tool::{Error, ErrorKind, Result};
use std::path::PathBuf;

use crate::commands::{Report, Site};
use crate::store::openers;

pub(crate) fn command() -> Command {
    let file = |help: &'static str| {
        Arg::new("file").required(true).value_name("FILE").value_parser(value_parser!(PathBuf)).help(help)
    };
    let force = |help: &'static str| Arg::new("force").long("force").action(ArgAction::SetTrue).help(help);
    let url = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("URL").required(true).help(help)
    };
    Command::new("store")
        .about("Look after what is stored: records and tasks, in SQLite or on Redis")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("migrate").about("Bring the store to the format of this program"))
        .subcommand(Command::new("check").about("Look through everything; exit 1 when something is wrong"))
        .subcommand(Command::new("compact").about("Remove what is older than the settings keep, and the gaps"))
        .subcommand(
            Command::new("backup")
                .about("Write everything to one file, which must not be there yet; servers may go on")
                .arg(file("File to write")),
        )
        .subcommand(
            Command::new("restore")
                .about("Put a backup in the place of the store; servers and workers must have ended")
                .arg(file("File that `store backup` wrote"))
                .arg(force("Although the store holds something: SQLite's is kept as gabier.db.replaced")),
        )
        .subcommand(
            Command::new("copy")
                .about("Copy records and tasks to another store; servers and workers must have ended")
                .arg(url("from", "Store to read, such as sqlite:/srv/gabier"))
                .arg(url("to", "Store to fill, such as redis://queue.example"))
                .arg(force(
                    "Although the target holds something: SQLite's is replaced and kept as gabier.db.replaced; \
                     on Redis records are overwritten, and tasks that exist are left alone",
                )),
        )
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let (verb, given) = matches.subcommand().unwrap_or(("check", matches));
    let file = || given.get_one::<PathBuf>("file").cloned().unwrap_or_default();
    match verb {
        "migrate" => look::migrate(site),
        "compact" => look::compact(site).await,
        "backup" => file::backup(site, &file()).await,
        "restore" => file::restore(site, &file(), given.get_flag("force")).await,
        "copy" => copy::run(site, given).await,
        _ => look::check(site).await,
    }
}

/// The address of the configured store, or of one that a flag names; passwords come from the settings.
fn address(site: &Site<'_>, url: Option<&str>) -> Result<String> {
    let config = site.loaded()?.config()?;
    let data_dir = crate::wiring::data_dir(site.app, &config)?;
    let url = url.map_or_else(|| config.store.url.clone(), str::to_owned);
    let store = crate::config::Store { url, ..config.store };
    let address = store.address(&data_dir).map_err(|error| site.configured(error))?;
    crate::store::vet(&address).map_err(failed)?;
    Ok(address)
}

fn open(address: &str) -> Result<Store> {
    openers().open(address, &Opening::role("store")).map_err(failed)
}

/// The data directory that an address names; none when the store is elsewhere.
fn directory(address: &str) -> Option<PathBuf> {
    if crate::store::is_redis(address) || address.starts_with("memory:") {
        return None;
    }
    let path = address.strip_prefix("sqlite:").unwrap_or(address);
    Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
}

/// A failure of a store as a command tells it: with the reason, which is a person's to mend here.
#[expect(clippy::needless_pass_by_value, reason = "it is what map_err gives")]
fn failed(error: gabier_store::Error) -> Error {
    let kind = match error.kind() {
        StoreErrorKind::Conflict | StoreErrorKind::Busy => ErrorKind::Conflict,
        StoreErrorKind::Unsupported => ErrorKind::InvalidArgument,
        _ => ErrorKind::Unavailable,
    };
    let message = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Error::new(kind, message)
}
