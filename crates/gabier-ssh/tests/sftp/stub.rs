//! A server that answers as a test says, over a stream in memory.

use gabier_ssh::sftp::{Result, Session, Settings};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// The far end of a session.
pub(crate) struct Stub(DuplexStream);

/// A request: its kind, its id, the rest.
pub(crate) struct Asked {
    pub(crate) kind: u8,
    pub(crate) id: u32,
    pub(crate) rest: Vec<u8>,
}

impl Stub {
    /// A session with a server that knows no extension and has been greeted.
    pub(crate) async fn session(stall: Duration) -> (Self, Session) {
        let (mut stub, opening) = Self::greeted_by(stall);
        let (session, ()) = tokio::join!(opening, async {
            assert_eq!(stub.packet().await[0], 1);
            stub.send(&[2, 0, 0, 0, 3]).await;
        });
        (stub, session.unwrap())
    }

    /// A session that waits for the greeting.
    pub(crate) fn greeted_by(stall: Duration) -> (Self, impl Future<Output = Result<Session>>) {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        (Self(theirs), Session::open(ours, Settings { stall }))
    }

    /// Sends bytes as they are.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    /// Sends a packet.
    pub(crate) async fn send(&mut self, packet: &[u8]) {
        self.raw(&u32::try_from(packet.len()).unwrap().to_be_bytes()).await;
        self.raw(packet).await;
    }

    /// Answers with a status.
    pub(crate) async fn status(&mut self, id: u32, code: u32) {
        let packet = [&[101][..], &id.to_be_bytes(), &code.to_be_bytes(), &[0; 8]].concat();
        self.send(&packet).await;
    }

    /// Answers with a string: a handle (102) or content (103).
    pub(crate) async fn string(&mut self, kind: u8, id: u32, string: &[u8]) {
        let length = u32::try_from(string.len()).unwrap().to_be_bytes();
        self.send(&[&[kind][..], &id.to_be_bytes(), &length, string].concat()).await;
    }

    /// Answers with a size and a mode.
    pub(crate) async fn attributes(&mut self, id: u32, size: u64, mode: u32) {
        let flags = 5_u32.to_be_bytes();
        let packet =
            [&[105][..], &id.to_be_bytes(), &flags, &size.to_be_bytes(), &mode.to_be_bytes()].concat();
        self.send(&packet).await;
    }

    /// Answers with names of regular files.
    pub(crate) async fn names(&mut self, id: u32, names: &[&[u8]]) {
        let mut packet =
            [&[104][..], &id.to_be_bytes(), &u32::try_from(names.len()).unwrap().to_be_bytes()].concat();
        for name in names {
            for string in [name, &b"line"[..]] {
                packet.extend(u32::try_from(string.len()).unwrap().to_be_bytes());
                packet.extend(string);
            }
            packet.extend(4_u32.to_be_bytes());
            packet.extend(0o100_644_u32.to_be_bytes());
        }
        self.send(&packet).await;
    }

    /// The next request.
    pub(crate) async fn asked(&mut self) -> Asked {
        let packet = self.packet().await;
        Asked {
            kind: packet[0],
            id: u32::from_be_bytes(packet[1..5].try_into().unwrap()),
            rest: packet[5..].to_vec(),
        }
    }

    async fn packet(&mut self) -> Vec<u8> {
        let length = self.0.read_u32().await.unwrap();
        let mut packet = vec![0; length as usize];
        self.0.read_exact(&mut packet).await.unwrap();
        packet
    }
}
