//! Packets: requests as they are built, replies as they are understood.

use std::fs::File;
use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use super::attributes::{Attributes, Entry, take_entries};
use super::error::{Error, Reason, Result};
use super::path::RemotePath;
use super::wire::{put_string, take_string, take_u32};

/// Room before a chunk of file content for the head of its packet.
const HEAD_ROOM: usize = 64;

/// What is asked of a server; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Ask {
    Init = 1,
    Open = 3,
    Close = 4,
    Read = 5,
    Write = 6,
    Lstat = 7,
    Fstat = 8,
    Setstat = 9,
    Fsetstat = 10,
    Opendir = 11,
    Readdir = 12,
    Remove = 13,
    Mkdir = 14,
    Rmdir = 15,
    Realpath = 16,
    Stat = 17,
    Rename = 18,
    Readlink = 19,
    Symlink = 20,
    Extended = 200,
}

/// A request that is being built.
pub(super) struct Request(BytesMut);

impl Request {
    pub(super) fn new(ask: Ask, id: u32) -> Self {
        let mut packet = BytesMut::with_capacity(128);
        packet.put_u32(0); // the length, once it is known
        packet.put_u8(ask as u8);
        packet.put_u32(id);
        Self(packet)
    }

    pub(super) fn string(mut self, bytes: &[u8]) -> Self {
        put_string(&mut self.0, bytes);
        self
    }

    pub(super) fn number(mut self, number: u32) -> Self {
        self.0.put_u32(number);
        self
    }

    pub(super) fn offset(mut self, offset: u64) -> Self {
        self.0.put_u64(offset);
        self
    }

    pub(super) fn attributes(mut self, attributes: &Attributes) -> Self {
        attributes.put(&mut self.0);
        self
    }

    pub(super) fn finish(mut self) -> Bytes {
        let length = u32::try_from(self.0.len() - 4).expect("no packet has 4 GiB");
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0.freeze()
    }

    fn trailing(mut self, content: &[u8]) -> Bytes {
        self.0.put_slice(content);
        self.finish()
    }
}

/// File content with room before it, so that it leaves in the buffer it was read into.
#[derive(Debug)]
pub(super) struct Chunk(Vec<u8>);

impl Chunk {
    /// Reads up to so many bytes of a file, fewer where it ends.
    pub(super) fn read(file: &File, offset: u64, length: usize) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(HEAD_ROOM + length);
        bytes.resize(HEAD_ROOM, 0);
        while bytes.len() < HEAD_ROOM + length {
            let at = offset + (bytes.len() - HEAD_ROOM) as u64;
            match rustix::io::pread(file, spare_capacity(&mut bytes), at) {
                Ok(0) => break,
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(HEAD_ROOM + length);
        Ok(Self(bytes))
    }

    /// A copy of the bytes.
    pub(super) fn copy_of(content: &[u8]) -> Self {
        let mut bytes = Vec::with_capacity(HEAD_ROOM + content.len());
        bytes.resize(HEAD_ROOM, 0);
        bytes.extend_from_slice(content);
        Self(bytes)
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.0[HEAD_ROOM..]
    }

    pub(super) fn len(&self) -> usize {
        self.0.len() - HEAD_ROOM
    }

    /// The packet that writes this content at the offset.
    pub(super) fn into_write(mut self, id: u32, handle: &[u8], offset: u64) -> Bytes {
        let length = u32::try_from(self.len()).expect("no chunk has 4 GiB");
        let head = Request::new(Ask::Write, id).string(handle).offset(offset).number(length);
        let Some(start) = HEAD_ROOM.checked_sub(head.0.len()) else {
            return head.trailing(self.content());
        };
        let packet_length = head.0.len() - 4 + self.len();
        self.0[start..HEAD_ROOM].copy_from_slice(&head.0);
        let packet_length = u32::try_from(packet_length).expect("no packet has 4 GiB");
        self.0[start..start + 4].copy_from_slice(&packet_length.to_be_bytes());
        Bytes::from(self.0).slice(start..)
    }
}

/// What a server answered.
#[derive(Debug)]
pub(super) enum Reply {
    Status(Status),
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<Entry>),
    Attributes(Attributes),
    Extended(Bytes),
}

/// How a request ended, when it ended without a result.
#[derive(Debug)]
pub(super) struct Status {
    code: u32,
    message: Bytes,
}

