//! `version`: what this program was made of.

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use crate::commands::{Report, Site};

pub(crate) fn command() -> Command {
    Command::new("version").about("Tell the version and what the program was made of").arg(
        Arg::new("licenses")
            .long("licenses")
            .action(ArgAction::SetTrue)
            .help("The licences of everything that is built in"),
    )
}

pub(crate) fn run(site: &Site<'_>, matches: &ArgMatches) -> Report {
    if matches.get_flag("licenses") {
        return Report::text(site.app.licenses.to_owned());
    }
    Report::data(json!({
        "name": site.app.name,
        "version": site.app.version,
        "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        "profile": if cfg!(debug_assertions) { "debug" } else { "release" },
    }))
}
