//! `admin`: the first administrator, and the way back in.

use clap::{Arg, ArgAction, ArgMatches, Command};
use gabier_tool::{Error, ErrorKind, Result};
use serde_json::json;

use crate::commands::{Report, Site, token};

pub(crate) fn command() -> Command {
    Command::new("admin")
        .about("Mint the first administrator's token, or recover the administration")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("init").about("Mint the first administrator's token").arg(name()))
        .subcommand(
            Command::new("recover").about("Mint an administrator's token whatever there is").arg(name()).arg(
                Arg::new("revoke-all")
                    .long("revoke-all")
                    .action(ArgAction::SetTrue)
                    .help("End every other token in the same moment; needs --yes"),
            ),
        )
}

fn name() -> Arg {
    Arg::new("name").default_value("admin").value_name("NAME").help("Who will use it")
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let wired = site.wire(site.loaded()?, "cli", None)?;
    let access = &wired.access;
    let caller = access.os_user();
    let (verb, given) = matches.subcommand().unwrap_or(("init", matches));
    let name = given.get_one::<String>("name").map_or("admin", String::as_str);
    if verb == "init" {
        let minted = access.init_admin(&caller, name).await?;
        return Ok(Report::data(token::shown(&minted)));
    }
    let revoke_all = given.get_flag("revoke-all");
    if revoke_all && !site.globals.yes {
        return Err(Error::new(ErrorKind::ConfirmationRequired, "revoking every other token needs --yes"));
    }
    let (minted, revoked) = access.recover_admin(&caller, name, revoke_all).await?;
    let mut data = token::shown(&minted);
    data["revoked"] = json!(revoked);
    Ok(Report::data(data))
}