/// Reads a reply: the request that it answers, and what it says.
pub(super) fn read_reply(mut packet: Bytes) -> Result<(u32, Reply)> {
    let Ok(kind) = packet.try_get_u8() else {
        return Err(Error::new(Reason::Protocol, "the server sent an empty packet"));
    };
    let id = take_u32(&mut packet)?;
    let reply = match kind {
        101 => Reply::Status(Status {
            code: take_u32(&mut packet)?,
            // Some servers leave the text out.
            message: take_string(&mut packet).unwrap_or_default(),
        }),
        102 => Reply::Handle(take_string(&mut packet)?),
        103 => Reply::Data(take_string(&mut packet)?),
        104 => Reply::Names(take_entries(&mut packet)?),
        105 => Reply::Attributes(Attributes::take(&mut packet)?),
        201 => Reply::Extended(packet),
        kind => {
            return Err(Error::new(Reason::Protocol, format!("the server sent a packet of kind {kind}")));
        }
    };
    Ok((id, reply))
}

impl Status {
    /// Success, or the reason that the code stands for. Codes of later versions of the protocol are understood too,
    /// as servers send them in this one; others are reasons of their own, never the end of a session.
    pub(super) fn settle(self) -> Result<()> {
        let reason = match self.code {
            0 => return Ok(()),
            1 => Reason::End,
            2 | 10 => Reason::Missing,
            3 | 12 => Reason::Permission,
            8 => Reason::Unsupported,
            11 => Reason::Exists,
            14 => Reason::DiskFull { free: 0 },
            19 => Reason::NotADirectory,
            24 => Reason::IsDirectory,
            code => Reason::Refused(code),
        };
        let message = match reason {
            Reason::End => "the end is reached".to_owned(),
            Reason::Missing => "there is no such file or folder".to_owned(),
            Reason::Permission => "the account may not do this".to_owned(),
            Reason::Unsupported => "the server does not know the operation".to_owned(),
            Reason::Exists => "it is there already".to_owned(),
            Reason::DiskFull { .. } => "the file system is full".to_owned(),
            Reason::NotADirectory => "it is not a folder".to_owned(),
            Reason::IsDirectory => "it is a folder".to_owned(),
            _ => format!("the server refused with status {}{}", self.code, self.reported()),
        };
        Err(Error::new(reason, message))
    }

    fn reported(&self) -> String {
        if self.message.is_empty() {
            return String::new();
        }
        format!(" ({})", RemotePath::new(&self.message[..self.message.len().min(200)]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(code: u32, message: &[u8]) -> Bytes {
        let mut packet = BytesMut::new();
        packet.put_u8(101);
        packet.put_u32(9);
        packet.put_u32(code);
        put_string(&mut packet, message);
        packet.freeze()
    }

    fn settled(packet: Bytes) -> Result<()> {
        let (9, Reply::Status(status)) = read_reply(packet).unwrap() else { panic!("a status") };
        status.settle()
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_reply_or_an_error(bytes: Vec<u8>) {
            if let Err(error) = read_reply(Bytes::from(bytes)) {
                prop_assert_eq!(error.reason(), Reason::Protocol);
            }
        }

        #[test]
        fn a_chunk_leaves_as_the_packet_that_would_be_built_by_copying(
            content in proptest::collection::vec(any::<u8>(), 0..600),
            handle in proptest::collection::vec(any::<u8>(), 0..90),
            id: u32,
            offset: u64,
        ) {
            let copied = Request::new(Ask::Write, id).string(&handle).offset(offset).string(&content).finish();
            prop_assert_eq!(Chunk::copy_of(&content).into_write(id, &handle, offset), copied);
        }
    }

    #[test]
    fn an_unknown_status_is_a_reason_of_its_own() {
        let error = settled(status(4711, b"odd\x1b")).unwrap_err();
        assert_eq!(error.reason(), Reason::Refused(4711));
        assert_eq!(error.to_string(), "the server refused with status 4711 (odd\\u{1b})");
    }

    #[test]
    fn a_status_without_its_text_is_understood() {
        let mut packet = BytesMut::from(&status(3, b"")[..]);
        packet.truncate(9);
        assert_eq!(settled(packet.freeze()).unwrap_err().reason(), Reason::Permission);
    }
}
