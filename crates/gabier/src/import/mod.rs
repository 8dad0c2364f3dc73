//! `import`: the hosts, APIs and history of the MCP orchestrator, and the hosts of `ssh_config`.

mod found;
mod history;
mod keys;
mod orchestrator;
mod plan;
mod ssh_config;

use std::path::{Path, PathBuf};

use etcetera::home_dir;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use gabier_kit::clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use gabier_kit::queue::{Carried, Task};
use gabier_kit::{OwnCommand, Setup};
use gabier_ssh::trust::Local;
use gabier_tool::{Error, ErrorKind, Result, iso};
use gabier_toolbox::apis;
use gabier_toolbox::hosts::Hosts;
use serde_json::{Value, json};

use crate::fleet::{self, Known};
use found::{Fault, Found, Refused};
use keys::Keys;
use plan::{Did, Plan, Present, Wish};

/// Where the orchestrator keeps its files, below the home directory.
const FOLDER: &str = ".config/mcp-orchestrator";

/// The command.
pub(crate) struct Import;

impl OwnCommand for Import {
    fn command(&self) -> Command {
        let switch = |name: &'static str, help: &'static str| {
            Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
        };
        Command::new("import")
            .about("Take hosts, APIs and history from the MCP orchestrator, and hosts from ssh_config")
            .long_about(
                "Take hosts, APIs and history from the MCP orchestrator (servers.json, apis.json, queue.json, \
                 history.json), and hosts from ssh_config. Passwords, passphrases and keys of APIs go to the vault. \
                 Nothing is connected: the first use of a host records its key. What is there already is skipped, so \
                 that the command may be given again.",
            )
            .arg(
                Arg::new("source")
                    .value_parser(["orchestrator", "ssh-config"])
                    .help("Where from; from both when absent"),
            )
            .arg(
                Arg::new("from")
                    .long("from")
                    .value_name("PATH")
                    .requires("source")
                    .value_parser(value_parser!(PathBuf))
                    .help("The orchestrator's data directory, or the file; the usual ones otherwise"),
            )
            .arg(
                Arg::new("only")
                    .long("only")
                    .value_name("NAMES")
                    .value_delimiter(',')
                    .help("Only these hosts and APIs, and the hosts on the way to them"),
            )
            .arg(switch("replace", "Change what is there already, instead of skipping it"))
            .arg(switch("dry-run", "Show what would be done, without doing it"))
    }

    fn run<'a>(&'a self, setup: &'a Setup<'a>, matches: &'a ArgMatches) -> BoxFuture<'a, Result<Value>> {
        import(setup, matches).boxed()
    }

    fn exit_code(&self, data: &Value) -> u8 {
        if data["refused"].as_array().is_some_and(|refused| !refused.is_empty()) { 3 } else { 0 }
    }
}

async fn import(setup: &Setup<'_>, matches: &ArgMatches) -> Result<Value> {
    let found = read(setup, matches)?;
    if found.files.is_empty() {
        return Err(Error::not_found("importing: there are no files to read")
            .with_next("name the source and its place: gabier import orchestrator --from FOLDER"));
    }
    let hosts = fleet::open(setup, &Known::default())?;
    let present = Present { hosts: hosts.inventory.list().await?, apis: apis::aliases(&hosts).await? };
    let wish = Wish {
        only: matches.get_many::<String>("only").map(|names| names.cloned().collect()),
        replace: matches.get_flag("replace"),
    };
    let mut plan = Plan::of(found, &present, &wish)?;
    let tasks_found = plan.tasks.len();
    plan.tasks = news(setup, std::mem::take(&mut plan.tasks)).await?;
    let is_trial = matches.get_flag("dry-run");
    if !is_trial && !plan.is_empty() {
        setup.agree(&plan.lines(), "Shall all this be done?")?;
        carry_out(&mut plan, setup, &hosts).await?;
    }
    Ok(report(&plan, is_trial, tasks_found))
}

