//! `token`: make, list, change, follow up and revoke tokens in the data directory.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use gabier_access::{Access, Edit, Expiry, Grant, Listed, Minted, NewToken, TokenState};
use gabier_tool::{Error, ErrorKind, Permission, Result, iso};
use serde_json::{Value, json};

use crate::commands::{Report, Site};

pub(crate) fn command() -> Command {
    let prefix =
        || Arg::new("prefix").required(true).value_name("PREFIX").help("First 8 or more digits of its hash");
    let list = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("LIST").value_delimiter(',').action(ArgAction::Append).help(help)
    };
    Command::new("token")
        .about("Make, list, change and revoke tokens")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("create")
                .about("Make a token; it is shown this once")
                .arg(Arg::new("name").required(true).value_name("NAME").help("Who will use it"))
                .arg(list(
                    "permissions",
                    "Its rights: read, net, write, admin, approve (read,net,write when absent)",
                ))
                .arg(list(
                    "resources",
                    "What arguments may name, such as host:web1, root:/var/log or * (your own when absent)",
                ))
                .arg(list("tools", "The only tools it may call"))
                .arg(list("networks", "The only addresses it may come from, as CIDR"))
                .arg(
                    Arg::new("profile")
                        .long("profile")
                        .value_name("PROFILE")
                        .help("The MCP profile it always gets"),
                )
                .arg(Arg::new("email").long("email").value_name("ADDRESS").help("Whom to ask about it"))
                .arg(
                    Arg::new("days")
                        .long("days")
                        .value_name("DAYS")
                        .value_parser(value_parser!(u16).range(1..=365))
                        .help("Days until it ends: 90, for administrators 30"),
                )
                .arg(
                    Arg::new("yes-never-expires")
                        .long("yes-never-expires")
                        .action(ArgAction::SetTrue)
                        .conflicts_with("days")
                        .help("It never ends; doctor will remind you"),
                ),
        )
        .subcommand(Command::new("list").about("All tokens, without the tokens themselves"))
        .subcommand(Command::new("revoke").about("Take a token back, for the next request").arg(prefix()))
        .subcommand(
            Command::new("update")
                .about("Change what a token may do")
                .arg(prefix())
                .arg(list("add-resources", "Resources to add"))
                .arg(list("remove-resources", "Resources to take away"))
                .arg(list("set-resources", "All its resources instead"))
                .arg(list("set-permissions", "All its rights instead")),
        )
        .subcommand(
            Command::new("rotate")
                .about("Make a successor; the old token ends after the overlap")
                .arg(prefix())
                .arg(
                    Arg::new("overlap")
                        .long("overlap")
                        .value_name("HOURS")
                        .value_parser(value_parser!(u32).range(0..=720))
                        .default_value("24")
                        .help("Hours for which both work"),
                ),
        )
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let wired = site.wire(site.loaded()?, "cli", None)?;
    let access = &wired.access;
    match matches.subcommand() {
        Some(("create", given)) => create(access, given).await,
        Some(("revoke", given)) => {
            let changed = access.revoke(&word(given, "prefix")).await?;
            Ok(Report::data(
                json!({"token_hash_prefix": changed.id.prefix(), "client_name": changed.current.name}),
            ))
        }
        Some(("update", given)) => update(access, given).await,
        Some(("rotate", given)) => {
            let hours = given.get_one::<u32>("overlap").copied().unwrap_or(24);
            let overlap = Duration::from_secs(u64::from(hours) * 3600);
            let minted = access.rotate(&access.os_user(), &word(given, "prefix"), overlap).await?;
            Ok(Report::data(shown(&minted)))
        }
        _ => {
            let tokens: Vec<Value> = access.list().await?.iter().map(row).collect();
            Ok(Report::data(json!({"count": tokens.len(), "tokens": tokens})))
        }
    }
}

async fn create(access: &Access, given: &ArgMatches) -> Result<Report> {
    let permissions = match words(given, "permissions") {
        Some(names) => permissions(&names)?,
        None => vec![Permission::Read, Permission::Net, Permission::Write],
    };
    let mut new = NewToken::new(word(given, "name"), &permissions);
    new.resources = words(given, "resources");
    new.tools = words(given, "tools");
    new.profile = given.get_one::<String>("profile").cloned();
    new.email = given.get_one::<String>("email").cloned();
    for network in words(given, "networks").unwrap_or_default() {
        let parsed =
            network.parse().map_err(|_| Error::invalid("networks", format!("{network:?} is no CIDR")))?;
        new.networks.push(parsed);
    }
    new.expiry = match (given.get_one::<u16>("days"), given.get_flag("yes-never-expires")) {
        (Some(days), _) => Expiry::Days(*days),
        (None, true) => Expiry::Never,
        (None, false) => Expiry::Usual,
    };
    let minted = access.create(&access.os_user(), new).await?;
    Ok(Report::data(shown(&minted)))
}

async fn update(access: &Access, given: &ArgMatches) -> Result<Report> {
    let edit = Edit {
        add_resources: words(given, "add-resources").unwrap_or_default(),
        remove_resources: words(given, "remove-resources").unwrap_or_default(),
        set_resources: words(given, "set-resources"),
        set_permissions: words(given, "set-permissions").map(|names| permissions(&names)).transpose()?,
        set_email: None,
    };
    let changed = access.update(&word(given, "prefix"), &edit).await?;
    Ok(Report::data(json!({
        "token_hash_prefix": changed.id.prefix(),
        "previous": rights(&changed.previous),
        "current": rights(&changed.current),
    })))
}

fn permissions(names: &[String]) -> Result<Vec<Permission>> {
    let parse = |name: &String| {
        Permission::parse(name).filter(|permission| *permission != Permission::Public).ok_or_else(|| {
            let message = format!("{name:?} is no right; known are read, net, write, admin, approve");
            Error::new(ErrorKind::InvalidArgument, format!("permissions: {message}"))
        })
    };
    names.iter().map(parse).collect()
}

/// What a person gets of a new token: the token itself, this once.
pub(crate) fn shown(minted: &Minted) -> Value {
    json!({
        "token": minted.token.expose(),
        "token_hash_prefix": minted.id.prefix(),
        "client_name": minted.grant.name,
        "permissions": minted.grant.permissions,
        "resources": minted.grant.resources,
        "expires_at": minted.grant.expires.map(iso),
    })
}

fn rights(grant: &Grant) -> Value {
    json!({"permissions": grant.permissions, "resources": grant.resources})
}

fn row(listed: &Listed) -> Value {
    let state = match listed.state {
        TokenState::Valid => "valid",
        TokenState::Expired => "expired",
        TokenState::Revoked => "revoked",
    };
    json!({
        "token_hash_prefix": listed.id.prefix(),
        "client_name": listed.grant.name,
        "state": state,
        "permissions": listed.grant.permissions,
        "resources": listed.grant.resources,
        "expires_at": listed.grant.expires.map(iso),
        "last_used": listed.last_used.map(iso),
    })
}

fn word(given: &ArgMatches, name: &str) -> String {
    given.get_one::<String>(name).cloned().unwrap_or_default()
}

fn words(given: &ArgMatches, name: &str) -> Option<Vec<String>> {
    let words: Vec<String> =
        given.get_many::<String>(name)?.filter(|word| !word.is_empty()).cloned().collect();
    Some(words)
}
