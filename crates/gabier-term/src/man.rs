//! Manual pages of every command, into a folder.

use std::path::{Path, PathBuf};

use clap::Command;
use clap_mangen::Man;
use gabier_tool::{Error, Result};

use crate::cli::Cli;
use crate::display::plain_markdown;

/// Writes one page a command and gives their paths. Help texts are Markdown, which roff is not: its marks are taken
/// out.
pub fn man(cli: &Cli, folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error: std::io::Error| {
        Error::invalid("folder", format!("{} cannot be written ({})", folder.display(), error.kind()))
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut tree = cli.help_tree().disable_help_subcommand(true);
    tree.build();
    let mut pages = Vec::new();
    for command in every(&plain(tree)) {
        let page = Man::new(command);
        let path = folder.join(page.get_filename());
        let mut text = Vec::new();
        page.render(&mut text).and_then(|()| std::fs::write(&path, text)).map_err(failed)?;
        pages.push(path);
    }
    Ok(pages)
}

/// The command and all that is under it, but for what is hidden.
fn every(command: &Command) -> Vec<Command> {
    let mut found = vec![command.clone()];
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        found.extend(every(inner));
    }
    found
}

fn plain(command: Command) -> Command {
    let command = match command.get_long_about().map(ToString::to_string) {
        Some(about) => command.long_about(plain_markdown(&about)),
        None => command,
    };
    let command = match command.get_about().map(ToString::to_string) {
        Some(about) => command.about(plain_markdown(&about)),
        None => command,
    };
    let command = command.mut_args(|arg| match arg.get_help().map(ToString::to_string) {
        Some(help) => arg.help(plain_markdown(&help)),
        None => arg,
    });
    command.mut_subcommands(plain)
}
