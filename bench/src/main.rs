//! Benchmarks against named yardsticks: the same tool on gabier and on the servers people know, in one run.

mod bare_rmcp;
mod contestant;
mod figures;
mod gabier_echo;
mod goals;
mod http_load;
mod measure;
mod process;
mod report;
mod request;
mod ssh;
mod stdio_load;
mod tasks;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueEnum, value_parser};
use tokio::signal::unix::{SignalKind, signal};

use measure::Plan;
use report::Report;

fn main() -> Result<ExitCode> {
    // Called by that name this program is the echo server on gabier-kit, with the kit's own command line.
    if std::env::args().next().is_some_and(|name| name == gabier_echo::NAME) {
        return Ok(gabier_echo::run());
    }
    let matches = command_line().get_matches();
    match matches.subcommand() {
        Some(("mcp", flags)) => mcp(flags),
        Some(("tasks", flags)) => tasks(flags),
        Some(("ssh", flags)) => ssh(flags),
        Some(("bare-rmcp", flags)) => serve_bare_rmcp(flags),
        _ => bail!("see --help"),
    }
}

fn command_line() -> Command {
    let number = |name, default, help| {
        Arg::new(name).long(name).default_value(default).value_parser(value_parser!(u32)).help(help)
    };
    let json = Arg::new("json")
        .long("json")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Keep all figures");
    let mcp = Command::new("mcp")
        .about("An echo tool over MCP: gabier, bare rmcp, Python FastMCP, TypeScript SDK")
        .arg(number("rounds", "7", "Alternating rounds; every figure is their median"))
        .arg(number("millis", "1500", "Length of one HTTP round of one server"))
        .arg(number("connections", "8", "Keep-alive connections, one call in flight on each"))
        .arg(number("stdio-calls", "300", "Calls to each stdio process"))
        .arg(json.clone());
    let tasks = Command::new("tasks")
        .about("Tasks that do nothing: the embedded store, Redis, and BullMQ on Node on the same Redis")
        .arg(number("rounds", "5", "Alternating rounds; every figure is their median"))
        .arg(number("tasks", "10000", "Tasks of a phase; the phases with one at a time take a tenth"))
        .arg(number("history", "1000000", "Ended tasks of the long history; 0 leaves it out"))
        .arg(
            Arg::new("engine")
                .long("engine")
                .action(ArgAction::Append)
                .value_parser(["embedded", "bullmq", "redis"])
                .help("Measure these engines alone"),
        )
        .arg(json.clone());
    let ssh = Command::new("ssh")
        .about("Hosts: the shipped binary, OpenSSH's programs, rsync, ssh2 on Node and asyncssh on one sshd")
        .arg(number("rounds", "5", "Alternating rounds; every figure is their median"))
        .arg(number("calls", "200", "Commands of a round that follow each other"))
        .arg(
            Arg::new("rows")
                .long("rows")
                .value_delimiter(',')
                .value_parser(value_parser!(ssh::Row))
                .help("What to measure; everything when absent"),
        )
        .arg(json);
    let bare_rmcp = Command::new("bare-rmcp")
        .about("Be the echo server on rmcp alone; the runs start it")
        .hide(true)
        .arg(Arg::new("port").value_parser(value_parser!(u16)));
    Command::new("gabier-bench")
        .about("Benchmarks against named yardsticks")
        .subcommand_required(true)
        .subcommands([mcp, tasks, ssh, bare_rmcp])
}

fn mcp(flags: &ArgMatches) -> Result<ExitCode> {
    let number = |name| flags.get_one::<u32>(name).copied().unwrap_or_default();
    let plan = Plan {
        rounds: number("rounds") as usize,
        round: Duration::from_millis(number("millis").into()),
        connections: number("connections") as usize,
        stdio_calls: number("stdio-calls").into(),
    };
    let home = tempfile::tempdir()?;
    let contestants = contestant::all()?;
    // One thread for the client leaves the other core to the server under load.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let http = runtime.block_on(measure::http(&plan, &contestants, home.path()))?;
    let stdio = measure::stdio(&plan, &contestants, home.path())?;
    let shipped = runtime.block_on(measure::shipped(&plan, home.path()))?;
    let goals = goals::weigh(&http, &stdio, &shipped);
    let report = Report { http, stdio, shipped, goals };
    report.print()?;
    if let Some(file) = flags.get_one::<PathBuf>("json") {
        report.save(file)?;
    }
    let reached = report.goals.iter().all(|goal| goal.reached);
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Both cores are the engine's here: its client is in the same process, as that of BullMQ is.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn tasks(flags: &ArgMatches) -> Result<ExitCode> {
    let number = |name| flags.get_one::<u32>(name).copied().unwrap_or_default();
    let plan = tasks::Plan {
        rounds: number("rounds") as usize,
        tasks: number("tasks"),
        history: number("history"),
        engines: flags.get_many::<String>("engine").into_iter().flatten().cloned().collect(),
    };
    let home = tempfile::tempdir()?;
    let json = flags.get_one::<PathBuf>("json").map(PathBuf::as_path);
    let reached = tasks::run(&plan, home.path(), json).await?;
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The lines between clients and server are carried by this process too.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn ssh(flags: &ArgMatches) -> Result<ExitCode> {
    let number = |name| flags.get_one::<u32>(name).copied().unwrap_or_default();
    let rows = flags.get_many::<ssh::Row>("rows");
    let plan = ssh::Plan {
        rounds: number("rounds") as usize,
        calls: number("calls"),
        rows: rows.map_or_else(|| ssh::Row::value_variants().to_vec(), |rows| rows.copied().collect()),
    };
    let home = tempfile::tempdir()?;
    let json = flags.get_one::<PathBuf>("json").map(PathBuf::as_path);
    let mut ended = signal(SignalKind::terminate())?;
    // Whoever gives up leaves no server behind: what was started ends when its value is dropped.
    let reached = tokio::select! {
        reached = ssh::run(&plan, home.path(), json) => reached?,
        _ = ended.recv() => bail!("ended by a signal"),
        _ = tokio::signal::ctrl_c() => bail!("ended by a signal"),
    };
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[tokio::main]
async fn serve_bare_rmcp(flags: &ArgMatches) -> Result<ExitCode> {
    bare_rmcp::serve(flags.get_one::<u16>("port").copied()).await?;
    Ok(ExitCode::SUCCESS)
}
