//! `doctor`: what is wrong with this installation, and one command that mends each matter.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use clap::Command;
use gabier_access::secret::Seal;
use gabier_store::Records as _;
use gabier_tool::{Block, Cell, Column, Result, Tone, View};
use serde_json::json;

use crate::commands::{Report, Site};
use crate::config::Loaded;
use crate::doctor::{Finding, Installation, State};
use crate::wiring::Wired;

pub(crate) fn command() -> Command {
    Command::new("doctor").about("Look at this installation; exit 1 when something is wrong")
}

pub(crate) async fn run(site: &Site<'_>) -> Result<Report> {
    let mut findings = Vec::new();
    match site.loaded() {
        Err(error) => {
            findings.extend(error.message().lines().map(|line| {
                Finding::fail("configuration", line).with_cure(format!("{} config edit", site.app.name))
            }));
        }
        Ok(loaded) => {
            findings.push(Finding::ok("configuration", file_words(&loaded.file)));
            findings.extend(loaded.warnings.iter().map(|warning| Finding::warn("configuration", warning)));
            match site.wire(loaded, "doctor", None) {
                Ok(wired) => findings.extend(look(site, loaded, &wired).await),
                Err(error) => findings.push(Finding::fail("configuration", error.message())),
            }
        }
    }
    Ok(report(&findings))
}

fn tools(wired: &Wired) -> Finding {
    match wired.lint() {
        Ok(()) => Finding::ok("tools", format!("{} tools keep the rules", wired.dispatch.catalog().len())),
        Err(error) => Finding::fail("tools", error.message()),
    }
}

fn file_words(file: &Path) -> String {
    if file.is_file() {
        format!("{} is sound", file.display())
    } else {
        format!("no file at {}: the defaults hold", file.display())
    }
}

async fn look(site: &Site<'_>, loaded: &Loaded, wired: &Wired) -> Vec<Finding> {
    let mut findings = vec![folder(&wired.data_dir), port(wired), clock(wired), tools(wired)];
    findings.extend(wired.warnings.iter().map(|warning| {
        Finding::warn("tokens", warning).with_cure(format!("{} token create admin --admin", site.app.name))
    }));
    findings.extend(store(wired).await);
    findings.extend(promise(wired).await);
    findings.push(webhooks(wired));
    findings.extend(tokens(site, wired).await);
    findings.push(vault(site, wired).await);
    findings.extend(["ssh", "docker", "systemctl"].map(|program| on_path(site, program)));
    findings.push(tls(wired));
    let installation = Installation { loaded, data_dir: &wired.data_dir };
    findings.extend(site.app.checks.iter().flat_map(|check| check.look(&installation)));
    findings
}

fn folder(data_dir: &Path) -> Finding {
    match std::fs::metadata(data_dir) {
        Err(_) => {
            Finding::ok("data directory", format!("{} will be made when it is needed", data_dir.display()))
        }
        Ok(metadata) if metadata.permissions().mode().trailing_zeros() >= 6 => {
            Finding::ok("data directory", format!("{} is this user's alone", data_dir.display()))
        }
        Ok(_) => Finding::fail("data directory", format!("{} is open to other users", data_dir.display()))
            .with_cure(format!("chmod 700 {}", data_dir.display())),
    }
}

async fn store(wired: &Wired) -> Vec<Finding> {
    if let Err(error) = wired.store.generation() {
        return vec![unusable(&error)];
    }
    if let Ok(Some(unfinished)) = wired.store.unfinished().await {
        return vec![Finding::fail("store", unfinished)];
    }
    match wired.store.check().await {
        Ok(faults) if faults.is_empty() => vec![Finding::ok("store", "sound")],
        Ok(faults) => faults.into_iter().map(|fault| Finding::fail("store", fault)).collect(),
        Err(error) => vec![unusable(&error)],
    }
}

/// A store that cannot be used, with the reason, which is a person's to mend.
fn unusable(error: &gabier_store::Error) -> Finding {
    let why = std::error::Error::source(error).map(|source| format!(": {source}"));
    Finding::fail("store", format!("{error}{}", why.unwrap_or_default()))
}

/// What a Redis keeps of what is acknowledged.
async fn promise(wired: &Wired) -> Vec<Finding> {
    let Some(report) = wired.store.report(&*wired.clock).await else { return Vec::new() };
    let Ok(report) = report else { return Vec::new() };
    let place = Arc::clone(&wired.store).place().await;
    let told = report.findings.into_iter().map(|finding| {
        let message = format!("{} is {}: {}", finding.setting, finding.value, finding.meaning);
        let cure = match finding.setting {
            "appendonly" => "yes",
            "appendfsync" => "always",
            "maxmemory-policy" => "noeviction",
            _ => "",
        };
        match (finding.is_warning, cure) {
            (false, _) => Finding::ok("store", message),
            (true, "") => Finding::warn("store", message),
            (true, value) => Finding::warn("store", message)
                .with_cure(format!("redis-cli -u {place} CONFIG SET {} {value}", finding.setting)),
        }
    });
    told.collect()
}