fn read(setup: &Setup<'_>, matches: &ArgMatches) -> Result<Found> {
    let home = home_dir().map_err(|error| {
        Error::new(ErrorKind::Unavailable, "finding the home directory").with_source(error)
    })?;
    let keys =
        Keys { home: home.clone(), roots: setup.settings::<fleet::Section>()?.ssh.resolved().key_roots };
    let source = matches.get_one::<String>("source").map(String::as_str);
    let from = matches.get_one::<PathBuf>("from");
    let mut found = Found::default();
    if source != Some("ssh-config") {
        let folder = from.cloned().unwrap_or_else(|| home.join(FOLDER));
        orchestrator::read(&folder, &keys, &mut found)?;
    }
    if source != Some("orchestrator") {
        let user = user(&setup.user.subject, &home);
        ssh_config::read(from.map(PathBuf::as_path), &Local { home, user }, &keys, &mut found)?;
    }
    Ok(found)
}

/// The name of the user who runs this, as a login name: that of the account, or else of the home directory.
fn user(subject: &str, home: &Path) -> String {
    let id = subject.rsplit(':').next().unwrap_or_default();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = accounts.lines().find(|line| line.split(':').nth(2) == Some(id));
    let name = account.and_then(|line| line.split(':').next().map(str::to_owned));
    name.unwrap_or_else(|| {
        home.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    })
}

/// The tasks that are not here yet, as this user's own.
async fn news(setup: &Setup<'_>, tasks: Vec<Task>) -> Result<Vec<Task>> {
    let mut news = Vec::new();
    if tasks.is_empty() {
        return Ok(news);
    }
    let queue = setup.queue()?;
    for mut task in tasks {
        if queue.get(&task.asked.id).await.map_err(broken)?.is_none() {
            task.asked.owner = setup.user.subject.to_string();
            news.push(task);
        }
    }
    Ok(news)
}

/// Does it: each host and each API as a whole or not at all.
async fn carry_out(plan: &mut Plan, setup: &Setup<'_>, hosts: &Hosts) -> Result<()> {
    let now = iso(setup.clock.now());
    for (host, did) in std::mem::take(&mut plan.hosts) {
        match hosts.adopt(&host.alias, &host.known, &now).await {
            Ok(_) => plan.hosts.push((host, did)),
            Err(error) => {
                plan.refused.push(Refused {
                    file: host.file,
                    record: host.alias.to_string(),
                    fault: Fault::of(&error),
                });
            }
        }
    }
    for (api, did) in std::mem::take(&mut plan.apis) {
        match api.known.adopt(hosts, &now).await {
            Ok(()) => plan.apis.push((api, did)),
            Err(error) => {
                plan.refused.push(Refused { file: api.file, record: api.alias, fault: Fault::of(&error) });
            }
        }
    }
    if !plan.tasks.is_empty() {
        let tasks = plan.tasks.iter().cloned().map(Carried::from).collect();
        setup.queue()?.import(tasks).await.map_err(broken)?;
    }
    Ok(())
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Unavailable, "putting tasks into the history").with_source(error)
}

fn report(plan: &Plan, is_trial: bool, tasks_found: usize) -> Value {
    let word = |did: &Did| match (did, is_trial) {
        (Did::Add, true) => "would be added",
        (Did::Add, false) => "added",
        (Did::Change, true) => "would be changed",
        (Did::Change, false) => "changed",
    };
    let hosts: Vec<Value> = plan
        .hosts
        .iter()
        .map(|(host, did)| {
            json!({
                "alias": host.alias.as_str(), "did": word(did), "address": host.address(), "auth": host.auth(),
                "jump": host.known.change.jump.as_ref().map(ToString::to_string), "notes": host.notes,
            })
        })
        .collect();
    let apis: Vec<Value> = plan
        .apis
        .iter()
        .map(|(api, did)| json!({"alias": api.alias, "did": word(did), "url": api.url, "auth": api.auth}))
        .collect();
    let skipped: Vec<Value> = plan
        .skipped
        .iter()
        .map(|skipped| json!({"kind": skipped.kind, "alias": skipped.alias, "why": skipped.why}))
        .collect();
    let refused: Vec<Value> = plan
        .refused
        .iter()
        .map(|refused| {
            json!({
                "file": refused.file.display().to_string(), "record": refused.record,
                "field": refused.fault.field, "why": refused.fault.why,
            })
        })
        .collect();
    json!({
        "dry_run": is_trial,
        "files": plan.files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>(),
        "hosts": hosts,
        "apis": apis,
        "tasks": {"new": plan.tasks.len(), "there_already": tasks_found - plan.tasks.len()},
        "skipped": skipped,
        "refused": refused,
    })
}
