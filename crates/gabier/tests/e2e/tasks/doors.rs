//! Doors that count who knocks. A `port_scan` of an address knocks there once each time it is started, and it is a tool
//! that must never start twice.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// The first address that is knocked at; all of 127/8 is this machine.
const FIRST: u32 = u32::from_be_bytes([127, 1, 0, 1]);

/// A door that opens on every address of this machine, and one that never answers.
pub(super) struct Doors {
    open: u16,
    deaf: u16,
    next: AtomicU32,
    knocks: Arc<Mutex<HashMap<IpAddr, u32>>>,
    /// What makes the other door deaf: a listener that takes nobody, with its queue full.
    _deaf: (Socket, Vec<TcpStream>),
}

impl Doors {
    pub(super) fn new() -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let open = listener.local_addr().unwrap().port();
        let knocks: Arc<Mutex<HashMap<IpAddr, u32>>> = Arc::default();
        let own = Arc::clone(&knocks);
        spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Ok(address) = stream.local_addr() else { continue };
                *own.lock().unwrap().entry(address.ip()).or_default() += 1;
            }
        });
        let (socket, port, waiting) = deaf();
        Self { open, deaf: port, next: AtomicU32::new(FIRST), knocks, _deaf: (socket, waiting) }
    }

    /// An address that nobody has knocked at.
    pub(super) fn address(&self) -> IpAddr {
        Ipv4Addr::from(self.next.fetch_add(1, Ordering::SeqCst)).into()
    }

    /// The ports of a scan that ends at once.
    pub(super) fn quick(&self) -> String {
        self.open.to_string()
    }

    /// The ports of a scan that takes a second.
    pub(super) fn slow(&self) -> String {
        format!("{},{}", self.open, self.deaf)
    }

    /// How often it was knocked at an address.
    pub(super) fn knocks(&self, address: IpAddr) -> u32 {
        self.knocks.lock().unwrap().get(&address).copied().unwrap_or(0)
    }

    /// The addresses that it was knocked at more than once.
    pub(super) fn twice(&self) -> Vec<IpAddr> {
        let knocks = self.knocks.lock().unwrap();
        knocks.iter().filter(|(_, count)| **count > 1).map(|(address, _)| *address).collect()
    }
}

fn deaf() -> (Socket, u16, Vec<TcpStream>) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([0, 0, 0, 0], 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let to = SocketAddr::from(([127, 0, 0, 1], port));
    let connect = || TcpStream::connect_timeout(&to, Duration::from_millis(300));
    let waiting: Vec<TcpStream> = std::iter::from_fn(|| connect().ok()).take(8).collect();
    assert!(waiting.len() < 8, "the queue of the deaf door does not fill");
    (socket, port, waiting)
}
