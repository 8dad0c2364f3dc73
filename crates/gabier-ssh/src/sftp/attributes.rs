//! What a server tells about a file, and what it is told.

use bytes::{BufMut, Bytes, BytesMut};

use super::error::Result;
use super::wire::{take_string, take_u32, take_u64};

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const MODE: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 0x8000_0000;

const TYPE_MASK: u32 = 0o170_000;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file with content.
    Regular,
    /// A folder.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a pipe or a socket.
    Special,
    /// The server did not say.
    Unknown,
}

/// Who a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}

/// The attributes of a file; what is absent was not told, or is not to be changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Size in bytes.
    pub size: Option<u64>,
    /// Owner.
    pub owner: Option<Owner>,
    /// Type and permissions, as `st_mode` has them.
    pub mode: Option<u32>,
    /// Last access and last change of the content, in seconds since 1970.
    pub times: Option<(u32, u32)>,
}

impl Attributes {
    /// The permissions and the time of change that a copy gets.
    pub fn of_copy(mode: u32, modified: u32) -> Self {
        Self { mode: Some(mode), times: Some((modified, modified)), ..Self::default() }
    }

    /// What the file is.
    pub fn kind(&self) -> FileKind {
        match self.mode.map(|mode| mode & TYPE_MASK) {
            Some(0o100_000) => FileKind::Regular,
            Some(0o040_000) => FileKind::Directory,
            Some(0o120_000) => FileKind::Link,
            Some(0) | None => FileKind::Unknown,
            Some(_) => FileKind::Special,
        }
    }

    /// The permissions without the type; `0` where the server did not say.
    pub fn permissions(&self) -> u32 {
        self.mode.unwrap_or(0) & 0o7777
    }

    /// The time of change, in seconds since 1970.
    pub fn modified(&self) -> Option<u32> {
        self.times.map(|(_, modified)| modified)
    }

    pub(super) fn put(&self, buffer: &mut BytesMut) {
        let mut flags = 0;
        flags |= if self.size.is_some() { SIZE } else { 0 };
        flags |= if self.owner.is_some() { OWNER } else { 0 };
        flags |= if self.mode.is_some() { MODE } else { 0 };
        flags |= if self.times.is_some() { TIMES } else { 0 };
        buffer.put_u32(flags);
        if let Some(size) = self.size {
            buffer.put_u64(size);
        }
        if let Some(owner) = self.owner {
            buffer.put_u32(owner.uid);
            buffer.put_u32(owner.gid);
        }
        if let Some(mode) = self.mode {
            buffer.put_u32(mode);
        }
        if let Some((accessed, modified)) = self.times {
            buffer.put_u32(accessed);
            buffer.put_u32(modified);
        }
    }

    pub(super) fn take(packet: &mut Bytes) -> Result<Self> {
        let flags = take_u32(packet)?;
        let has = |flag| flags & flag != 0;
        let attributes = Self {
            size: if has(SIZE) { Some(take_u64(packet)?) } else { None },
            owner: if has(OWNER) {
                Some(Owner { uid: take_u32(packet)?, gid: take_u32(packet)? })
            } else {
                None
            },
            mode: if has(MODE) { Some(take_u32(packet)?) } else { None },
            times: if has(TIMES) { Some((take_u32(packet)?, take_u32(packet)?)) } else { None },
        };
        if has(EXTENDED) {
            for _ in 0..take_u32(packet)? {
                take_string(packet)?;
                take_string(packet)?;
            }
        }
        Ok(attributes)
    }
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, as the server spelt it. It may be hostile: see [`admit_name`](super::admit_name).
    pub name: Bytes,
    /// What the listing tells about the file.
    pub attributes: Attributes,
}

/// Reads the names of a listing's packet.
pub(super) fn take_entries(packet: &mut Bytes) -> Result<Vec<Entry>> {
    let count = take_u32(packet)? as usize;
    let mut entries = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let name = take_string(packet)?;
        take_string(packet)?; // the line that `ls -l` would print
        entries.push(Entry { name, attributes: Attributes::take(packet)? });
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sftp::error::Reason;
    use crate::sftp::wire::put_string;

    /// Writes the names of a listing, for servers in tests.
    fn put_entries(buffer: &mut BytesMut, entries: &[Entry]) {
        buffer.put_u32(u32::try_from(entries.len()).unwrap());
        for entry in entries {
            put_string(buffer, &entry.name);
            put_string(buffer, b"-rw-r--r--");
            entry.attributes.put(buffer);
        }
    }

    fn attributes() -> impl Strategy<Value = Attributes> {
        let owner = any::<Option<(u32, u32)>>();
        (any::<Option<u64>>(), owner, any::<Option<u32>>(), any::<Option<(u32, u32)>>()).prop_map(
            |(size, owner, mode, times)| Attributes {
                size,
                owner: owner.map(|(uid, gid)| Owner { uid, gid }),
                mode,
                times,
            },
        )
    }

    proptest! {
        #[test]
        fn listings_come_back_as_they_were(listing in proptest::collection::vec((any::<Vec<u8>>(), attributes()), 0..20)) {
            let listing: Vec<Entry> =
                listing.into_iter().map(|(name, attributes)| Entry { name: name.into(), attributes }).collect();
            let mut buffer = BytesMut::new();
            put_entries(&mut buffer, &listing);
            prop_assert_eq!(take_entries(&mut buffer.freeze()).unwrap(), listing);
        }

        #[test]
        fn any_bytes_are_a_listing_or_an_error(bytes: Vec<u8>) {
            if let Err(error) = take_entries(&mut Bytes::from(bytes)) {
                prop_assert_eq!(error.reason(), Reason::Protocol);
            }
        }
    }

    #[test]
    fn extensions_of_attributes_are_passed_over() {
        let mut buffer = BytesMut::new();
        buffer.put_u32(SIZE | EXTENDED);
        buffer.put_u64(7);
        buffer.put_u32(1);
        put_string(&mut buffer, b"acl@example.org");
        put_string(&mut buffer, b"whatever");
        buffer.put_u8(0xff);
        let mut packet = buffer.freeze();
        assert_eq!(Attributes::take(&mut packet).unwrap().size, Some(7));
        assert_eq!(&packet[..], [0xff]);
    }

    #[test]
    fn kinds_are_told_by_the_mode() {
        let kinds = [
            (0o100_644, FileKind::Regular),
            (0o040_755, FileKind::Directory),
            (0o120_777, FileKind::Link),
            (0o010_600, FileKind::Special),
            (0o140_600, FileKind::Special),
            (0o644, FileKind::Unknown),
        ];
        for (mode, kind) in kinds {
            assert_eq!(Attributes { mode: Some(mode), ..Attributes::default() }.kind(), kind, "{mode:o}");
        }
    }
}
