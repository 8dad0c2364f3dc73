//! The network interfaces of this machine.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::Path;

use gabier_tool::{Context, Effect, Error, ErrorKind, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sysinfo::Networks;

use crate::Services;

/// Where the kernel shows its interfaces.
const SYSFS: &str = "/sys/class/net";

/// Lists the network interfaces of this machine.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct NetworkInterfaces {}

/// What the kernel knows.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Interfaces {
    /// The interfaces, by name.
    interfaces: Vec<Interface>,
}

/// One interface.
#[derive(Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Interface {
    /// The kernel's name for it.
    name: String,
    /// The hardware address.
    mac: String,
    /// Whether it is up.
    up: bool,
    /// The largest packet, in bytes.
    mtu: u64,
    /// IPv4 addresses.
    ipv4: Vec<String>,
    /// IPv6 addresses.
    ipv6: Vec<String>,
    /// Bytes received since start.
    rx_bytes: u64,
    /// Bytes sent since start.
    tx_bytes: u64,
}

impl Tool<Services> for NetworkInterfaces {
    const NAME: &'static str = "network_interfaces";
    const EFFECT: Effect = Effect::Read;
    const PROFILE: Profile = Profile::Core;
    type Output = Interfaces;

    async fn run(self, _: &Context<Services>) -> Result<Interfaces> {
        let interfaces = tokio::task::spawn_blocking(interfaces)
            .await
            .map_err(|error| Error::internal("reading the network interfaces").with_source(error))??;
        Ok(Interfaces { interfaces })
    }
}

fn interfaces() -> Result<Vec<Interface>> {
    let networks = Networks::new_with_refreshed_list().map_err(|error| {
        Error::new(ErrorKind::NotAvailable, "reading the network interfaces").with_source(error)
    })?;
    let mut interfaces: Vec<_> = networks
        .iter()
        .map(|(name, data)| {
            let addresses = |wanted: fn(&IpAddr) -> bool| {
                let mut found: Vec<_> =
                    data.ip_networks().iter().map(|network| network.addr).filter(wanted).collect();
                found.sort_unstable();
                found.into_iter().map(|address| address.to_string()).collect()
            };
            Interface {
                name: name.to_string_lossy().into_owned(),
                mac: data.mac_address().to_string(),
                up: is_up(Path::new(SYSFS), name),
                mtu: data.mtu(),
                ipv4: addresses(IpAddr::is_ipv4),
                ipv6: addresses(IpAddr::is_ipv6),
                rx_bytes: data.total_received(),
                tx_bytes: data.total_transmitted(),
            }
        })
        .collect();
    interfaces.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(interfaces)
}

/// `IFF_UP` of the flags: what was switched on. The `operstate` of loopback is `unknown` and says nothing.
fn is_up(sysfs: &Path, name: &OsStr) -> bool {
    let flags = std::fs::read_to_string(sysfs.join(name).join("flags")).unwrap_or_default();
    let hex = flags.trim().trim_start_matches("0x");
    u32::from_str_radix(hex, 16).is_ok_and(|flags| flags & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn loopback_is_listed_with_its_address() {
        let interfaces = interfaces().unwrap();
        let lo = interfaces.iter().find(|interface| interface.name == "lo").expect("every machine has lo");
        assert!(lo.up, "{lo:?}");
        assert!(lo.ipv4.contains(&"127.0.0.1".to_owned()), "{lo:?}");
        assert!(lo.mtu > 1000, "{lo:?}");
        assert_eq!(lo.mac, "00:00:00:00:00:00");
        assert!(interfaces.is_sorted_by(|one, other| one.name <= other.name));
    }

    #[test]
    fn an_interface_is_up_when_its_flags_say_so() {
        let folder = tempfile::tempdir().unwrap();
        for (name, flags) in [("up0", "0x1003\n"), ("down0", "0x1002\n"), ("odd0", "")] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("flags"), flags).unwrap();
        }
        let up: Vec<_> =
            ["up0", "down0", "odd0", "none0"].map(|name| is_up(folder.path(), name.as_ref())).into();
        assert_eq!(up, [true, false, false, false]);
    }
}
