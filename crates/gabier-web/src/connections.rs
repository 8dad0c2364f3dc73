//! How many connections there are, in all and of one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The address that limits count by: IPv4 whole, IPv6 by its /64, and an IPv4 in IPv6 as what it is.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !0 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The open connections.
pub(crate) struct Connections {
    most: usize,
    most_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Connections {
    pub(crate) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, open: Mutex::default() })
    }

    /// A place for one more connection, if there is one. No address = a trusted proxy, counted in all only.
    pub(crate) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.most {
            return None;
        }
        let address = address.map(counted);
        if let Some(address) = address {
            let own = open.by_address.entry(address).or_default();
            if *own >= self.most_per_address {
                return None;
            }
            *own += 1;
        }
        open.all += 1;
        Some(Place { connections: Arc::clone(self), address })
    }
}

/// A place among the connections; leaving it is dropping it.
pub(crate) struct Place {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(own) = open.by_address.get_mut(&address) {
            *own -= 1;
            if *own == 0 {
                open.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_share_and_gets_it_back() {
        let connections = Connections::new(3, 1);
        let first = connections.admit(Some(ip("127.0.0.1")));
        assert!(first.is_some());
        assert!(connections.admit(Some(ip("127.0.0.1"))).is_none());
        assert!(
            connections.admit(Some(ip("::ffff:127.0.0.1"))).is_none(),
            "the same address, written in IPv6"
        );
        let second = connections.admit(Some(ip("127.0.0.2")));
        assert!(second.is_some());
        drop(first);
        assert!(connections.admit(Some(ip("127.0.0.1"))).is_some());
    }

    #[test]
    fn the_whole_is_bounded_for_proxies_too() {
        let connections = Connections::new(2, 1);
        let places: Vec<_> = (0..2).filter_map(|_| connections.admit(None)).collect();
        assert_eq!(places.len(), 2);
        assert!(connections.admit(None).is_none());
    }

    #[test]
    fn ipv6_counts_by_its_64_bit_prefix() {
        assert_eq!(counted(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_ne!(counted(ip("2001:db8:1:2::1")), counted(ip("2001:db8:1:3::1")));
    }
}
