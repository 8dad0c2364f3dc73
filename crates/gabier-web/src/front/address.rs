//! Whose address a request counts for.

use std::net::IpAddr;

use http::HeaderMap;
use ipnet::IpNet;

/// The address behind trusted proxies: the rightmost of `X-Forwarded-For` that is none of them, and only when the
/// peer is one. What a client writes further left is its own tale.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let mut nearest = peer;
    for line in headers.get_all("x-forwarded-for").iter().rev() {
        let Ok(line) = line.to_str() else { return nearest };
        for hop in line.rsplit(',') {
            let Some(hop) = parse(hop.trim()) else { return nearest };
            if !is_trusted(hop, trusted) {
                return hop;
            }
            nearest = hop;
        }
    }
    nearest
}

/// True when the address is one of the proxies.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    let address = address.to_canonical();
    trusted.iter().any(|net| net.contains(&address))
}

fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.trim_start_matches('[').split(']').next().unwrap_or(hop);
    let address = bare.parse().or_else(|_| hop.parse::<std::net::SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(peer: &str, lines: &[&'static str], expected: &str) {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", HeaderValue::from_static(line));
        }
        assert_eq!(client(peer.parse().unwrap(), &headers, &trusted).to_string(), expected);
    }

    #[test]
    fn an_untrusted_peer_speaks_for_itself_alone() {
        check("192.0.2.1", &["198.51.100.7"], "192.0.2.1");
    }

    #[test]
    fn the_rightmost_untrusted_hop_counts_whatever_stands_left_of_it() {
        check("10.0.0.1", &["1.1.1.1, 198.51.100.7, 10.0.0.2"], "198.51.100.7");
        check("10.0.0.1", &["1.1.1.1", "198.51.100.7"], "198.51.100.7");
        check("fd00::1", &["[2001:db8::1]:443"], "2001:db8::1");
        check("10.0.0.1", &["198.51.100.7:1234"], "198.51.100.7");
    }

    #[test]
    fn garbage_ends_the_search_at_the_last_hop_that_is_known() {
        check("10.0.0.1", &["198.51.100.7, unknown, 10.0.0.2"], "10.0.0.2");
        check("10.0.0.1", &[], "10.0.0.1");
    }
}
