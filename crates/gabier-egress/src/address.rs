//! What kind of place an address is, whatever it is wrapped in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Anywhere on the internet.
    Global,
    /// This machine.
    Loopback,
    /// A private network: RFC 1918, shared (RFC 6598), unique local and link-local addresses.
    Private,
    /// A metadata service of a cloud, which hands out credentials.
    Metadata,
    /// An IPv6 address that tunnels or translates to an IPv4 address.
    Embedded,
    /// Multicast, documentation, unspecified and everything else that is no host's own address.
    Special,
}

impl Class {
    /// The word in error details.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::Metadata => "metadata",
            Self::Embedded => "embedded",
            Self::Special => "special",
        }
    }
}

/// The metadata services of AWS, Azure, Google, Alibaba and Oracle.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// The same over IPv6.
const METADATA_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// The private networks.
const PRIVATE_V4: [Ipv4Net; 5] = [
    net4([10, 0, 0, 0], 8),
    net4([172, 16, 0, 0], 12),
    net4([192, 168, 0, 0], 16),
    net4([169, 254, 0, 0], 16),
    net4([100, 64, 0, 0], 10),
];

/// What the IANA special-purpose registry does not call globally reachable, and what is no unicast address.
const SPECIAL_V4: [Ipv4Net; 9] = [
    net4([0, 0, 0, 0], 8),
    net4([192, 0, 0, 0], 24),
    net4([192, 0, 2, 0], 24),
    net4([192, 88, 99, 0], 24),
    net4([198, 18, 0, 0], 15),
    net4([198, 51, 100, 0], 24),
    net4([203, 0, 113, 0], 24),
    net4([224, 0, 0, 0], 4),
    net4([240, 0, 0, 0], 4),
];

/// Unique local and link-local addresses.
const PRIVATE_V6: [Ipv6Net; 2] = [net6([0xfc00, 0, 0], 7), net6([0xfe80, 0, 0], 10)];

/// Global unicast, as far as it is given out.
const GLOBAL_V6: Ipv6Net = net6([0x2000, 0, 0], 3);

/// The holes in it: IETF protocols, documentation.
const SPECIAL_V6: [Ipv6Net; 3] =
    [net6([0x2001, 0, 0], 23), net6([0x2001, 0xdb8, 0], 32), net6([0x3fff, 0, 0], 20)];

/// The IPv4-compatible range, both NAT64 prefixes, IPv4-translated, Teredo and 6to4.
const EMBEDDED_V6: [Ipv6Net; 6] = [
    net6([0, 0, 0], 96),
    net6([0x64, 0xff9b, 0], 96),
    net6([0x64, 0xff9b, 1], 48),
    Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0), 96),
    net6([0x2001, 0, 0], 32),
    net6([0x2002, 0, 0], 16),
];

/// What kind of place an address is. IPv4-mapped addresses are what they map to, because the kernel dials just that.
pub fn classify(address: IpAddr) -> Class {
    match address.to_canonical() {
        IpAddr::V4(address) => classify_v4(address),
        IpAddr::V6(address) => classify_v6(address),
    }
}

fn classify_v4(address: Ipv4Addr) -> Class {
    if METADATA_V4.contains(&address) {
        Class::Metadata
    } else if address.is_loopback() {
        Class::Loopback
    } else if PRIVATE_V4.iter().any(|net| net.contains(&address)) {
        Class::Private
    } else if SPECIAL_V4.iter().any(|net| net.contains(&address)) {
        Class::Special
    } else {
        Class::Global
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    if METADATA_V6.contains(&address) {
        Class::Metadata
    } else if address.is_loopback() {
        Class::Loopback
    } else if address.is_unspecified() {
        Class::Special
    } else if EMBEDDED_V6.iter().any(|net| net.contains(&address)) || is_isatap(address) {
        Class::Embedded
    } else if PRIVATE_V6.iter().any(|net| net.contains(&address)) {
        Class::Private
    } else if !GLOBAL_V6.contains(&address) || SPECIAL_V6.iter().any(|net| net.contains(&address)) {
        Class::Special
    } else {
        Class::Global
    }
}

/// RFC 5214: the interface identifier `0000:5efe` or `0200:5efe` before an IPv4 address, under any prefix.
fn is_isatap(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    segments[4] & 0xfdff == 0 && segments[5] == 0x5efe
}

const fn net4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3]), prefix)
}

const fn net6(head: [u16; 3], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(head[0], head[1], head[2], 0, 0, 0, 0, 0), prefix)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(class: Class, addresses: &str) {
        for address in addresses.split_whitespace() {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(classify(parsed), class, "{address}");
        }
    }

    #[test]
    fn the_internet_is_global() {
        check(
            Class::Global,
            "1.1.1.1 8.8.8.8 93.184.215.14 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 192.0.1.1 \
             198.17.255.255 198.20.0.1 223.255.255.255 2606:4700::1111 2a00:1450:4001::1 2003::1 2001:200::1 \
             ::ffff:1.1.1.1",
        );
    }

    #[test]
    fn this_machine_is_loopback_mapped_or_not() {
        check(Class::Loopback, "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1");
    }

    #[test]
    fn private_networks_are_private_mapped_or_not() {
        check(
            Class::Private,
            "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.1.1 100.64.0.1 fc00::1 fd12::1 fe80::1 \
             ::ffff:10.0.0.1",
        );
    }

    #[test]
    fn metadata_services_are_a_class_of_their_own() {
        check(
            Class::Metadata,
            "169.254.169.254 168.63.129.16 100.100.100.200 192.0.0.192 169.254.170.2 fd00:ec2::254 \
             fd20:ce::254 ::ffff:169.254.169.254",
        );
    }

    #[test]
    fn every_v4_in_v6_form_is_embedded_even_around_a_public_address() {
        check(
            Class::Embedded,
            "::127.0.0.1 ::1.1.1.1 64:ff9b::127.0.0.1 64:ff9b::1.1.1.1 64:ff9b:1::10.0.0.1 2002:7f00:1:: \
             2002:101:101::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2606:4700::5efe:127.0.0.1 \
             2606:4700::200:5efe:10.0.0.1 fe80::5efe:10.0.0.1 ::ffff:0:127.0.0.1",
        );
    }

    #[test]
    fn what_is_no_host_is_special() {
        check(
            Class::Special,
            "0.0.0.0 0.1.2.3 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 \
             240.0.0.1 255.255.255.255 :: 100::1 2001:db8::1 2001:2::1 2001:20::1 3fff::1 5f00::1 ff02::1 \
             fec0::1 4000::1 1::1",
        );
    }

    proptest! {
        #[test]
        fn a_mapped_address_is_what_it_maps_to(bits: u32) {
            let v4 = Ipv4Addr::from_bits(bits);
            prop_assert_eq!(classify(IpAddr::V4(v4)), classify(IpAddr::V6(v4.to_ipv6_mapped())));
        }

        #[test]
        fn nothing_outside_global_unicast_is_global(bits: u128) {
            let v6 = Ipv6Addr::from_bits(bits);
            prop_assume!(v6.to_ipv4_mapped().is_none());
            if bits >> 125 != 1 {
                prop_assert_ne!(classify(IpAddr::V6(v6)), Class::Global);
            }
        }
    }
}
