//! How a host is asked whether it is there: ICMP where the kernel lets us, else TCP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use futures::future::select_ok;
use gabier_tool::Clock;
use schemars::JsonSchema;
use serde::Serialize;
use surge_ping::{Client, Config, ICMP, IcmpPacket, PingIdentifier, PingSequence};
use tokio::net::TcpStream;

/// The ports that are knocked at over TCP; a refusal is an answer too.
const PORTS: [u16; 3] = [443, 80, 22];

/// What an echo request carries: as much as `ping` sends.
const PAYLOAD: [u8; 56] = [0x67; 56];

/// The means of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Method {
    Icmp,
    IcmpRaw,
    Tcp,
}

/// A way to ask one host.
pub(super) enum Echo {
    /// Echo requests over a socket of the kernel.
    Icmp {
        /// The socket.
        client: Client,
        /// Tells our requests from others on a raw socket.
        identifier: PingIdentifier,
    },
    /// Connections.
    Tcp,
}

impl Echo {
    /// The best way that the kernel allows for an address.
    pub(super) fn open(address: IpAddr) -> Self {
        Self::from_socket(|| {
            let kind = if address.is_ipv4() { ICMP::V4 } else { ICMP::V6 };
            // Without permission for a datagram socket it opens a raw one.
            Client::new(&Config::builder().kind(kind).build())
        })
    }

    /// ICMP over the socket if it opens, TCP if it does not.
    fn from_socket(open: impl FnOnce() -> io::Result<Client>) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        match open() {
            Ok(client) => {
                let process = std::process::id().to_le_bytes();
                let number = NEXT.fetch_add(1, Ordering::Relaxed);
                let identifier = number.wrapping_add(u16::from_le_bytes([process[0], process[1]]));
                Self::Icmp { client, identifier: PingIdentifier(identifier) }
            }
            Err(error) => {
                tracing::debug!(%error, "no ICMP socket, asking over TCP");
                Self::Tcp
            }
        }
    }

    /// The means.
    pub(super) fn method(&self) -> Method {
        match self {
            Self::Icmp { client, .. }
                if client.get_socket().get_type() == Config::default().sock_type_hint =>
            {
                Method::Icmp
            }
            Self::Icmp { .. } => Method::IcmpRaw,
            Self::Tcp => Method::Tcp,
        }
    }

    /// Asks once; nothing when no answer came in time.
    pub(super) async fn ask(
        &self,
        address: IpAddr,
        sequence: u16,
        wait: Duration,
        clock: &Arc<dyn Clock>,
    ) -> Option<Duration> {
        match self {
            Self::Icmp { client, identifier } => {
                let mut pinger = client.pinger(address, *identifier).await;
                pinger.timeout(wait);
                let (packet, took) = pinger.ping(PingSequence(sequence), &PAYLOAD).await.ok()?;
                is_reply(&packet).then_some(took)
            }
            Self::Tcp => {
                let began = clock.monotonic();
                let knocks = PORTS.map(|port| Box::pin(knock(SocketAddr::new(address, port))));
                tokio::time::timeout(wait, select_ok(knocks)).await.ok()?.ok()?;
                Some(clock.monotonic().saturating_sub(began))
            }
        }
    }
}

async fn knock(address: SocketAddr) -> io::Result<()> {
    match TcpStream::connect(address).await {
        Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error),
        _ => Ok(()),
    }
}

/// True for an echo reply; routers answer for a host as well, to say that it cannot be reached.
fn is_reply(packet: &IcmpPacket) -> bool {
    match packet {
        IcmpPacket::V4(packet) => packet.get_icmp_type().0 == 0,
        IcmpPacket::V6(packet) => packet.get_icmpv6_type().0 == 129,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::StillClock;

    #[test]
    fn without_any_icmp_socket_it_is_tcp() {
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::Unsupported] {
            assert_eq!(Echo::from_socket(|| Err(kind.into())).method(), Method::Tcp);
        }
    }

    #[tokio::test]
    async fn the_method_is_the_kind_of_the_socket_that_opened() {
        let address = IpAddr::from([127, 0, 0, 1]);
        let echo = Echo::open(address);
        let clock: Arc<dyn Clock> = Arc::new(StillClock::default());
        let expected = match &echo {
            Echo::Tcp => Method::Tcp,
            Echo::Icmp { client, .. } => {
                let kind = format!("{:?}", client.get_socket().get_type());
                if kind.contains("DGRAM") { Method::Icmp } else { Method::IcmpRaw }
            }
        };
        assert_eq!(echo.method(), expected);
        assert!(echo.ask(address, 0, Duration::from_secs(5), &clock).await.is_some());
    }

    #[tokio::test]
    async fn over_tcp_a_refusal_is_an_answer() {
        let clock: Arc<dyn Clock> = Arc::new(StillClock::default());
        for address in ["127.0.0.1", "::1"] {
            let took = Echo::Tcp.ask(address.parse().unwrap(), 0, Duration::from_secs(5), &clock).await;
            assert_eq!(took, Some(Duration::ZERO), "{address}");
        }
    }
}
