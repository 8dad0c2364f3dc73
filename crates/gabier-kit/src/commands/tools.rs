//! `tools`: what there is, what it costs a model, and a fingerprint of it.

use clap::{Arg, ArgAction, ArgMatches, Command};
use gabier_tool::{Error, Result, Surface};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::commands::{Report, Site};

pub(crate) fn command() -> Command {
    Command::new("tools")
        .about("List the tools, what they cost a model, or a fingerprint of their definitions")
        .arg(Arg::new("profile").long("profile").value_name("PROFILE").help("The MCP profile to look at"))
        .arg(
            Arg::new("tokens")
                .long("tokens")
                .action(ArgAction::SetTrue)
                .conflicts_with("hash")
                .help("What each tool costs in tools/list: tokens = bytes / 4"),
        )
        .arg(
            Arg::new("hash")
                .long("hash")
                .action(ArgAction::SetTrue)
                .help("SHA-256 of all definitions, to notice when one changes"),
        )
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    if site.is_remote()? {
        return remote(site, matches).await;
    }
    let wired = site.wire(site.loaded()?, "cli", None)?;
    let caller = wired.identify(Surface::Cli).await?;
    let chosen = matches.get_one::<String>("profile").map(String::as_str);
    let profile = chosen.unwrap_or(if matches.get_flag("tokens") { "core" } else { "all" });
    let mcp = wired.mcp(site.app, profile)?;
    let list = mcp.list_json(&caller, profile);
    if matches.get_flag("hash") {
        let digest = Sha256::digest(list.to_string());
        let hex = digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        return Ok(Report::data(json!({"profile": profile, "sha256": hex})));
    }
    if matches.get_flag("tokens") {
        return Ok(Report::data(tokens(profile, &list)));
    }
    let rows: Vec<Value> = wired
        .dispatch
        .listed(&caller, profile)
        .map(|entry| {
            json!({
                "name": entry.facts.name, "toolset": entry.toolset, "effect": entry.facts.effect.name(),
                "summary": entry.schemas().summary,
            })
        })
        .collect();
    Ok(Report::data(json!({"tools": rows})))
}

/// The tools of the server that is named; what they cost a model is asked of that server's own installation.
async fn remote(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    for flag in ["tokens", "hash"] {
        if matches.get_flag(flag) {
            return Err(Error::invalid(
                flag,
                "is for the tools of this machine: run it there, without --url",
            ));
        }
    }
    let tools = site.backend(Surface::Cli).await?.tools().await?;
    let rows: Vec<Value> = tools
        .iter()
        .map(|tool| {
            json!({
                "name": tool.name, "toolset": tool.toolset, "effect": tool.effect, "summary": tool.summary,
            })
        })
        .collect();
    Ok(Report::data(json!({"tools": rows})))
}

/// The cost of a list, as agents.md §4 counts it.
pub(crate) fn tokens(profile: &str, list: &Value) -> Value {
    let tools = list.get("tools").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let rows: Vec<Value> = tools
        .iter()
        .map(|tool| json!({"name": tool["name"], "tokens": tool.to_string().len() / 4}))
        .collect();
    json!({"profile": profile, "tools": rows, "count": tools.len(), "total": list.to_string().len() / 4})
}
