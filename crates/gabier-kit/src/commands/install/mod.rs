//! `install`: puts this program into the configuration of an MCP client, and takes it out again.

mod clients;
mod file;
mod text;

use clap::{Arg, ArgAction, ArgMatches, Command};
use gabier_tool::{Error, ErrorKind, Result};
use serde_json::{Value, json};
use similar::TextDiff;

use self::clients::{CLIENTS, Client, Scope};
use super::{Report, Site};

/// A server as clients are told of it.
enum Entry {
    /// A program that the client starts.
    Command { command: String, arguments: Vec<String> },
    /// A server that runs already.
    Http { url: String },
}

pub(crate) fn command() -> Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    Command::new("install")
        .about("Put this server into the configuration of an MCP client")
        .arg(
            Arg::new("client")
                .required(true)
                .value_parser(clap::builder::PossibleValuesParser::new(
                    CLIENTS.iter().map(|client| client.word),
                ))
                .help("The client"),
        )
        .arg(
            Arg::new("scope")
                .long("scope")
                .value_parser(["user", "project"])
                .default_value("user")
                .help("For all your work, or for the project in this folder"),
        )
        .arg(
            Arg::new("http")
                .long("http")
                .value_name("URL")
                .help("Reach a server that runs there, instead of starting one"),
        )
        .arg(Arg::new("profile").long("profile").help("The MCP profile that the client shows its model"))
        .arg(switch("dry-run", "Show what would change, without changing it").conflicts_with("print"))
        .arg(switch("print", "Print what belongs into the file, to put it there by hand"))
        .arg(switch("undo", "Take the server out again").conflicts_with_all(["print", "http", "profile"]))
}

pub(crate) fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    let word = matches.get_one::<String>("client").map_or("", String::as_str);
    let client = CLIENTS.iter().find(|client| client.word == word);
    let client = client.ok_or_else(|| Error::invalid("client", "is none that is known"))?;
    let scope = match matches.get_one::<String>("scope").map(String::as_str) {
        Some("project") => Scope::Project,
        _ => Scope::User,
    };
    let name = site.app.name;
    let server = if matches.get_flag("undo") { None } else { Some(client.form(&entry(matches)?)?) };
    if let (true, Some(server)) = (matches.get_flag("print"), &server) {
        return Ok(Report::text(text::with_server(client.format, "", client.key, name, Some(server))?));
    }

    let file = client.file(scope)?;
    let place = file.display().to_string();
    let before = file::read(&file)?;
    let old = before.as_deref().unwrap_or_default();
    let new = text::with_server(client.format, old, client.key, name, server.as_ref()).map_err(|error| {
        Error::new(error.kind(), format!("{place}: {}", error.message())).with_next(by_hand(site, word))
    })?;
    if new == old || (before.is_none() && server.is_none()) {
        return Ok(Report::data(json!({"client": client.title, "file": place, "changed": false})));
    }
    if matches.get_flag("dry-run") {
        let diff = TextDiff::from_lines(old, &new).unified_diff().header(&place, &place).to_string();
        return Ok(Report::text(diff));
    }
    let copy = file::replace(&file, &new)?;
    Ok(Report::data(changed(client, &place, copy.map(|copy| copy.display().to_string()))))
}

fn entry(matches: &ArgMatches) -> Result<Entry> {
    let profile = matches.get_one::<String>("profile");
    if let Some(url) = matches.get_one::<String>("http") {
        let mut url = url::Url::parse(url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| Error::invalid("http", "takes a URL such as http://127.0.0.1:8000/mcp"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid("http", "must hold no secret: other programs read that file"));
        }
        if let Some(profile) = profile {
            url.query_pairs_mut().append_pair("profile", profile);
        }
        return Ok(Entry::Http { url: url.into() });
    }
    let program = std::env::current_exe().map_err(|error| {
        Error::new(ErrorKind::Unavailable, "finding this program's own file").with_source(error)
    })?;
    let command = program.into_os_string().into_string().map_err(|path| {
        let path = path.display();
        Error::new(ErrorKind::NotAvailable, format!("installing {path}: its path is no text"))
    })?;
    let mut arguments = vec!["mcp".to_owned()];
    arguments.extend(profile.into_iter().flat_map(|profile| ["--profile".to_owned(), profile.clone()]));
    Ok(Entry::Command { command, arguments })
}

fn changed(client: &Client, place: &str, copy: Option<String>) -> Value {
    let mut data = json!({"client": client.title, "file": place, "changed": true, "next": client.then});
    if let Some(copy) = copy {
        data["copy_of_before"] = copy.into();
    }
    data
}

fn by_hand(site: &Site<'_>, client: &str) -> String {
    format!("mend the file, or `{} install {client} --print` and put it in by hand", site.app.name)
}
