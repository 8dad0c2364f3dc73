//! Stand-ins for the world on loopback: a web server, a name server, a listener that must hear nothing.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::spawn;

/// A web server that gives every request the same answer.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
}

impl Web {
    pub(crate) fn start(content_type: &str, body: &str) -> Self {
        let length = body.len();
        Self::answering(&format!("200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}"), body)
    }

    /// One that answers with this status, these headers and this body.
    pub(crate) fn answering(head: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut answer = format!("HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").into_bytes();
        answer.extend(body.into());
        let answer: Arc<[u8]> = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let answer = Arc::clone(&answer);
                spawn(move || {
                    let _ = stream.read(&mut [0; 16_384]);
                    // A reader may leave when it has enough.
                    let _ = stream.write_all(&answer);
                });
            }
        });
        Self { address }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

/// A listener that takes connections and says nothing.
pub(crate) fn silent() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    spawn(move || listener.incoming().map_while(Result::ok).collect::<Vec<_>>());
    address
}

/// A listener on every loopback address that counts who comes.
pub(crate) struct Trap {
    pub(crate) port: u16,
    caught: Arc<AtomicUsize>,
}

impl Trap {
    pub(crate) fn set() -> Self {
        // The wildcard address of IPv6 takes IPv4 too: every spelling of loopback ends here.
        let listener = TcpListener::bind("[::]:0").or_else(|_| TcpListener::bind("0.0.0.0:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let caught = Arc::new(AtomicUsize::new(0));
        let own = Arc::clone(&caught);
        spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                own.fetch_add(1, Ordering::SeqCst);
                spawn(move || {
                    let _ = stream.read(&mut [0; 16_384]);
                    let _ = stream.write_all(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\ncaught",
                    );
                });
            }
        });
        Self { port, caught }
    }

    pub(crate) fn caught(&self) -> usize {
        self.caught.load(Ordering::SeqCst)
    }
}

/// A name server: `known.test` is 192.0.2.7, every other name does not exist.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
}

impl Dns {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((length, peer)) = socket.recv_from(&mut packet) {
                let _ = socket.send_to(&answer(&packet[..length]), peer);
            }
        });
        Self { address }
    }
}

/// RFC 1035, §4.1: the question comes back, and an `A` record with it when there is one.
fn answer(query: &[u8]) -> Vec<u8> {
    let question_end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap_or(0) + 5;
    let is_known = query[12..question_end].starts_with(b"\x05known\x04test");
    let asks_address = query[question_end - 4..question_end] == [0, 1, 0, 1];
    let answers = u8::from(is_known && asks_address);
    let mut out = query[..2].to_vec();
    out.extend_from_slice(&[0x81, if is_known { 0x80 } else { 0x83 }, 0, 1, 0, answers, 0, 0, 0, 0]);
    out.extend_from_slice(&query[12..question_end]);
    if answers == 1 {
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    }
    out
}
