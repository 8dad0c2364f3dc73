//! An open remote file.

use bytes::Bytes;

use super::attributes::Attributes;
use super::error::Result;
use super::packet::{Ask, Chunk};
use super::path::RemotePath;
use super::session::{Pending, Session};

/// How a file is opened; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// To read.
    Read = 0x01,
    /// To write into what is there.
    Write = 0x02,
    /// To write from the start on, made when missing.
    Create = 0x02 | 0x08 | 0x10,
    /// To write a file that nobody else has made.
    CreateNew = 0x02 | 0x08 | 0x20,
}

/// An open file. Dropping it closes it without asking how that went; a writer must [`close`](Self::close).
pub struct RemoteFile {
    session: Session,
    handle: Bytes,
    path: RemotePath,
    is_open: bool,
}

impl Session {
    /// Opens a file. The permissions count where one is made.
    pub async fn open_file(&self, path: &RemotePath, mode: Mode, permissions: u32) -> Result<RemoteFile> {
        let attributes = match mode {
            Mode::Read | Mode::Write => Attributes::default(),
            Mode::Create | Mode::CreateNew => {
                Attributes { mode: Some(permissions & 0o7777), ..Attributes::default() }
            }
        };
        let pending = self.send(Ask::Open, |request| {
            request.string(path.as_bytes()).number(mode as u32).attributes(&attributes)
        });
        let handle = pending.handle().await.map_err(|error| error.doing("opening", path))?;
        Ok(RemoteFile { session: self.clone(), handle, path: path.clone(), is_open: true })
    }
}

impl RemoteFile {
    /// The path it was opened by.
    pub fn path(&self) -> &RemotePath {
        &self.path
    }

    /// Its attributes now.
    pub async fn attributes(&self) -> Result<Attributes> {
        let pending = self.start_attributes();
        pending.attributes().await.map_err(|error| error.doing("looking at", &self.path))
    }

    /// Changes attributes.
    pub async fn set_attributes(&self, attributes: &Attributes) -> Result<()> {
        let pending = self.start_set_attributes(attributes);
        pending.done().await.map_err(|error| error.doing("changing the attributes of", &self.path))
    }

    /// Reads up to so many bytes; none at the end. A server may give less than was asked for.
    pub async fn read(&self, offset: u64, length: u32) -> Result<Option<Bytes>> {
        let pending = self.start_read(offset, length);
        pending.data().await.map_err(|error| error.doing("reading", &self.path))
    }

    /// Writes at an offset.
    pub async fn write(&self, offset: u64, content: &[u8]) -> Result<()> {
        let step = self.session.limits().chunk();
        let mut at = offset;
        for part in content.chunks(step) {
            let pending = self.start_write(at, Chunk::copy_of(part));
            pending.done().await.map_err(|error| error.doing("writing", &self.path))?;
            at += part.len() as u64;
        }
        Ok(())
    }

    /// Waits until the content has reached the disk. Says false where the server cannot tell.
    pub async fn sync(&self) -> Result<bool> {
        self.session.sync(&self.handle).await.map_err(|error| error.doing("saving", &self.path))
    }

    /// Closes the file; a full disk may show only here.
    pub async fn close(mut self) -> Result<()> {
        let pending = self.start_close();
        pending.done().await.map_err(|error| error.doing("closing", &self.path))
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn start_read(&self, offset: u64, length: u32) -> Pending {
        self.session.send(Ask::Read, |request| request.string(&self.handle).offset(offset).number(length))
    }

    pub(super) fn start_write(&self, offset: u64, chunk: Chunk) -> Pending {
        self.session.send_chunk(&self.handle, offset, chunk)
    }

    pub(super) fn start_attributes(&self) -> Pending {
        self.session.send(Ask::Fstat, |request| request.string(&self.handle))
    }

    pub(super) fn start_set_attributes(&self, attributes: &Attributes) -> Pending {
        self.session.send(Ask::Fsetstat, |request| request.string(&self.handle).attributes(attributes))
    }

    /// Sends the close; the file must not be used after it.
    pub(super) fn start_close(&mut self) -> Pending {
        self.is_open = false;
        self.session.send(Ask::Close, |request| request.string(&self.handle))
    }
}

impl Drop for RemoteFile {
    fn drop(&mut self) {
        if self.is_open {
            drop(self.start_close());
        }
    }
}
