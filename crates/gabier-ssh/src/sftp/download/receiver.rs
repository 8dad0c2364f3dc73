//! What arrives of a file: written where it belongs, hashed in order, on a thread that may block.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::link::Room;
use crate::sftp::resume::{Contiguous, STEP};

/// A piece of a file, with the room that it took on the link.
struct Piece {
    offset: u64,
    content: Bytes,
    _room: Room,
}

/// Takes the pieces of a file.
pub(in crate::sftp) struct Receiver {
    pieces: mpsc::UnboundedSender<Piece>,
    outcome: JoinHandle<Result<Received>>,
}

/// What arrived without a hole.
pub(in crate::sftp) struct Received {
    pub(in crate::sftp) length: u64,
    pub(in crate::sftp) hash: Option<[u8; 32]>,
}

/// Hears how far a file has arrived without a hole, and the hash of that part.
pub(in crate::sftp) type Marks = mpsc::UnboundedSender<(u64, [u8; 32])>;

impl Receiver {
    /// Writes what arrives from an offset on; a hash goes on from what it has.
    pub(in crate::sftp) fn writing(
        file: Arc<File>,
        start: u64,
        hash: Option<Sha256>,
        marks: Option<Marks>,
    ) -> Self {
        Self::start(Some(file), start, hash, marks)
    }

    /// Only hashes what arrives.
    pub(in crate::sftp) fn hashing() -> Self {
        Self::start(None, 0, Some(Sha256::new()), None)
    }

    fn start(file: Option<Arc<File>>, start: u64, hash: Option<Sha256>, marks: Option<Marks>) -> Self {
        let (pieces, incoming) = mpsc::unbounded_channel();
        let outcome = tokio::task::spawn_blocking(move || {
            receive(incoming, file.as_deref(), start, hash, marks.as_ref())
        });
        Self { pieces, outcome }
    }

    /// Hands a piece over. The room is given back once it is written, so a slow disk slows the sender down.
    pub(super) fn take(&self, offset: u64, content: Bytes, room: Room) {
        // A receiver that has failed says why when it is finished.
        let _ = self.pieces.send(Piece { offset, content, _room: room });
    }

    /// True once it can take no more.
    pub(super) fn has_failed(&self) -> bool {
        self.pieces.is_closed()
    }

    /// Waits until everything is written.
    pub(in crate::sftp) async fn finish(self) -> Result<Received> {
        drop(self.pieces);
        let outcome = self.outcome.await;
        outcome.unwrap_or_else(|_| Err(Error::new(Reason::Local, "writing the local file broke off")))
    }
}

fn receive(
    mut incoming: mpsc::UnboundedReceiver<Piece>,
    file: Option<&File>,
    start: u64,
    mut hash: Option<Sha256>,
    marks: Option<&Marks>,
) -> Result<Received> {
    let mut contiguous = Contiguous::from(start);
    let mut ahead: BTreeMap<u64, Bytes> = BTreeMap::new();
    let (mut hashed, mut marked) = (start, start);
    while let Some(Piece { offset, content, _room }) = incoming.blocking_recv() {
        if let Some(file) = file {
            write_all(file, &content, offset)?;
        }
        contiguous.arrived(offset..offset + content.len() as u64);
        let Some(hash) = &mut hash else { continue };
        ahead.insert(offset, content);
        while let Some(next) = ahead.remove(&hashed) {
            hash.update(&next);
            hashed += next.len() as u64;
        }
        if let Some(marks) = marks
            && hashed - marked >= STEP
        {
            marked = hashed;
            let _ = marks.send((hashed, hash.clone().finalize().into()));
        }
    }
    Ok(Received { length: contiguous.end(), hash: hash.map(|hash| hash.finalize().into()) })
}

/// Writes at an offset.
pub(super) fn write_all(file: &File, content: &[u8], offset: u64) -> Result<()> {
    file.write_all_at(content, offset).map_err(writing)
}

fn writing(error: std::io::Error) -> Error {
    let message = format!("writing the local file: {error}");
    Error::local(error, message)
}
