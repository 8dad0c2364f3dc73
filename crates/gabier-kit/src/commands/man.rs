//! `man`: the manual pages of every command.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};
use gabier_term::Cli;
use gabier_tool::Result;
use serde_json::json;

use crate::commands::Report;

pub(crate) fn command() -> Command {
    Command::new("man").about("Write the manual pages into a folder").arg(
        Arg::new("dir")
            .long("dir")
            .value_name("FOLDER")
            .value_parser(value_parser!(PathBuf))
            .required(true)
            .help("Where to write, such as ~/.local/share/man/man1"),
    )
}

pub(crate) fn run(cli: &Cli, matches: &ArgMatches) -> Result<Report> {
    let folder = matches.get_one::<PathBuf>("dir").cloned().unwrap_or_default();
    let pages = gabier_term::man(cli, &folder)?;
    Ok(Report::data(json!({"folder": folder.display().to_string(), "pages": pages.len()})))
}
