//! The commands of every server: one file each.

mod admin;
mod completions;
mod config;
mod doctor;
mod init;
mod install;
mod man;
mod mcp;
mod openapi;
mod reference;
mod serve;
mod shell;
mod site;
mod store;
mod token;
mod tools;
mod vault;
mod version;
mod webhook;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, Command};
use gabier_store::Records;
use gabier_term::{Cli, Parsed};
use gabier_tool::{Error, ErrorKind, Result, Surface};
use serde_json::Map;

pub(crate) use site::{Report, Site};

use crate::app::{App, Person, Setup};

/// Short forms of tools that every server has.
const SHORT: [(&str, &str); 2] = [("health", "system_health"), ("about", "system_about")];

/// The commands that run until somebody ends them.
const SERVERS: [&str; 3] = ["serve", "mcp", "worker"];

/// The commands as the command line knows them.
fn all() -> Vec<Command> {
    let short = SHORT.map(|(short, tool)| Command::new(short).about(format!("Short for {tool}")));
    let own = [
        serve::command(),
        mcp::command(),
        worker::command(),
        init::command(),
        install::command(),
        doctor::command(),
        config::command(),
        token::command(),
        admin::command(),
        vault::command(),
        store::command(),
        webhook::command(),
        tools::command(),
        openapi::command(),
        completions::command(),
        man::command(),
        reference::command(),
        version::command(),
    ];
    own.into_iter().chain(short).collect()
}

/// Reads the command line and does what it says.
pub(crate) fn run(app: &App) -> ExitCode {
    let site = Site::of_process(app);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = Error::internal("starting the runtime").with_source(error);
            return ExitCode::from(site.terminal.fail(error, &site.globals));
        }
    };
    let code = runtime.block_on(carry_out(&site));
    // A reader of standard input that still waits must not hold the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}

async fn carry_out(site: &Site<'_>) -> u8 {
    if let Some((name, matches)) = server_command(site) {
        return match command(site, &name, &matches, &Cli::new(site.about(), Vec::new())).await {
            Ok(report) => show(site, &report),
            Err(error) => site.terminal.fail(error, &site.globals),
        };
    }
    let backend = site.backend(Surface::Cli).await;
    let tools = match &backend {
        Ok(backend) => backend.tools().await,
        Err(_) => Ok(Vec::new()),
    };
    let cli = Cli::new(site.about(), tools.as_ref().map(Vec::clone).unwrap_or_default())
        .completers(site.app.completers.clone());
    let own = site.app.commands.iter().map(|own| own.command());
    let cli = all().into_iter().chain(own).fold(cli, Cli::command);
    match completions::answer(site, &cli) {
        Ok(None) => {}
        Ok(Some(text)) => {
            site.terminal.print(&text);
            return 0;
        }
        Err(error) => return site.terminal.fail(error, &site.globals),
    }
    // Why the list of tools is missing explains more than a word that is unknown for want of it.
    let missing = backend.as_ref().err().or(tools.as_ref().err()).map(shared);
    match cli.parse(&site.argv, &site.terminal) {
        Parsed::Exit { text, code } => {
            site.terminal.print(&text);
            code
        }
        Parsed::Command { name, globals, .. } if SHORT.iter().any(|(short, _)| *short == name) => {
            match backend {
                Ok(backend) => {
                    let tool = SHORT.iter().find(|(short, _)| *short == name).map_or("", |(_, tool)| tool);
                    cli.call(&site.terminal, &*backend, (tool, Map::new()), &globals).await
                }
                Err(error) => site.terminal.fail(error, &globals),
            }
        }
        Parsed::Command { name, matches, .. } => match command(site, &name, &matches, &cli).await {
            Ok(report) => show(site, &report),
            Err(error) => site.terminal.fail(error, &site.globals),
        },
        Parsed::Tool { name, arguments, globals } => match backend {
            Ok(backend) => cli.call(&site.terminal, &*backend, (&name, arguments), &globals).await,
            Err(error) => site.terminal.fail(error, &globals),
        },
        Parsed::Shell { globals } => shell::run(site, &cli, &globals).await,
        Parsed::Failed { error, globals } => site.terminal.fail(missing.unwrap_or(error), &globals),
    }
}

/// A command that starts a server, read without the list of tools: a server need not hold what only a command line
/// uses. Whatever else stands there, help and mistakes included, is for the whole command line to judge.
fn server_command(site: &Site<'_>) -> Option<(String, ArgMatches)> {
    let is_server = site.argv.get(1).is_some_and(|word| SERVERS.iter().any(|server| word == server));
    if !is_server || completions::asked(site) {
        return None;
    }
    let servers = [serve::command(), mcp::command(), worker::command()];
    let cli = servers.into_iter().fold(Cli::new(site.about(), Vec::new()), Cli::command);
    match cli.parse(&site.argv, &site.terminal) {
        Parsed::Command { name, matches, .. } => Some((name, matches)),
        _ => None,
    }
}

/// The same failure once more: errors are not cloned, as their causes are not.
fn shared(error: &Error) -> Error {
    let again = Error::new(error.kind(), error.message());
    let again = error.details().iter().fold(again, |again, (key, value)| again.with(key, value.clone()));
    match error.next() {
        Some(next) => again.with_next(next),
        None => again,
    }
}

fn show(site: &Site<'_>, report: &Report) -> u8 {
    match report {
        Report::Done => 0,
        Report::Text(text) => {
            site.terminal.print(text);
            0
        }
        Report::Answer(answer) => site.terminal.show(answer, &site.globals),
    }
}

/// A command of the app.
async fn own(site: &Site<'_>, name: &str, matches: &ArgMatches) -> Result<Report> {
    let found = site.app.commands.iter().find(|own| own.command().get_name() == name);
    let command =
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no command {name:?}")))?;
    let loaded = site.loaded()?;
    let wired = site.wire(loaded, "cli", None)?;
    let records: Arc<dyn Records> = Arc::clone(&wired.store) as _;
    let setup = Setup {
        loaded,
        egress: &wired.egress,
        data_dir: &wired.data_dir,
        records: &records,
        clock: &wired.clock,
        vault: &wired.vault,
        user: &wired.access.os_user(),
        store: &wired.store,
        person: Some(Person { terminal: &site.terminal, globals: &site.globals }),
    };
    let data = command.run(&setup, matches).await?;
    let code = command.exit_code(&data);
    Ok(Report::data(data).with_exit(code))
}

async fn command(site: &Site<'_>, name: &str, matches: &ArgMatches, cli: &Cli) -> Result<Report> {
    match name {
        // What a server holds is large; the other commands need not move it.
        "serve" => Box::pin(serve::run(site, matches)).await,
        "mcp" => mcp::run(site, matches).await,
        "worker" => worker::run(site, matches).await,
        "init" => init::run(site, matches),
        "install" => install::run(site, matches),
        "doctor" => doctor::run(site).await,
        "config" => config::run(site, matches),
        "token" => token::run(site, matches).await,
        "admin" => admin::run(site, matches).await,
        "vault" => vault::run(site, matches).await,
        "store" => Box::pin(store::run(site, matches)).await,
        "webhook" => webhook::run(site, matches).await,
        "tools" => tools::run(site, matches).await,
        "openapi" => openapi::run(site),
        "completions" => completions::run(site, matches),
        "man" => man::run(cli, matches),
        "reference" => reference::run(site, matches, cli),
        "version" => Ok(version::run(site, matches)),
        other => own(site, other, matches).await,
    }
}
