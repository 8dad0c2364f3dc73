//! The files of a host.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use gabier_tool::Result;
use tokio_util::sync::CancellationToken;

use crate::path::RemotePath;

/// What sort of thing a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// Anything else: a device, a socket, a pipe.
    Other,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Its length in bytes.
    pub size: u64,
    /// Its permission bits.
    pub mode: Option<u32>,
    /// When it was last changed, in seconds since 1970.
    pub modified: Option<u32>,
}

/// A thing in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as the host gave it.
    pub name: Vec<u8>,
    /// What is known of it, links not followed.
    pub metadata: Metadata,
}

/// The files of a host. Failures are `TRANSFER_FAILED` with the path and the reason, `NOT_FOUND` for what is missing.
pub trait Files: Send + Sync + 'static {
    /// What a path names, links followed.
    fn stat<'a>(&'a self, path: &'a RemotePath) -> BoxFuture<'a, Result<Metadata>>;

    /// What is in a directory, without `.` and `..`.
    fn list<'a>(&'a self, path: &'a RemotePath) -> BoxFuture<'a, Result<Vec<Entry>>>;

    /// Up to `limit` bytes of a file from an offset; fewer mean its end.
    fn read<'a>(&'a self, path: &'a RemotePath, offset: u64, limit: usize) -> BoxFuture<'a, Result<Bytes>>;

    /// Replaces a file at once by these bytes; a reader sees the old content or the new.
    fn write<'a>(&'a self, path: &'a RemotePath, content: Bytes) -> BoxFuture<'a, Result<()>>;

    /// Moves files and folders from here to the host.
    fn upload(&self, job: Move) -> BoxFuture<'_, Result<Moved>>;

    /// Moves files and folders from the host to here.
    fn download(&self, job: Move) -> BoxFuture<'_, Result<Moved>>;
}

/// Files or a folder to move.
#[derive(Clone)]
pub struct Move {
    /// The path here.
    pub local: LocalPlace,
    /// The path on the host.
    pub remote: RemotePath,
    /// Whether an existing target is replaced.
    pub force: bool,
    /// Whether files of equal size and time of change are left alone.
    pub skip_unchanged: bool,
    /// Who hears how far it got; called at most five times a second, and must return at once.
    pub progress: Option<Arc<dyn Fn(MoveProgress) + Send + Sync>>,
    /// Stops it; nothing partial stays under a final name.
    pub cancel: CancellationToken,
}

/// A path on this machine, and how far it may lead.
#[derive(Clone, Debug)]
pub struct LocalPlace {
    /// The path, relative to the folder where there is one.
    pub path: PathBuf,
    /// What it must not leave; the whole machine is open when absent.
    pub within: Option<Confinement>,
    /// A folder whose files are refused wherever it lies.
    pub excluded: Option<PathBuf>,
}

/// A folder that paths must not leave. The kernel looks them up below its open handle.
#[derive(Clone, Debug)]
pub struct Confinement {
    /// The folder, held open.
    pub folder: Arc<OwnedFd>,
    /// Whether symbolic links are followed that stay below it.
    pub follows_links: bool,
    /// Whether files with several names are refused that belong to another user.
    pub denies_hardlinks: bool,
}

impl From<PathBuf> for LocalPlace {
    /// A path that may lead anywhere.
    fn from(path: PathBuf) -> Self {
        Self { path, within: None, excluded: None }
    }
}

/// How far a move got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoveProgress {
    /// Bytes moved.
    pub bytes: u64,
    /// Bytes in all, as far as known.
    pub total_bytes: u64,
    /// Files finished.
    pub files: u64,
    /// Files in all, as far as known.
    pub total_files: u64,
}

/// What a move did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Files moved.
    pub files: u64,
    /// Bytes moved.
    pub bytes: u64,
    /// Bytes of those that an earlier attempt had brought.
    pub resumed: u64,
    /// The SHA-256 of a single file, hex.
    pub sha256: Option<String>,
    /// What was left out, with the reason.
    pub skipped: Vec<String>,
    /// What a reader of the result should know, one sentence each.
    pub notes: Vec<String>,
}
