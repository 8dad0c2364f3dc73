//! Where a client comes from, as far as limits count it.

use std::net::IpAddr;

/// One counted client: an IPv4 address, or the /64 of an IPv6 one, since whoever has one address there has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    V4(u32),
    V6(u64),
}

impl Source {
    /// The source of an address; an IPv4 address in IPv6 clothes counts as IPv4.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Source;

    fn check(left: &str, right: &str) -> bool {
        Source::of(left.parse().unwrap()) == Source::of(right.parse().unwrap())
    }

    #[test]
    fn one_ipv6_network_is_one_source_and_mapped_ipv4_is_ipv4() {
        assert!(check("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!check("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(check("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!check("192.0.2.1", "192.0.2.2"));
    }
}
