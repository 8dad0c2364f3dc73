//! `completions`: the script that a shell reads, and the answers to what it then asks.

use clap::{Arg, ArgMatches, Command};
use gabier_term::{Cli, complete};
use gabier_tool::Result;

use crate::commands::{Report, Site};

pub(crate) fn command() -> Command {
    Command::new("completions")
        .about("Print the completion script of a shell")
        .arg(Arg::new("shell").required(true).value_parser(["bash", "zsh", "fish"]).help("The shell"))
}

pub(crate) fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let shell = matches.get_one::<String>("shell").map_or("bash", String::as_str);
    complete::completions(shell, site.app.name, site.app.name).map(Report::text)
}

/// True when a shell asks for candidates.
pub(crate) fn asked(site: &Site<'_>) -> bool {
    site.environment(complete::VARIABLE).is_some()
}

/// The candidates, when a shell asks for them.
pub(crate) fn answer(site: &Site<'_>, cli: &Cli) -> Result<Option<String>> {
    let folder = std::env::current_dir().ok();
    complete::candidates(site.environment(complete::VARIABLE), cli.tree(), &site.argv, folder.as_deref())
}
