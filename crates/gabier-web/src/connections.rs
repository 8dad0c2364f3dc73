//! How many connections there are, in all and of one address.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

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
    /// Those that have asked nothing yet, oldest first, each with what ends it.
    silent: BTreeMap<u64, CancellationToken>,
    next: u64,
}

impl Connections {
    pub(crate) fn new(most: usize, most_per_address: usize) -> Arc<Self> {
        Arc::new(Self { most, most_per_address, open: Mutex::default() })
    }

    /// A place for one more connection, if there is one. No address = a trusted proxy, counted in all only. When all
    /// places are taken, the oldest connection that has asked nothing yet makes room: slow heads cannot keep others out.
    pub(crate) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Place> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.all >= self.most && open.silent.is_empty() {
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
        if open.all >= self.most
            && let Some((_, oldest)) = open.silent.pop_first()
        {
            oldest.cancel();
        }
        open.all += 1;
        let (number, evicted) = (open.next, CancellationToken::new());
        open.next += 1;
        open.silent.insert(number, evicted.clone());
        Some(Place {
            connections: Arc::clone(self),
            address,
            number,
            evicted,
            has_asked: AtomicBool::new(false),
        })
    }
}

/// A place among the connections; leaving it is dropping it.
pub(crate) struct Place {
    connections: Arc<Connections>,
    address: Option<IpAddr>,
    number: u64,
    evicted: CancellationToken,
    has_asked: AtomicBool,
}

impl Place {
    /// The connection has asked something: from now on its place is its own.
    pub(crate) fn keep(&self) {
        if !self.has_asked.swap(true, Ordering::Relaxed) {
            self.lock().silent.remove(&self.number);
        }
    }

    /// Resolves when the connection must make room.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.connections.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.lock();
        open.all -= 1;
        open.silent.remove(&self.number);
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
        places.iter().for_each(Place::keep);
        assert!(connections.admit(None).is_none());
    }

    #[tokio::test]
    async fn when_all_places_are_taken_the_oldest_silent_connection_makes_room() {
        let connections = Connections::new(2, 2);
        let asking = connections.admit(None).unwrap();
        asking.keep();
        let silent = connections.admit(None).unwrap();
        let newcomer = connections.admit(None);
        assert!(newcomer.is_some());
        silent.evicted().await;
        assert!(!asking.evicted.is_cancelled());
    }

    #[test]
    fn ipv6_counts_by_its_64_bit_prefix() {
        assert_eq!(counted(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_ne!(counted(ip("2001:db8:1:2::1")), counted(ip("2001:db8:1:3::1")));
    }
}
