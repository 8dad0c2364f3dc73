//! A TCP connection to a host by whichever of its addresses answers first (RFC 8305).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use gabier_tool::ErrorKind;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{sleep, timeout};

use crate::failure::Failure;

/// How long one address is waited for before the next is tried as well.
const STAGGER: Duration = Duration::from_millis(250);
/// The longest a name is looked up.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// Connects within a limit, with `TCP_NODELAY`.
pub(crate) async fn dial(host: &str, port: u16, limit: Duration) -> Result<TcpStream, Failure> {
    let addresses = look_up(host, port).await?;
    if let Ok(result) = timeout(limit, race(host, addresses)).await {
        return result;
    }
    let seconds = limit.as_secs_f32();
    let message = format!("dialling {host}:{port}: no answer within {seconds:.1} s");
    Err(Failure::unreachable("ETIMEDOUT", message).transient())
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let found = match timeout(LOOKUP_LIMIT, lookup_host((host, port))).await {
        Ok(Ok(found)) => found.collect::<Vec<_>>(),
        Ok(Err(error)) => {
            let message = format!("resolving {host}: the name has no address");
            return Err(Failure::unreachable("ENOTFOUND", message).because(error));
        }
        Err(_) => {
            return Err(Failure::unreachable(
                "DNS_TIMEOUT",
                format!("resolving {host}: no answer from the name servers"),
            ));
        }
    };
    if let Some(address) = found.iter().find(|address| is_forbidden(address.ip())) {
        let message = format!("dialling {host}: {} is link-local or a metadata address", address.ip());
        return Err(Failure::new(ErrorKind::Forbidden, "FORBIDDEN_ADDRESS", message));
    }
    if found.is_empty() {
        return Err(Failure::unreachable("ENOTFOUND", format!("resolving {host}: the name has no address")));
    }
    Ok(interleave(found))
}

/// Tries the addresses one after the other, a little apart; the first connection wins.
async fn race(host: &str, addresses: Vec<SocketAddr>) -> Result<TcpStream, Failure> {
    let mut attempts: FuturesUnordered<_> = addresses
        .into_iter()
        .enumerate()
        .map(|(index, address)| async move {
            sleep(STAGGER * u32::try_from(index).unwrap_or(u32::MAX)).await;
            (address, TcpStream::connect(address).await)
        })
        .collect();
    let mut failure = None;
    while let Some((address, result)) = attempts.next().await {
        match result {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => {
                failure.get_or_insert_with(|| Failure::io(&format!("dialling {address}"), error));
            }
        }
    }
    Err(failure.unwrap_or_else(|| {
        Failure::unreachable("ENOTFOUND", format!("resolving {host}: the name has no address"))
    }))
}

/// IPv6 and IPv4 in turn, beginning with whatever the resolver put first.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let begins_with_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == begins_with_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        match (first.next(), second.next()) {
            (None, None) => return mixed,
            (one, other) => mixed.extend(one.into_iter().chain(other)),
        }
    }
}

/// True for addresses that no host of an inventory has: link-local, and where clouds hand out credentials.
fn is_forbidden(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_link_local() || matches!(ip.octets(), [168, 63, 129, 16] | [100, 100, 100, 200])
        }
        IpAddr::V6(ip) => {
            ip.is_unicast_link_local()
                || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
                || ip.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_beginning_with_the_resolvers_first() {
        let parse = |text: &str| text.parse::<SocketAddr>().unwrap();
        let mixed = interleave(["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1"].map(parse).to_vec());
        assert_eq!(mixed, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(parse));
    }

    #[test]
    fn link_local_and_metadata_addresses_are_never_dialled() {
        let is = |text: &str| is_forbidden(text.parse().unwrap());
        for ip in ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "fd00:ec2::254", "100.100.100.200"]
        {
            assert!(is(ip), "{ip}");
        }
        for ip in ["127.0.0.1", "10.0.0.1", "192.168.1.1", "::1", "fd00::1", "8.8.8.8"] {
            assert!(!is(ip), "{ip}");
        }
    }
}
