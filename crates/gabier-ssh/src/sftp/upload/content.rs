//! The content of a local file on its way out: whole when it fits one request, else as a stream of chunks.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::sftp::attributes::Attributes;
use crate::sftp::error::{Error, Result};
use crate::sftp::link::Link;
use crate::sftp::local::{LocalFile, attributes_of};
use crate::sftp::packet::Chunk;
use crate::sftp::resume::STEP;

/// Chunks that are read ahead of the sending.
const AHEAD: usize = 4;

/// A local file, ready to be sent.
pub(in crate::sftp) struct Source {
    pub(in crate::sftp) attributes: Attributes,
    pub(in crate::sftp) content: Content,
}

/// The content of a local file.
pub(in crate::sftp) enum Content {
    /// All of it, with its hash if one is wanted.
    Whole { chunk: Chunk, hash: Option<[u8; 32]>, changed: Option<String> },
    /// Still in the file.
    Stream(Arc<File>),
}

impl Source {
    /// Reads what one request can carry; blocks.
    pub(in crate::sftp) fn read(local: LocalFile, chunk_max: usize, hashes: bool) -> Result<Self> {
        let LocalFile { file, attributes } = local;
        let size = attributes.size.unwrap_or(0);
        if size > chunk_max as u64 {
            return Ok(Self { attributes, content: Content::Stream(Arc::new(file)) });
        }
        // The size may be a lie (`/proc` has 0): one byte more than it tells whether it ends there.
        let guess =
            if size == 0 { chunk_max } else { usize::try_from(size).expect("below the largest chunk") };
        let chunk = Chunk::read(&file, 0, guess).map_err(reading)?;
        let length = chunk.len();
        if size == 0 && length == chunk_max {
            return Ok(Self { attributes, content: Content::Stream(Arc::new(file)) });
        }
        let hash = hashes.then(|| Sha256::digest(chunk.content()).into());
        let changed = if size == 0 { None } else { change(&file, &attributes, length as u64)? };
        Ok(Self { attributes, content: Content::Whole { chunk, hash, changed } })
    }
}

/// Says how a file changed while it was read, if it did.
pub(in crate::sftp) fn change(file: &File, before: &Attributes, sent: u64) -> Result<Option<String>> {
    let after = attributes_of(file).map_err(reading)?;
    Ok(describe_change(before, &after, sent))
}

/// Says how a file changed between two looks, if it did.
pub(in crate::sftp) fn describe_change(
    before: &Attributes,
    after: &Attributes,
    copied: u64,
) -> Option<String> {
    let (old, new) = (before.size.unwrap_or(0), after.size.unwrap_or(0));
    let what = match new.cmp(&old) {
        std::cmp::Ordering::Greater => format!("grew from {old} to {new} bytes"),
        std::cmp::Ordering::Less => format!("shrank from {old} to {new} bytes"),
        std::cmp::Ordering::Equal if after.modified() != before.modified() => "was changed".to_owned(),
        std::cmp::Ordering::Equal => return None,
    };
    Some(format!("the source {what} while it was copied; the copy has {copied} bytes"))
}

/// A chunk of a stream.
pub(in crate::sftp) struct Piece {
    pub(in crate::sftp) offset: u64,
    pub(in crate::sftp) chunk: Chunk,
    /// The hash of everything up to the end of this chunk, now and then.
    pub(in crate::sftp) prefix: Option<[u8; 32]>,
}

/// A file that is being read on a thread of its own.
pub(in crate::sftp) struct Reading {
    pub(in crate::sftp) pieces: mpsc::Receiver<Piece>,
    pub(in crate::sftp) outcome: tokio::task::JoinHandle<Result<ReadOut>>,
}

/// What was read.
pub(in crate::sftp) struct ReadOut {
    /// The end of the last chunk.
    pub(in crate::sftp) end: u64,
    pub(in crate::sftp) hash: Option<Sha256>,
}

/// Reads a part of a file in chunks as large as the link wants them; to its end when none is given. A hash goes on
/// from what it has.
pub(in crate::sftp) fn read_stream(
    file: Arc<File>,
    start: u64,
    end: Option<u64>,
    mut hash: Option<Sha256>,
    link: Arc<Link>,
) -> Reading {
    let (sender, pieces) = mpsc::channel(AHEAD);
    let outcome = tokio::task::spawn_blocking(move || {
        let (mut offset, mut marked) = (start, start);
        loop {
            let left = end.map_or(u64::MAX, |end| end - offset);
            let length = left.min(link.chunk() as u64);
            let length = usize::try_from(length).expect("a chunk is below 256 KiB");
            let chunk = Chunk::read(&file, offset, length).map_err(reading)?;
            let length = chunk.len();
            if length == 0 {
                break;
            }
            let piece_start = offset;
            offset += length as u64;
            let mut prefix = None;
            if let Some(hash) = &mut hash {
                hash.update(chunk.content());
                if offset - marked >= STEP {
                    marked = offset;
                    prefix = Some(hash.clone().finalize().into());
                }
            }
            if sender.blocking_send(Piece { offset: piece_start, chunk, prefix }).is_err() {
                break; // nobody wants the rest
            }
        }
        Ok(ReadOut { end: offset, hash })
    });
    Reading { pieces, outcome }
}

/// Hashes the first bytes of a file; blocks.
pub(in crate::sftp) fn hash_prefix(file: &File, length: u64) -> Result<Sha256> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut offset = 0;
    while offset < length {
        let wanted = usize::try_from(length - offset).unwrap_or(usize::MAX).min(buffer.len());
        let count = read_full(file, &mut buffer[..wanted], offset).map_err(reading)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        offset += count as u64;
    }
    Ok(hash)
}

/// Reads until the buffer is full or the file ends.
pub(in crate::sftp) fn read_full(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn reading(error: io::Error) -> Error {
    let message = format!("reading the local file: {error}");
    Error::local(error, message)
}
