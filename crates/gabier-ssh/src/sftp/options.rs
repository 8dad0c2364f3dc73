//! How a transfer is done, and what it is given from outside.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::error::Result;
use super::path::RemotePath;
use super::progress::Listener;
use super::resume::Resume;
use super::session::Session;

/// How a transfer is done.
#[derive(Clone, Default)]
pub struct Options {
    /// Whether an existing target is replaced, or refused.
    pub force: bool,
    /// What happens when the target is a symbolic link.
    pub target_links: TargetLinks,
    /// What happens to symbolic links in a folder that is copied.
    pub tree_links: TreeLinks,
    /// Whether the content must have reached the disk before it gets its name.
    pub durable: bool,
    /// Whether files of equal size and time of change are left out.
    pub skip_unchanged: bool,
    /// How the copy is compared before it gets its name.
    pub verify: Verify,
    /// Where the state of large files is kept, to go on after a failure.
    pub resume: Option<Resume>,
    /// Where more sessions to the same server come from, for large uploads over long links.
    pub channels: Option<Arc<dyn Channels>>,
    /// Who hears of the progress.
    pub progress: Option<Listener>,
    /// Stops the transfer.
    pub cancel: CancellationToken,
}

/// What happens when the target is a symbolic link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetLinks {
    /// What it points to is replaced; the link stays.
    #[default]
    WriteThrough,
    /// The transfer is refused.
    Refuse,
}

/// What happens to symbolic links in a folder that is copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TreeLinks {
    /// They are left out, and that is said.
    #[default]
    Skip,
    /// Files behind links are copied as files; links to folders are left out, and that is said.
    CopyFiles,
}

/// How a copy is compared with its source before it gets its name.
#[derive(Clone, Default)]
pub enum Verify {
    /// Every write was acknowledged, and the size is right.
    #[default]
    Size,
    /// The copy is read back.
    ReadBack,
    /// The server's machine hashes the copies, many files at once.
    Remote(Arc<dyn RemoteHash>),
}

/// Hashes files on the server's machine.
pub trait RemoteHash: Send + Sync {
    /// The SHA-256 of the first `length` bytes of each file, or of all of it; in the order of the files.
    fn sha256(&self, files: Vec<Hashed>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>>;

    /// The same for files that are named later; what can be done before is done at once.
    fn sha256_later(&self, files: BoxFuture<'static, Vec<Hashed>>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>> {
        Box::pin(async move { self.sha256(files.await).await })
    }
}

/// A file to be hashed on the server's machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashed {
    /// The file.
    pub path: RemotePath,
    /// How much of it; all when absent.
    pub length: Option<u64>,
}

/// Gives more sessions to the same server, each on a channel of its own.
pub trait Channels: Send + Sync {
    /// One more session.
    fn open(&self) -> BoxFuture<'_, Result<Session>>;
}
