//! The state of a service: of this machine from systemd over D-Bus, of a host from its `systemctl`.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::{Either, select};
use gabier_host::Alias;
use gabier_tool::{
    Context, Effect, Error, ErrorKind, HostsRef, Mode, Outcome, Profile, Result, Status, Timestamp, Tool, iso,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use super::fixed::{TOOL_LIMIT, ask as remote, comparable, program, refusal};
use crate::Services;
use crate::hosts::fleetwide::{Fleetwide, Spreading, on_all};
use crate::hosts::reach;

/// How long the bus may take.
const PATIENCE: Duration = Duration::from_secs(5);

const MANAGER: &str = "org.freedesktop.systemd1";

/// Tell whether a service runs and starts at boot.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CheckService {
    /// Unit, such as `ssh`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,254}$"))]
    service: String,
    /// Hosts; this machine when absent.
    alias: Option<HostsRef>,
    #[serde(flatten)]
    spreading: Spreading,
}

/// The state of a service.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct ServiceState {
    /// The unit.
    service: String,
    /// True while it runs.
    active: bool,
    /// True when it starts at boot.
    enabled: bool,
    /// Since when it runs or does not, in UTC.
    since: Option<String>,
    /// The service manager's own words.
    detail: String,
    #[serde(skip)]
    exists: bool,
}

impl Tool<Services> for CheckService {
    const NAME: &'static str = "check_service";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const PROFILE: Profile = Profile::Core;
    const KEYWORDS: &'static str = "systemd systemctl unit daemon running status service démon état";
    const LIMIT: Duration = TOOL_LIMIT;
    type Output = Fleetwide<ServiceState>;

    async fn prepare(&mut self, ctx: &Context<Services>) -> Result<()> {
        match &self.alias {
            Some(alias) => reach::targets(ctx, alias).await.map(drop),
            None => Ok(()),
        }
    }

    async fn run(self, ctx: &Context<Services>) -> Result<Self::Output> {
        let unit = unit_name(self.service);
        match &self.alias {
            None => here(ctx, unit).await.map(Fleetwide::One),
            Some(alias) => {
                let targets = reach::targets(ctx, alias).await?;
                let one = |alias: Alias| there(ctx, alias, unit.clone());
                on_all(ctx, targets, self.spreading, one, comparable).await
            }
        }
    }

    fn outcome(output: &Self::Output) -> Outcome {
        output.outcome(|state| Outcome::of(if state.exists { Status::Ok } else { Status::NotFound }))
    }
}

async fn here(ctx: &Context<Services>, unit: String) -> Result<ServiceState> {
    let asked = Box::pin(ask(&ctx.services.monitor.bus_address, &unit));
    let properties = match select(asked, ctx.clock().sleep(PATIENCE)).await {
        Either::Left((properties, _)) => properties.map_err(not_available)?,
        Either::Right(_) => {
            let message = format!("the service manager did not answer within {} s", PATIENCE.as_secs());
            return Err(Error::new(ErrorKind::Timeout, message));
        }
    };
    let word = |name: &str| {
        let word: Option<&str> = properties.get(name).and_then(|value| value.downcast_ref().ok());
        word.unwrap_or_default().to_owned()
    };
    let since =
        |name: &str| properties.get(name).and_then(|value| value.downcast_ref().ok()).and_then(moment);
    Ok(state_of(unit, word, since))
}

async fn there(ctx: &Context<Services>, alias: Alias, unit: String) -> Result<ServiceState> {
    let names = "LoadState,ActiveState,SubState,UnitFileState,Description,\
        ActiveEnterTimestamp,InactiveEnterTimestamp";
    let command = program(["systemctl", "show", "--no-pager", "--property", names, "--", &unit]);
    // The manager's times are then written in UTC.
    let ran = remote(ctx, &alias, command.with_env("TZ", "UTC")).await?;
    let text = ran.stdout.text();
    let properties: HashMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    if !ran.is_success() || !properties.contains_key("LoadState") {
        return Err(refusal(&alias, "asking the service manager", &ran));
    }
    let word = |name: &str| properties.get(name).copied().unwrap_or_default().to_owned();
    Ok(state_of(unit, word, |name| written_moment(&word(name))))
}

/// A name without a type of unit is a service's.
fn unit_name(name: String) -> String {
    const TYPES: [&str; 11] = [
        "service",
        "socket",
        "target",
        "device",
        "mount",
        "automount",
        "swap",
        "timer",
        "path",
        "slice",
        "scope",
    ];
    match name.rsplit_once('.') {
        Some((_, suffix)) if TYPES.contains(&suffix) => name,
        _ => format!("{name}.service"),
    }
}

