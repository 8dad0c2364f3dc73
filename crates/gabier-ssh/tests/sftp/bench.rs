//! A real server, a local folder, and a folder that the server writes to.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use futures::future::BoxFuture;
use gabier_ssh::sftp::{
    Checkpoint, Error, Hashed, Journal, LocalFolder, Page, Reach, RemoteHash, Result, Session,
};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use tempfile::TempDir;

use crate::server::Server;

pub(crate) struct Bench {
    _server: Server,
    pub(crate) session: Session,
    pub(crate) local: LocalFolder,
    local_dir: TempDir,
    remote_dir: TempDir,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let (server, session) = Server::session().await;
        let (local_dir, remote_dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let local = LocalFolder::open(local_dir.path(), Reach::Anywhere).unwrap();
        Self { _server: server, session, local, local_dir, remote_dir }
    }

    pub(crate) fn local_path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.local_dir.path().join(path)
    }

    pub(crate) fn remote(&self, path: impl AsRef<Path>) -> PathBuf {
        self.remote_dir.path().join(path)
    }

    pub(crate) fn write_local(&self, path: impl AsRef<Path>, content: &[u8]) {
        write(&self.local_path(path), content);
    }

    pub(crate) fn write_remote(&self, path: impl AsRef<Path>, content: &[u8]) {
        write(&self.remote(path), content);
    }

    pub(crate) fn set_local(&self, path: &str, mode: u32, modified: u64) {
        set(&self.local_path(path), mode, modified);
    }

    pub(crate) fn set_remote(&self, path: &str, mode: u32, modified: u64) {
        set(&self.remote(path), mode, modified);
    }

    pub(crate) fn remote_names(&self) -> Vec<String> {
        names_of(self.remote_dir.path())
    }

    pub(crate) fn local_names(&self) -> Vec<String> {
        names_of(self.local_dir.path())
    }

    pub(crate) fn hasher() -> Arc<Hasher> {
        Arc::new(Hasher { lies: false })
    }

    pub(crate) fn lying_hasher() -> Arc<Hasher> {
        Arc::new(Hasher { lies: true })
    }
}

fn write(path: &Path, content: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn set(path: &Path, mode: u32, modified: u64) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(modified);
    std::fs::File::open(path).unwrap().set_modified(time).unwrap();
}

/// The names of a folder, sorted.
pub(crate) fn names_of(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Bytes without a period that a chunk could hide; the shorter is the start of the longer.
pub(crate) fn content(size: usize) -> Vec<u8> {
    static LONGEST: OnceLock<Vec<u8>> = OnceLock::new();
    LONGEST.get_or_init(make_content)[..size].to_vec()
}

fn make_content() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let numbers = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    numbers.take((64 << 20) / 8).flatten().collect()
}

pub(crate) fn hash_of(content: &[u8]) -> [u8; 32] {
    Sha256::digest(content).into()
}

/// What `sha256sum` on the server's machine would say, or its contrary.
pub(crate) struct Hasher {
    lies: bool,
}

impl RemoteHash for Hasher {
    fn sha256(&self, files: Vec<Hashed>) -> BoxFuture<'_, Result<Vec<[u8; 32]>>> {
        let hash = |file: &Hashed| {
            let content = std::fs::read(OsStr::from_bytes(file.path.as_bytes()));
            let content = content.map_err(|error| Error::local(error, "hashing"))?;
            let length = file.length.map_or(content.len(), |length| usize::try_from(length).unwrap());
            let mut hash = hash_of(&content[..length.min(content.len())]);
            hash[0] ^= u8::from(self.lies);
            Ok(hash)
        };
        Box::pin(std::future::ready(files.iter().map(hash).collect()))
    }
}

/// A journal in memory, of one transfer after the other.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<std::collections::BTreeMap<String, Checkpoint>>>);

/// A page of it.
struct Leaf(Memory, String);

impl Memory {
    /// The one page there is.
    pub(crate) fn only(&self) -> Option<Checkpoint> {
        let pages = self.0.lock().unwrap();
        assert!(pages.len() <= 1, "{:?}", pages.keys());
        pages.values().next().cloned()
    }

    /// Changes the one page there is.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Checkpoint)) {
        change(self.0.lock().unwrap().values_mut().next().unwrap());
    }
}

impl Journal for Memory {
    fn take<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Box<dyn Page>>>> {
        let leaf = Leaf(self.clone(), key.to_owned());
        Box::pin(std::future::ready(Ok(Some(Box::new(leaf) as Box<dyn Page>))))
    }
}

impl Page for Leaf {
    fn load(&self) -> BoxFuture<'_, Result<Option<Checkpoint>>> {
        Box::pin(std::future::ready(Ok(self.0.0.lock().unwrap().get(&self.1).cloned())))
    }

    fn save<'a>(&'a self, checkpoint: &'a Checkpoint) -> BoxFuture<'a, Result<()>> {
        self.0.0.lock().unwrap().insert(self.1.clone(), checkpoint.clone());
        Box::pin(std::future::ready(Ok(())))
    }

    fn forget(&self) -> BoxFuture<'_, Result<()>> {
        self.discard();
        Box::pin(std::future::ready(Ok(())))
    }

    fn discard(&self) {
        self.0.0.lock().unwrap().remove(&self.1);
    }
}
