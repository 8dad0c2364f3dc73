//! `serve`: every face over HTTP, until a signal ends it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use gabier_tool::{Error, ErrorKind, Result, Surface};
use gabier_web::{Metrics, Reload, TlsFiles, Web, WebOptions};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::commands::{Report, Site};
use crate::config::{Server, Transport};
use crate::wiring::Wired;

/// How often last uses of tokens are written.
const TEND: Duration = Duration::from_mins(1);

/// How soon a store that does not answer is asked again for its settings.
const AGAIN: Duration = Duration::from_secs(5);

pub(crate) fn command() -> Command {
    Command::new("serve")
        .about("Serve MCP, REST and the API pages over HTTP")
        .args(super::site::setting_flags("server"))
        .arg(
            Arg::new("no-worker")
                .long("no-worker")
                .action(ArgAction::SetTrue)
                .help("Leave tasks to `worker` processes that share the store"),
        )
}

pub(crate) async fn run(site: &Site<'_>, matches: &ArgMatches) -> Result<Report> {
    raise_descriptors();
    let metrics = Metrics::new(site.app.name, site.app.version);
    let loaded = site.loaded_with("server", matches)?;
    // Other processes see by the role who runs tasks.
    let role = if matches.get_flag("no-worker") { "front" } else { "serve" };
    let wired = site.wire(&loaded, role, Some(&metrics))?;
    wired.may_start()?;
    let shutdown = CancellationToken::new();
    stop_on_signal(&shutdown);
    for warning in wired.warnings.iter().chain(&loaded.warnings) {
        tracing::warn!("{warning}");
    }
    if wired.config.server.transport == Transport::Stdio {
        return stdio(site.app, &wired, shutdown).await;
    }
    let profile = &wired.config.server.profile;
    let mcp = wired.mcp(site.app, profile).map_err(|error| site.configured(error))?;
    let options = options(site.app, &wired).map_err(|error| site.configured(error))?;
    let web = Web::new(options, Arc::clone(&wired.dispatch), Arc::clone(&wired.health), metrics)
        .map_err(|error| site.configured(error))?
        .mount(mcp.router(shutdown.clone()));
    if let Some(certificate) = web.certificate() {
        reload_on_signal(certificate);
    }
    let bound = web.bind().await.map_err(|error| site.configured(error))?;
    banner(site, &wired, bound.local_addr());
    let tending = tend(&wired, shutdown.clone());
    let working = work(&wired, role, shutdown.clone());
    follow(&wired, &shutdown);
    tell_promise(&wired, &shutdown);
    let served = if wired.config.server.transport == Transport::Both {
        let caller = wired.identify(Surface::McpStdio).await?;
        let stdio = mcp.serve_stdio(caller, shutdown.clone());
        let (served, ended, (), ()) = futures::join!(bound.serve(shutdown.clone()), stdio, tending, working);
        served.and(ended)
    } else {
        let (served, (), ()) = futures::join!(bound.serve(shutdown), tending, working);
        served
    };
    wired.store.leave();
    served.map(|()| Report::done())
}

async fn stdio(app: &App, wired: &Wired, shutdown: CancellationToken) -> Result<Report> {
    follow(wired, &shutdown);
    let caller = wired.identify(Surface::McpStdio).await?;
    super::mcp::converse(wired, wired.mcp(app, &wired.config.server.profile)?, caller, shutdown).await?;
    Ok(Report::done())
}

/// The usual soft limit of open files is below the number of connections that the listener takes.
fn raise_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!(%error, "raising the number of open files");
    }
}

/// Ends a server on SIGINT or SIGTERM; a second signal ends the process as the system does.
pub(crate) fn stop_on_signal(shutdown: &CancellationToken) {
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let Ok(mut stream) = signal(kind) else { continue };
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            stream.recv().await;
            shutdown.cancel();
        });
    }
}

/// Reads the certificate anew on SIGHUP.
fn reload_on_signal(certificate: Reload) {
    let Ok(mut stream) = signal(SignalKind::hangup()) else { return };
    tokio::spawn(async move {
        while stream.recv().await.is_some() {
            if let Err(error) = certificate.now() {
                tracing::error!(%error, "the new certificate is unusable; the old one stays");
            }
        }
    });
}

