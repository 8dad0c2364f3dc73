//! The state of a service, from systemd over D-Bus.

use std::collections::HashMap;
use std::time::Duration;

use futures::future::{Either, select};
use gabier_tool::{
    Context, Effect, Error, ErrorKind, Mode, Outcome, Profile, Result, Status, Timestamp, Tool, iso,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use crate::Services;

/// How long the bus may take.
const PATIENCE: Duration = Duration::from_secs(5);

const MANAGER: &str = "org.freedesktop.systemd1";

/// Tell whether a service runs and starts at boot.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct CheckService {
    /// Unit, such as `ssh`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9:_.@\\][A-Za-z0-9:_.@\\-]{0,254}$"))]
    service: String,
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
    type Output = ServiceState;

    async fn run(self, ctx: &Context<Services>) -> Result<ServiceState> {
        let unit = unit_name(self.service);
        let asked = Box::pin(ask(&ctx.services.monitor.bus_address, &unit));
        let properties = match select(asked, ctx.clock().sleep(PATIENCE)).await {
            Either::Left((properties, _)) => properties.map_err(not_available)?,
            Either::Right(_) => {
                let message = format!("the service manager did not answer within {} s", PATIENCE.as_secs());
                return Err(Error::new(ErrorKind::Timeout, message));
            }
        };
        Ok(state_of(unit, &properties))
    }

    fn outcome(output: &ServiceState) -> Outcome {
        Outcome::of(if output.exists { Status::Ok } else { Status::NotFound })
    }
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

fn state_of(service: String, properties: &HashMap<String, OwnedVariant>) -> ServiceState {
    let word = |name: &str| {
        let word: Option<&str> = properties.get(name).and_then(|value| value.downcast_ref().ok());
        word.unwrap_or_default().to_owned()
    };
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
        since: properties.get(changed).and_then(|value| value.downcast_ref().ok()).and_then(moment),
        detail: parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", "),
        exists: true,
    }
}

/// Microseconds since 1970; 0 = never.
fn moment(microseconds: u64) -> Option<String> {
    let microseconds = i64::try_from(microseconds).ok().filter(|&microseconds| microseconds > 0)?;
    Timestamp::from_timestamp_micros(microseconds).map(iso)
}

#[cfg(test)]
mod tests {
    use super::*;

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
