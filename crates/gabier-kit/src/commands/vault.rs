//! `vault`: secrets, set and removed but never shown.

use clap::{Arg, ArgMatches, Command};
use gabier_access::secret::{KeyChoice, Listing, Seal, SecretName, Vault};
use gabier_term::Sources;
use gabier_tool::{Error, ErrorKind, Result};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::commands::{Report, Site};

pub(crate) fn command() -> Command {
    let name = || Arg::new("name").required(true).value_name("NAME").help("Its name, such as db/prod");
    let unlock = Arg::new("unlock")
        .long("unlock")
        .value_name("SOURCE")
        .global(true)
        .help("The vault's passphrase, where the settings have none: env:NAME, file:PATH, - or prompt");
    Command::new("vault")
        .about("Keep secrets for hosts and APIs, sealed; no command shows one")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(unlock)
        .subcommand(Command::new("init").about("Make the vault; the first secret does it too").args(choices()))
        .subcommand(
            Command::new("set").about("Set a secret, or another value of one").arg(name()).arg(
                Arg::new("from").long("from").value_name("SOURCE").help(
                    "Where the value is: env:NAME, file:PATH, - or prompt; you are asked, or standard input is read",
                ),
            ),
        )
        .subcommand(Command::new("list").about("The names of all secrets, and when each was set"))
        .subcommand(Command::new("remove").about("Forget a secret").arg(name()))
        .subcommand(
            Command::new("rotate").about("Seal everything anew under new keys; secrets keep their values"),
        )
        .subcommand(
            Command::new("rekey")
                .about("Seal the vault with another key file or a passphrase; a new key in the same file otherwise")
                .args(choices()),
        )
}

fn choices() -> [Arg; 2] {
    [
        Arg::new("key-file")
            .long("key-file")
            .value_name("FILE")
            .conflicts_with("passphrase")
            .help("Put a new key into this file"),
        Arg::new("passphrase")
            .long("passphrase")
            .value_name("SOURCE")
            .help("Seal it with a passphrase: env:NAME, file:PATH, - or prompt"),
    ]
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let sources = Sources::new(&site.terminal, &site.globals);
    let (verb, given) = matches.subcommand().unwrap_or(("list", matches));
    let unlocked = match given.get_one::<String>("unlock") {
        Some(source) => Some(site.loaded_with_secret("vault.passphrase", sources.secret("unlock", source)?)?),
        None => None,
    };
    let wired = site.wire(unlocked.as_ref().map_or_else(|| site.loaded(), Ok)?, "cli", None)?;
    let vault = &*wired.vault;
    let name = || SecretName::parse(given.get_one::<String>("name").map_or("", String::as_str));
    let data = match verb {
        "init" => sealed(vault, &vault.init(choice(given, &sources)?).await?),
        "set" => {
            let name = name()?;
            let value = value(site, given, &sources)?;
            set(vault, &name, &value).await?
        }
        "remove" => {
            let name = name()?;
            if !vault.remove(&name).await? {
                let message = format!("the vault has no secret {name}");
                return Err(Error::not_found(message).with_next(format!("{} vault list", site.app.name)));
            }
            json!({"name": name.as_str(), "removed": true})
        }
        "rotate" => sealed(vault, &vault.rotate().await?),
        "rekey" => {
            let usual = || KeyChoice::File(vault.key_file().to_owned());
            sealed(vault, &vault.rekey(choice(given, &sources)?.unwrap_or_else(usual)).await?)
        }
        _ => {
            vault.list().await?.map_or_else(|| json!({"count": 0, "secrets": []}), |listing| listed(&listing))
        }
    };
    Ok(Report::data(data))
}

async fn set(vault: &Vault, name: &SecretName, value: &SecretString) -> Result<Value> {
    let stored = vault.set(name, value).await?;
    let mut data = json!({"name": name.as_str(), "created": stored.is_new});
    if stored.made_vault
        && let Some(listing) = vault.list().await?
    {
        data["vault"] = json!({"made": true, "sealed_with": sealed_with(&listing)});
    }
    Ok(data)
}

/// The value: from its source, else from a person, else from standard input.
fn value(site: &Site<'_>, given: &ArgMatches, sources: &Sources<'_>) -> Result<SecretString> {
    let usual = if site.terminal.can_ask(&site.globals) { "prompt" } else { "-" };
    let source = given.get_one::<String>("from").map_or(usual, String::as_str);
    sources.secret("from", source).map(SecretString::from)
}

fn choice(given: &ArgMatches, sources: &Sources<'_>) -> Result<Option<KeyChoice>> {
    if let Some(file) = given.get_one::<String>("key-file") {
        let file = std::path::absolute(file).map_err(|error| {
            Error::new(ErrorKind::InvalidArgument, "key-file: it names no file").with_source(error)
        })?;
        return Ok(Some(KeyChoice::File(file)));
    }
    let passphrase = given.get_one::<String>("passphrase");
    let secret = passphrase.map(|source| sources.secret("passphrase", source)).transpose()?;
    Ok(secret.map(|passphrase| KeyChoice::Passphrase(passphrase.into())))
}

/// What a vault is sealed with now, and what to do so that it opens the next time.
fn sealed(vault: &Vault, listing: &Listing) -> Value {
    json!({
        "vault": listing.vault,
        "sealed_with": sealed_with(listing),
        "secrets": listing.secrets.len(),
        "next": match &listing.seal {
            Seal::Passphrase => "servers need the setting vault.passphrase from now on".to_owned(),
            Seal::Key { file, .. } if file != vault.key_file() => {
                format!("set vault.key_file to {}; until then the vault does not open", file.display())
            }
            Seal::Key { .. } => "keep a copy of the key file apart from the store".to_owned(),
        },
    })
}

fn sealed_with(listing: &Listing) -> String {
    match &listing.seal {
        Seal::Passphrase => "passphrase".to_owned(),
        Seal::Key { id, file } => format!("key {id} of {}", file.display()),
    }
}

fn listed(listing: &Listing) -> Value {
    let rows: Vec<Value> =
        listing.secrets.iter().map(|(name, set)| json!({"name": name, "set": set})).collect();
    json!({"count": rows.len(), "secrets": rows, "sealed_with": sealed_with(listing)})
}
