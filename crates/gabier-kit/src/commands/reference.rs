//! `reference`: the generated documents of a list of tools, for whoever keeps them in a repository.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command, value_parser};
use gabier_term::Cli;
use gabier_tool::schema::Kind;
use gabier_tool::{Entry, Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::commands::{Report, Site};
use crate::config::{Loaded, VARIABLES, VariableUse};
use crate::wiring::Wired;

pub(crate) fn command() -> Command {
    Command::new("reference")
        .hide(true)
        .about(
            "Write tools.md, cli.md, config.md, openapi.json, mcp-tools.json and .env.example into a folder",
        )
        .arg(Arg::new("folder").required(true).value_parser(value_parser!(PathBuf)).help("Where to write"))
}

pub(crate) fn run(site: &Site<'_>, matches: &ArgMatches, cli: &Cli) -> Result<Report> {
    let folder = matches.get_one::<PathBuf>("folder").cloned().unwrap_or_default();
    let loaded = site.loader().defaults()?;
    let wired = site.wire(&loaded, "cli", None)?;
    wired.lint()?;
    let files = [
        ("tools.md", tools(site, &wired)),
        ("cli.md", commands(site, cli)),
        ("config.md", settings(site, &loaded)),
        (".env.example", example(site, &loaded)),
        ("openapi.json", pretty(&wired.openapi(site.app))?),
        ("mcp-tools.json", pretty(&mcp_tools(site, &wired)?)?),
    ];
    std::fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    for (name, text) in &files {
        let file = folder.join(name);
        std::fs::write(&file, text).map_err(|error| failed(&file, &error))?;
    }
    Ok(Report::data(json!({"files": files.iter().map(|(name, _)| *name).collect::<Vec<_>>()})))
}

fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, format!("writing {}: {error}", path.display()))
}

fn pretty(value: &Value) -> Result<String> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Error::internal("writing JSON").with_source(error))
}

/// What MCP lists in each profile that has a budget.
fn mcp_tools(site: &Site<'_>, wired: &Wired) -> Result<Value> {
    let mcp = wired.mcp(site.app, "core")?;
    let caller = wired.access.os_user();
    Ok(
        json!({"core": mcp.list_json(&caller, "core")["tools"], "lean": mcp.list_json(&caller, "lean")["tools"]}),
    )
}

fn tools(site: &Site<'_>, wired: &Wired) -> String {
    let mut text = format!("# Tools\n\nEvery tool of {}, by toolset. Generated.\n", site.app.name);
    let mut toolset = "";
    for entry in wired.dispatch.catalog().iter() {
        if entry.toolset != toolset {
            toolset = entry.toolset;
            let _ = write!(text, "\n## {toolset}\n");
        }
        tool(&mut text, entry);
    }
    text
}

fn tool(text: &mut String, entry: &Entry) {
    let facts = &entry.facts;
    let needs: Vec<&str> = facts.needs.iter().map(|need| need.name()).collect();
    let _ = write!(text, "\n### {}\n\n{}\n\n", facts.name, entry.schemas().description);
    let _ = writeln!(
        text,
        "effect {} · needs {} · {} · profile {}",
        facts.effect.name(),
        needs.join(" or "),
        word(&json!(facts.mode)),
        word(&json!(facts.profile)),
    );
    if !facts.aliases.is_empty() {
        let _ = writeln!(text, "\nAlso called {}.", facts.aliases.join(", "));
    }
    if !entry.params().is_empty() {
        text.push_str("\n| parameter | takes | default | |\n|---|---|---|---|\n");
    }
    for param in entry.params() {
        let name = param.path.join(".");
        let name = if param.required { format!("**{name}**") } else { name };
        let default = param.default.as_ref().map(word).unwrap_or_default();
        let _ =
            writeln!(text, "| {name} | {} | {} | {} |", kind(&param.kind), cell(&default), cell(&param.help));
    }
    let results = entry.schemas().output.get("properties").and_then(Value::as_object);
    let names: Vec<String> = results.into_iter().flatten().map(|(name, _)| format!("`{name}`")).collect();
    let _ = writeln!(text, "\nGives {}.", names.join(", "));
}

fn commands(site: &Site<'_>, cli: &Cli) -> String {
    let mut text = format!("# Command line\n\nEvery command of {}. Generated.\n", site.app.name);
    let mut tree = cli.tree();
    tree.build();
    let mut path = vec![site.app.name.to_owned()];
    for command in tree.get_subcommands() {
        page(&mut text, command, &mut path);
    }
    text
}

fn page(text: &mut String, command: &Command, path: &mut Vec<String>) {
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    path.push(command.get_name().to_owned());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = write!(text, "\n## `{}`\n\n{about}\n", path.join(" "));
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| !arg.is_global_set() && !arg.is_hide_set() && arg.get_id() != "help")
        .collect();
    if !own.is_empty() {
        text.push('\n');
    }
    for arg in own {
        let name = match arg.get_long() {
            Some(long) => format!("--{long}"),
            None => format!("<{}>", arg.get_id().as_str().to_uppercase()),
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "- `{name}`: {}", help.replace('\n', " "));
    }
    for inner in command.get_subcommands() {
        page(text, inner, path);
    }
    path.pop();
}

fn settings(site: &Site<'_>, loaded: &Loaded) -> String {
    let mut text = format!(
        "# Configuration\n\nEvery setting of {}, with its variables; the first that is set wins. Generated.\n\n\
         | key | takes | default | variables | |\n|---|---|---|---|---|\n",
        site.app.name,
    );
    for (param, names) in loaded.variables() {
        let default = param.default.as_ref().map(word).unwrap_or_default();
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} |",
            param.path.join("."),
            kind(&param.kind),
            cell(&default),
            names.join(" "),
            cell(&param.help),
        );
    }
    text.push_str("\n## Without effect\n\nKnown variables that do nothing here; `config check` says so.\n\n");
    for variable in VARIABLES {
        if let VariableUse::Idle(reason) = variable.usage {
            let _ = writeln!(text, "- `{}`: {reason}", variable.name);
        }
    }
    text
}

fn example(site: &Site<'_>, loaded: &Loaded) -> String {
    let mut text =
        format!("# Variables of {}. Take the # away from what you set. Generated.\n", site.app.name);
    for (param, names) in loaded.variables() {
        let Some(name) = names.first() else { continue };
        let default = param.default.as_ref().map(word).unwrap_or_default();
        let _ = write!(text, "\n# {}\n#{name}={default}\n", param.help.replace('\n', " "));
    }
    text
}

fn kind(kind: &Kind) -> String {
    match kind {
        Kind::Bool => "true or false".to_owned(),
        Kind::Int { min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            (Some(min), None) => format!("whole number from {min}"),
            _ => "whole number".to_owned(),
        },
        Kind::Num => "number".to_owned(),
        Kind::Str { .. } => "text".to_owned(),
        Kind::Enum(words) => words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(" "),
        Kind::List(item) => format!("list of {}", self::kind(item)),
        Kind::Map(_) => "names and values".to_owned(),
        Kind::Record(_) | Kind::Json => "JSON".to_owned(),
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
