//! Which TCP ports of a host are open.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{FutureExt, OptionFuture};
use futures::stream::{self, Stream, StreamExt};
use gabier_tool::{Clock, Context, Effect, Error, ErrorKind, Mode, Permission, Profile, Result, Tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use super::host::HostName;
use super::ports;
use crate::Services;

/// Ports that are knocked at at once.
const PARALLEL: usize = 64;

/// The longest one port is waited for.
const WAIT: Duration = Duration::from_secs(1);

/// The time between two knocks at a host that is not this one: 200 a second.
const PACE: Duration = Duration::from_millis(5);

/// Scans TCP ports of one host, by connecting.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PortScan {
    /// Name or address.
    host: HostName,
    /// Ports and ranges, at most 1,024.
    #[serde(default = "usual_ports")]
    #[schemars(
        length(min = 1, max = 8192),
        regex(pattern = r"^[0-9, -]+$"),
        extend("x-cli" = {"positional": true})
    )]
    ports: String,
}

fn usual_ports() -> String {
    "22,23,25,53,80,110,443,993,995".to_owned()
}

/// What answered.
#[derive(Debug, Default, PartialEq, Serialize, JsonSchema)]
pub(super) struct Scan {
    /// The host as it was given.
    host: String,
    /// The address that was scanned.
    ip: String,
    /// Ports that accepted a connection.
    open: Vec<u16>,
    /// Ports that refused one.
    closed: Vec<u16>,
    /// Ports that did not answer.
    filtered: Vec<u16>,
    /// How many ports were tried.
    scanned: usize,
    /// How long it took, in milliseconds.
    duration_ms: u64,
}

/// What one port did.
enum Found {
    Open,
    Closed,
    Filtered,
}

impl Tool<Services> for PortScan {
    const NAME: &'static str = "port_scan";
    const EFFECT: Effect = Effect::Read;
    const MODE: Mode = Mode::Hybrid;
    const PERMISSION: Permission = Permission::Net;
    const PROFILE: Profile = Profile::Lean;
    const OPEN_WORLD: bool = true;
    type Output = Scan;

    async fn run(self, ctx: &Context<Services>) -> Result<Scan> {
        let ports = ports::parse(&self.ports)?;
        let address = self.host.address().await?;
        if !ctx.services.network.settings.port_scan.covers(address) {
            return Err(out_of_scope(&self.host, address));
        }
        let began = ctx.clock().monotonic();
        let scanned = ports.len();
        let mut scan =
            Scan { host: self.host.as_str().to_owned(), ip: address.to_string(), scanned, ..Scan::default() };
        let pace = if address.is_loopback() { Duration::ZERO } else { PACE };
        let mut knocks = paced(ports, pace, Arc::clone(ctx.clock()))
            .map(|port| async move { (port, knock(SocketAddr::new(address, port)).await) })
            .buffer_unordered(PARALLEL)
            .boxed();
        let mut done = 0_u32;
        while let Some((port, found)) = knocks.next().await {
            match found.map_err(|error| failed(&self.host, &error))? {
                Found::Open => scan.open.push(port),
                Found::Closed => scan.closed.push(port),
                Found::Filtered => scan.filtered.push(port),
            }
            done += 1;
            if done.is_multiple_of(64) {
                ctx.progress(done.into(), u32::try_from(scanned).ok().map(f64::from), None);
            }
        }
        for ports in [&mut scan.open, &mut scan.closed, &mut scan.filtered] {
            ports.sort_unstable();
        }
        let took = ctx.clock().monotonic().saturating_sub(began);
        scan.duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        Ok(scan)
    }
}

/// The ports one by one, each after its wait.
fn paced(ports: Vec<u16>, pace: Duration, clock: Arc<dyn Clock>) -> impl Stream<Item = u16> {
    stream::iter(ports).then(move |port| {
        let wait = (!pace.is_zero()).then(|| clock.sleep(pace));
        OptionFuture::from(wait).map(move |_| port)
    })
}