fn webhooks(wired: &Wired) -> Finding {
    match &wired.config.tasks.webhooks.secret {
        Some(_) => Finding::ok("webhooks", "signed with WEBHOOK_SECRET"),
        None => Finding::ok(
            "webhooks",
            "not signed: receivers cannot tell them from forgeries; set WEBHOOK_SECRET",
        ),
    }
}

async fn tokens(site: &Site<'_>, wired: &Wired) -> Vec<Finding> {
    match wired.access.advice().await {
        Ok(advice) if advice.is_empty() => vec![Finding::ok("tokens", "nothing to mend")],
        Ok(advice) => advice
            .into_iter()
            .map(|sentence| {
                Finding::warn("tokens", sentence).with_cure(format!("{} token list", site.app.name))
            })
            .collect(),
        Err(error) => vec![Finding::fail("tokens", error.message())],
    }
}

async fn vault(site: &Site<'_>, wired: &Wired) -> Finding {
    match wired.vault.list().await {
        Ok(None) => Finding::ok("vault", "none yet: the first secret makes it"),
        Ok(Some(listing)) => {
            let secrets = listing.secrets.len();
            let by = match listing.seal {
                Seal::Passphrase => "a passphrase".to_owned(),
                Seal::Key { file, .. } => {
                    format!("the key in {}: keep a copy of it apart from the store", file.display())
                }
            };
            Finding::ok("vault", format!("{secrets} secrets, sealed with {by}"))
        }
        Err(error) => Finding::fail("vault", error.message())
            .with_cure(error.next().map_or_else(|| format!("{} vault list", site.app.name), str::to_owned)),
    }
}

fn port(wired: &Wired) -> Finding {
    let (host, port) = (&wired.config.server.host, wired.config.server.port);
    let address = (host.trim_matches(['[', ']']), port);
    match std::net::TcpListener::bind(address) {
        Ok(_) => Finding::ok("port", format!("{host}:{port} is free")),
        Err(error) => Finding::warn("port", format!("{host}:{port} cannot be opened now ({error})")),
    }
}

fn clock(wired: &Wired) -> Finding {
    let now = wired.clock.now();
    if now.timestamp() < 1_767_225_600 {
        return Finding::fail(
            "clock",
            format!("{now} is before this program was made: tokens would not expire"),
        )
        .with_cure("timedatectl set-ntp true");
    }
    Finding::ok("clock", gabier_tool::iso(now))
}

fn on_path(site: &Site<'_>, program: &str) -> Finding {
    let path = site.environment("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file());
    match found {
        Some(file) => Finding::ok(program, format!("{} (looked up, never run)", file.display())),
        None => Finding::ok(program, "not on PATH; nothing here needs it"),
    }
}

fn tls(wired: &Wired) -> Finding {
    let server = &wired.config.server;
    match (server.tls_cert.is_empty(), server.behind_proxy) {
        (false, _) if !Path::new(&server.tls_cert).is_file() => {
            Finding::fail("TLS", format!("{} is not a file", server.tls_cert))
        }
        (false, _) => Finding::ok("TLS", format!("certificate {}", server.tls_cert)),
        (true, true) => Finding::ok("TLS", "left to the proxy in front"),
        (true, false) => Finding::ok("TLS", "off: the server listens on loopback alone"),
    }
}

fn report(findings: &[Finding]) -> Report {
    let failed = findings.iter().any(|finding| finding.state == State::Fail);
    let columns =
        ["", "subject", "finding", "cure"].map(|label| Column { label: label.to_owned(), right: false });
    let rows = findings
        .iter()
        .map(|finding| {
            let (word, tone) = match finding.state {
                State::Ok => ("ok", Tone::Good),
                State::Warn => ("warn", Tone::Warn),
                State::Fail => ("fail", Tone::Bad),
            };
            vec![
                Cell::toned(word, tone),
                finding.subject.as_str().into(),
                finding.message.as_str().into(),
                finding.cure.clone().unwrap_or_default().into(),
            ]
        })
        .collect();
    let view = View::block(Block::Table { title: None, columns: columns.into(), rows });
    Report::shown(json!({"ok": !failed, "findings": findings}), view).with_exit(u8::from(failed))
}
