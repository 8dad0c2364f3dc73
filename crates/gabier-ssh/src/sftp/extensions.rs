//! What `OpenSSH` adds to the protocol: limits, free space, atomic renames, writes that reach the disk.

use bytes::Bytes;

use super::error::{Error, Reason, Result};
use super::packet::Ask;
use super::path::RemotePath;
use super::session::Session;
use super::wire::take_u64;

/// The largest chunk that any server gets.
const CHUNK_MAX: u64 = 255 * 1024;
/// What every server must take.
const CHUNK_ALWAYS: u64 = 32 * 1024;
/// Files that are worked on at once.
const FILES_MAX: u64 = 64;
/// Small files that are worked on at once, where the server has handles for several transfers of so many.
const SMALL_FILES_MAX: u64 = 128;

const LIMITS: &str = "limits@openssh.com";
const POSIX_RENAME: &str = "posix-rename@openssh.com";
const FSYNC: &str = "fsync@openssh.com";
const STATVFS: &str = "statvfs@openssh.com";
const HARDLINK: &str = "hardlink@openssh.com";

/// What a server allows. Zero stands for "not told".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a packet.
    pub packet: u64,
    /// Bytes of one read.
    pub read: u64,
    /// Bytes of one write.
    pub write: u64,
    /// Open files and folders.
    pub handles: u64,
}

impl Limits {
    /// The largest chunk, for reads and writes alike.
    pub(super) fn chunk(self) -> usize {
        let told = [self.read, self.write, self.packet.saturating_sub(1024)];
        let least = told.into_iter().filter(|limit| *limit > 0).min();
        let chunk = if self.read == 0 || self.write == 0 { CHUNK_ALWAYS } else { CHUNK_MAX };
        usize::try_from(least.map_or(chunk, |least| least.min(chunk))).expect("a chunk is below 256 KiB")
    }

    /// How many files may be open at once for one transfer; the other half is for whoever shares the session.
    pub(super) fn files(self) -> usize {
        let files = if self.handles == 0 { FILES_MAX } else { (self.handles / 2).clamp(1, FILES_MAX) };
        usize::try_from(files).expect("at most 64")
    }

    /// How many files may be sent at once. Opening one takes a round trip and writing it another, so more of them are
    /// on their way where the server is generous with handles.
    pub(super) fn sent_files(self) -> usize {
        let generous = usize::try_from((self.handles / 8).min(SMALL_FILES_MAX)).expect("at most 128");
        generous.max(self.files())
    }
}

/// The room of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// Bytes that the account may still write.
    pub free: u64,
    /// Bytes in all.
    pub total: u64,
}

impl Session {
    pub(super) async fn ask_limits(&self) -> Result<Limits> {
        if !self.has_extension(LIMITS, "1") {
            return Ok(Limits::default());
        }
        let answer = self.extended(LIMITS, &[]).await;
        let mut payload = match answer {
            Ok(payload) => payload,
            Err(error) if error.reason().ends_session() => return Err(error),
            Err(_) => return Ok(Limits::default()),
        };
        Ok(Limits {
            packet: take_u64(&mut payload)?,
            read: take_u64(&mut payload)?,
            write: take_u64(&mut payload)?,
            handles: take_u64(&mut payload)?,
        })
    }

    /// The room of the file system that holds the path.
    pub async fn file_system(&self, path: &RemotePath) -> Result<FileSystem> {
        if !self.has_extension(STATVFS, "2") {
            return Err(Error::new(Reason::Unsupported, "the server does not tell the free space"));
        }
        let mut payload = self
            .extended(STATVFS, &[path.as_bytes()])
            .await
            .map_err(|error| error.doing("asking for the free space of", path))?;
        let mut numbers = [0_u64; 5];
        for number in &mut numbers {
            *number = take_u64(&mut payload)?;
        }
        let [_block, fragment, blocks, _free_to_root, free] = numbers;
        Ok(FileSystem { free: free.saturating_mul(fragment), total: blocks.saturating_mul(fragment) })
    }

    /// True when a rename may replace what is there, in one step.
    pub fn can_replace(&self) -> bool {
        self.has_extension(POSIX_RENAME, "1")
    }

    /// Renames, replacing what is there in one step.
    pub async fn replace(&self, from: &RemotePath, to: &RemotePath) -> Result<()> {
        let names = [from.as_bytes(), to.as_bytes()];
        self.extended_status(POSIX_RENAME, &names).await.map_err(|error| error.doing("renaming onto", to))
    }

    /// Gives a file a second name.
    pub async fn hard_link(&self, from: &RemotePath, to: &RemotePath) -> Result<()> {
        if !self.has_extension(HARDLINK, "1") {
            return Err(Error::new(Reason::Unsupported, "the server makes no hard links"));
        }
        let names = [from.as_bytes(), to.as_bytes()];
        self.extended_status(HARDLINK, &names).await.map_err(|error| error.doing("linking", to))
    }

    /// Waits until the content of an open file has reached the disk. Says false where the server cannot tell.
    pub(super) async fn sync(&self, handle: &[u8]) -> Result<bool> {
        if !self.has_extension(FSYNC, "1") {
            return Ok(false);
        }
        self.extended_status(FSYNC, &[handle]).await.map(|()| true)
    }

    async fn extended(&self, name: &str, strings: &[&[u8]]) -> Result<Bytes> {
        self.ask_extended(name, strings).extended().await
    }

    async fn extended_status(&self, name: &str, strings: &[&[u8]]) -> Result<()> {
        self.ask_extended(name, strings).done().await
    }

    fn ask_extended(&self, name: &str, strings: &[&[u8]]) -> super::session::Pending {
        self.send(Ask::Extended, |mut request| {
            request = request.string(name.as_bytes());
            for string in strings {
                request = request.string(string);
            }
            request
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_as_large_as_the_server_takes() {
        let openssh = Limits { packet: 262_144, read: 261_120, write: 261_120, handles: 1019 };
        assert_eq!((openssh.chunk(), openssh.files()), (255 * 1024, 64));
        assert_eq!((Limits::default().chunk(), Limits::default().files()), (32 * 1024, 64));
        let small = Limits { packet: 34_000, read: 65_536, write: 65_536, handles: 10 };
        assert_eq!((small.chunk(), small.files()), (34_000 - 1024, 5));
        assert_eq!(Limits { handles: 1, ..small }.files(), 1);
        assert_eq!((openssh.sent_files(), Limits::default().sent_files(), small.sent_files()), (127, 64, 5));
    }
}