/// Connects and hangs up. What is wrong on our own side is an error, not a finding.
async fn knock(address: SocketAddr) -> io::Result<Found> {
    use io::ErrorKind::{ConnectionRefused, ConnectionReset, HostUnreachable, PermissionDenied, TimedOut};
    match tokio::time::timeout(WAIT, TcpStream::connect(address)).await {
        Err(_) => Ok(Found::Filtered),
        Ok(Ok(_)) => Ok(Found::Open),
        Ok(Err(error)) => match error.kind() {
            ConnectionRefused | ConnectionReset => Ok(Found::Closed),
            HostUnreachable | PermissionDenied | TimedOut => Ok(Found::Filtered),
            _ => Err(error),
        },
    }
}

fn out_of_scope(host: &HostName, address: IpAddr) -> Error {
    Error::new(ErrorKind::Forbidden, format!("scanning {} at {address} is out of scope", host.as_str()))
        .with("rule", "net-public")
        .with("ip", address.to_string())
        .with_next("an operator can widen port_scan.scope, or set port_scan.public for all public addresses")
}

fn failed(host: &HostName, error: &io::Error) -> Error {
    let reason = gabier_egress::reason_of(error);
    Error::new(ErrorKind::ConnectionFailed, format!("scanning {} failed: {reason}", host.as_str()))
        .with("host", host.as_str())
        .with("reason", reason)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use tokio::net::TcpListener;

    use super::*;
    use crate::network::stub::services;
    use crate::testing::{StillClock, call_as, os_user};

    async fn scan(arguments: &str) -> String {
        call_as::<PortScan>(&Arc::new(services(&super::super::Settings::default())), os_user(), arguments)
            .await
    }

    async fn free_port() -> u16 {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
    }

    #[tokio::test]
    async fn a_listener_is_open_and_a_free_port_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (open, closed) = (listener.local_addr().unwrap().port(), free_port().await);
        let found = scan(&format!(r#"{{"host": "127.0.0.1", "ports": "{closed},{open}"}}"#)).await;
        let found: Value = serde_json::from_str(&found).expect(&found);
        assert_eq!(found["open"], serde_json::json!([open]));
        assert_eq!(found["closed"], serde_json::json!([closed]));
        assert_eq!(found["filtered"], serde_json::json!([]));
        assert_eq!((&found["ip"], &found["scanned"]), (&"127.0.0.1".into(), &2.into()));
    }

    #[tokio::test]
    async fn a_thousand_ports_of_loopback_are_scanned_in_order() {
        let found = scan(r#"{"host": "127.0.0.1", "ports": "1-1024"}"#).await;
        let found: Value = serde_json::from_str(&found).expect(&found);
        assert_eq!(found["scanned"], 1024);
        let count = |list: &str| found[list].as_array().unwrap().len();
        assert_eq!(count("open") + count("closed") + count("filtered"), 1024);
        assert!(found["closed"].as_array().unwrap().is_sorted_by_key(Value::as_u64));
    }

    #[tokio::test]
    async fn two_hundred_knocks_take_a_second() {
        let clock = Arc::new(StillClock::default());
        let ports: Vec<_> = paced((1..=200).collect(), PACE, Arc::clone(&clock) as _).collect().await;
        assert_eq!((ports.len(), clock.monotonic()), (200, Duration::from_secs(1)));
    }

    #[tokio::test]
    async fn public_and_metadata_addresses_are_out_of_scope() {
        for host in ["1.1.1.1", "169.254.169.254", "2606:4700::1111", "0.0.0.0", "::ffff:8.8.8.8"] {
            let found = scan(&format!(r#"{{"host": "{host}", "ports": "1"}}"#)).await;
            assert!(found.starts_with("FORBIDDEN scanning"), "{host}: {found}");
        }
    }

    #[tokio::test]
    async fn too_many_ports_and_a_host_like_an_option_are_refused() {
        for arguments in [
            r#"{"host": "127.0.0.1", "ports": "1-1025"}"#,
            r#"{"host": "127.0.0.1", "ports": "80;443"}"#,
            r#"{"host": "127.0.0.1", "ports": ""}"#,
            r#"{"host": "-oX"}"#,
            r#"{"host": ""}"#,
            r#"{"host": "a b"}"#,
        ] {
            let found = scan(arguments).await;
            assert!(found.starts_with("INVALID_ARGUMENT"), "{arguments}: {found}");
        }
    }
}