/// Says once what the settings of a Redis mean for what is promised, as soon as it answers.
pub(crate) fn tell_promise(wired: &Wired, shutdown: &CancellationToken) {
    let (store, clock, shutdown) = (Arc::clone(&wired.store), Arc::clone(&wired.clock), shutdown.clone());
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        while let Some(report) = store.report(&*clock).await {
            match report {
                Ok(report) => {
                    if let Ok(Some(unfinished)) = store.unfinished().await {
                        tracing::error!("{unfinished}");
                    }
                    for finding in report.findings {
                        let (setting, value, meaning) = (finding.setting, finding.value, finding.meaning);
                        if finding.is_warning {
                            tracing::warn!(setting, value, "{meaning}");
                        } else {
                            tracing::info!(setting, value, "{meaning}");
                        }
                    }
                    return;
                }
                Err(error) => tracing::warn!(%error, "the store does not answer; trying again"),
            }
            clock.sleep(AGAIN).await;
        }
    }));
}

/// Keeps the secrets of the vault out of every answer, whichever process sets them.
pub(crate) fn follow(wired: &Wired, shutdown: &CancellationToken) {
    let (vault, shutdown) = (Arc::clone(&wired.vault), shutdown.clone());
    tokio::spawn(shutdown.run_until_cancelled_owned(async move {
        loop {
            vault.follow().await;
            // The store is down: it is opened by whoever needs it next.
            tokio::time::sleep(TEND).await;
        }
    }));
}

/// Runs tasks, or only ends those of its own callers.
async fn work(wired: &Wired, role: &str, shutdown: CancellationToken) {
    if role == "serve" {
        wired.tasks.work(shutdown).await;
    } else {
        shutdown.cancelled().await;
        wired.tasks.stop().await;
    }
}

async fn tend(wired: &Wired, shutdown: CancellationToken) {
    loop {
        let stopped = tokio::time::timeout(TEND, shutdown.cancelled()).await.is_ok();
        wired.limits.sweep();
        if let Err(error) = wired.access.tend().await {
            tracing::warn!(%error, "writing when tokens were last used");
        }
        if stopped {
            return;
        }
    }
}

fn options(app: &App, wired: &Wired) -> Result<WebOptions> {
    let server = &wired.config.server;
    let mut options = wired.web_options(app);
    let host: IpAddr = match server.host.as_str() {
        "localhost" => IpAddr::from([127, 0, 0, 1]),
        host => host.trim_matches(['[', ']']).parse().map_err(|_| {
            Error::new(ErrorKind::InvalidArgument, format!("server.host: {host:?} is not an IP address"))
        })?,
    };
    options.bind = SocketAddr::new(host, server.port);
    options.trusted_proxies = networks(&server.trusted_proxies)?;
    options.tls = tls(server)?;
    Ok(options)
}

fn networks(texts: &[String]) -> Result<Vec<ipnet::IpNet>> {
    let parse = |text: &String| {
        let one = text.parse::<IpAddr>().map(ipnet::IpNet::from);
        one.or_else(|_| text.parse()).map_err(|_| {
            Error::new(
                ErrorKind::InvalidArgument,
                format!("server.trusted_proxies: {text:?} is no address or CIDR"),
            )
        })
    };
    texts.iter().map(parse).collect()
}

fn tls(server: &Server) -> Result<Option<TlsFiles>> {
    match (server.tls_cert.as_str(), server.tls_key.as_str()) {
        ("", "") => Ok(None),
        ("", _) => Err(Error::new(ErrorKind::InvalidArgument, "server.tls_cert: is required beside tls_key")),
        (_, "") => Err(Error::new(ErrorKind::InvalidArgument, "server.tls_key: is required beside tls_cert")),
        (cert, key) => Ok(Some(TlsFiles { cert: PathBuf::from(cert), key: PathBuf::from(key) })),
    }
}

/// What a person needs to begin, on standard error.
fn banner(site: &Site<'_>, wired: &Wired, address: SocketAddr) {
    let scheme = if wired.config.server.tls_cert.is_empty() { "http" } else { "https" };
    let base = format!("{scheme}://{address}");
    let server = &wired.config.server;
    let count = wired.dispatch.catalog().len();
    let example = wired.dispatch.catalog().iter().find(|entry| entry.facts.name == "system_health");
    let mut lines = vec![
        format!("{} {} listens on {base}", wired.name, site.app.version),
        format!("  MCP     {base}/mcp (also {}{})", server.endpoint, if server.sse { ", /sse" } else { "" }),
        format!("  REST    {base}/api/v1/tools · {base}/openapi.json"),
        format!("  pages   {base}/docs · {base}/redoc"),
        format!("  tools   {count}, profile {}", server.profile),
    ];
    if let Some(example) = example {
        lines.push(format!(
            "  try     curl {base}/mcp -H 'Content-Type: application/json' -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"{}\",\"arguments\":{{}}}}}}'",
            example.facts.name,
        ));
    }
    site.terminal.say(&lines.join("\n"));
}