/// Loads the unit, which also finds those that are not running, and reads its properties.
async fn ask(address: &str, unit: &str) -> zbus::Result<HashMap<String, OwnedVariant>> {
    let connection: Connection = zbus::connection::Builder::address(address).build().await?;
    let interface = format!("{MANAGER}.Manager");
    let reply = connection
        .call_method(Some(MANAGER), "/org/freedesktop/systemd1", Some(interface.as_str()), "LoadUnit", &unit)
        .await?;
    let path: OwnedObjectPath = reply.body().deserialize()?;
    let interface = format!("{MANAGER}.Unit");
    let reply = connection
        .call_method(
            Some(MANAGER),
            path,
            Some("org.freedesktop.DBus.Properties"),
            "GetAll",
            &interface.as_str(),
        )
        .await?;
    reply.body().deserialize()
}

fn not_available(error: zbus::Error) -> Error {
    Error::new(ErrorKind::NotAvailable, "no service manager answers on this machine's system bus")
        .with_next("look at the process instead: process_list with filter")
        .with_source(error)
}

fn state_of(
    service: String,
    word: impl Fn(&str) -> String,
    since: impl Fn(&str) -> Option<String>,
) -> ServiceState {
    let (load, active, sub) = (word("LoadState"), word("ActiveState"), word("SubState"));
    if load == "not-found" {
        let detail = "there is no such unit".to_owned();
        return ServiceState { service, active: false, enabled: false, since: None, detail, exists: false };
    }
    let is_active = matches!(active.as_str(), "active" | "reloading" | "refreshing");
    let changed = if is_active { "ActiveEnterTimestamp" } else { "InactiveEnterTimestamp" };
    let file = word("UnitFileState");
    let state = if sub.is_empty() { active } else { format!("{active} ({sub})") };
    let parts = [state, load, file.clone(), word("Description")];
    ServiceState {
        service,
        active: is_active,
        enabled: matches!(file.as_str(), "enabled" | "enabled-runtime"),
        since: since(changed),
        detail: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
        exists: true,
    }
}

/// Microseconds since 1970; 0 = never.
fn moment(microseconds: u64) -> Option<String> {
    let microseconds = i64::try_from(microseconds).ok().filter(|&microseconds| microseconds > 0)?;
    Timestamp::from_timestamp_micros(microseconds).map(iso)
}

/// Such as `Fri 2026-01-02 03:04:05 UTC`; nothing and `n/a` = never.
fn written_moment(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().skip(1);
    let (day, time) = (words.next()?, words.next()?);
    format!("{day}T{time}Z").parse::<Timestamp>().ok().map(iso)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{FakeHost, call_on_host};

    #[tokio::test]
    async fn a_service_of_a_host_is_read_from_its_manager() {
        let words = "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n\
            Description=OpenBSD Secure Shell server\nActiveEnterTimestamp=Fri 2026-01-02 03:04:05 UTC\n";
        let begin = "exec env 'LC_ALL=C' 'TZ=UTC' sh -c 'systemctl show";
        let host = FakeHost::named("web1").answering(begin, words);
        let found = call_on_host::<CheckService>(&host, r#"{"alias": "web1", "service": "ssh"}"#).await;
        let expected = r#"{"service":"ssh.service","active":true,"enabled":true,"since":"2026-01-02T03:04:05.000Z","detail":"active (running), loaded, enabled, OpenBSD Secure Shell server"}"#;
        assert_eq!(found, expected);
        assert!(host.asked()[0].ends_with(" -- ssh.service'"), "{:?}", host.asked());
    }

    #[tokio::test]
    async fn a_host_without_the_manager_or_the_unit_says_so() {
        let call = r#"{"alias": "web1", "service": "x"}"#;
        let bare = FakeHost::named("web1");
        let found = call_on_host::<CheckService>(&bare, call).await;
        assert!(found.starts_with("NOT_AVAILABLE "), "{found}");
        let begin = "exec env 'LC_ALL=C' 'TZ=UTC' sh -c 'systemctl show";
        let words = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\n";
        let host = FakeHost::named("web1").answering(begin, words);
        let found = call_on_host::<CheckService>(&host, call).await;
        assert!(found.starts_with("not_found "), "{found}");
    }

    #[test]
    fn a_name_without_a_unit_type_is_a_services() {
        assert_eq!(unit_name("ssh".to_owned()), "ssh.service");
        assert_eq!(unit_name("apt-daily.timer".to_owned()), "apt-daily.timer");
        assert_eq!(unit_name("org.example.app".to_owned()), "org.example.app.service");
    }

    #[test]
    fn a_moment_is_utc_and_zero_is_none() {
        assert_eq!(moment(1_767_323_045_678_000).as_deref(), Some("2026-01-02T03:04:05.678Z"));
        assert_eq!(moment(0), None);
    }
}
