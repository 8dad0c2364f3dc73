//! `config`: show, check, edit.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches, Command};
use gabier_tool::{Block, Cell, Column, Error, ErrorKind, Result, Tone, View};
use serde_json::{Value, json};

use crate::commands::{Report, Site};
use crate::config::{Loaded, Origin};

pub(crate) fn command() -> Command {
    Command::new("config")
        .about("Show, check or edit the configuration")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("show").about("Every setting as it is").arg(
                Arg::new("origin")
                    .long("origin")
                    .action(ArgAction::SetTrue)
                    .help("Tell where each value is from"),
            ),
        )
        .subcommand(
            Command::new("check")
                .about("Tell what is wrong or without effect; exit 1 when something is wrong"),
        )
        .subcommand(Command::new("edit").about("Open the user's file in $VISUAL or $EDITOR, then check it"))
}

pub(crate) fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    match matches.subcommand() {
        Some(("show", inner)) => Ok(show(site.loaded()?, inner.get_flag("origin"))),
        Some(("edit", _)) => edit(site),
        _ => Ok(check(site)),
    }
}

fn show(loaded: &Loaded, with_origin: bool) -> Report {
    let rows = loaded.rows();
    let data: Vec<Value> = rows
        .iter()
        .map(|(key, value, origin)| {
            let mut row = json!({"key": key, "value": value});
            if with_origin {
                row["origin"] = origin.to_string().into();
            }
            row
        })
        .collect();
    let mut columns = vec!["key", "value"];
    if with_origin {
        columns.push("origin");
    }
    let cells = rows.into_iter().map(|(key, value, origin)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let tone = if origin == Origin::Default { Tone::Muted } else { Tone::Strong };
        let mut row: Vec<Cell> = vec![key.into(), Cell::toned(text, tone)];
        if with_origin {
            row.push(origin.to_string().into());
        }
        row
    });
    let columns = columns.into_iter().map(|label| Column { label: label.to_owned(), right: false }).collect();
    let view = View::block(Block::Table { title: None, columns, rows: cells.collect() });
    Report::shown(json!({"settings": data}), view)
}

fn check(site: &Site<'_>) -> Report {
    let (errors, mut warnings) = match site.loaded() {
        Ok(loaded) => (weak(site), loaded.warnings.clone()),
        Err(error) => (error.message().lines().map(str::to_owned).collect(), Vec::new()),
    };
    warnings.extend(short(site));
    let exit = u8::from(!errors.is_empty());
    let data = json!({"ok": errors.is_empty(), "errors": errors, "warnings": warnings});
    Report::data(data).with_exit(exit)
}

/// Tokens and secrets that a server would refuse to start with.
fn weak(site: &Site<'_>) -> Vec<String> {
    tokens(site)
        .into_iter()
        .filter_map(|(field, token)| gabier_access::Bootstrap::token(field, &token).err())
        .map(|error| error.message().to_owned())
        .collect()
}

/// Tokens that a server would warn of.
fn short(site: &Site<'_>) -> Vec<String> {
    tokens(site)
        .into_iter()
        .filter_map(|(field, token)| gabier_access::Bootstrap::token(field, &token).ok()?.warning())
        .collect()
}

fn tokens(site: &Site<'_>) -> Vec<(&'static str, secrecy::SecretString)> {
    let Ok(config) = site.loaded().and_then(Loaded::config) else { return Vec::new() };
    [
        ("AUTH_TOKEN", config.auth.token),
        ("ADMIN_BOOTSTRAP_KEY", config.auth.admin_bootstrap_key),
        ("WEBHOOK_SECRET", config.tasks.webhooks.secret),
    ]
    .into_iter()
    .filter_map(|(field, token)| Some((field, token?.to_secret_string())))
    .collect()
}

fn edit(site: &Site<'_>) -> Result<Report> {
    let file = site.config_file();
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| site.environment(name)).ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidArgument,
            format!("opening {}: neither $VISUAL nor $EDITOR is set", file.display()),
        )
    })?;
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(&file, &error))?;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the command line may open the user's editor; no server does"
    )]
    let status =
        std::process::Command::new(editor).arg(&file).status().map_err(|error| failed(&file, &error))?;
    if !status.success() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the editor of {} ended with a failure", file.display()),
        ));
    }
    Ok(check(&site.reloaded()))
}

fn failed(file: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("opening {}: {error}", file.display()))
}
