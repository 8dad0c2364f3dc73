//! A SQLite store aside, which becomes what is wanted only when it is whole.

use std::path::{Path, PathBuf};

use gabier_store::{Embedded, Store};
use gabier_tool::{Error, ErrorKind, Result};

use super::{failed, open};

/// A folder (0700) with a store in it; it goes with this.
pub(super) struct Staged {
    folder: PathBuf,
}

impl Staged {
    /// A folder beside a path, on the same file system.
    pub(super) fn beside(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path).map_err(|source| unusable(path, &source))?;
        let parent = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).map_err(|source| unusable(parent, &source))?;
        let name = path.file_name().map_or_else(|| "store".into(), std::ffi::OsStr::to_os_string);
        let mut folder = std::ffi::OsString::from(".");
        folder.push(name);
        folder.push(format!(".{}.staged", std::process::id()));
        Ok(Self { folder: parent.join(folder) })
    }

    /// The store in it, made when it is first asked for.
    pub(super) fn store(&self) -> Result<Store> {
        open(&format!("sqlite:{}", self.folder.display()))
    }

    /// Fills it from a backup, which is looked through.
    pub(super) fn fill(&self, backup: &Path) -> Result<()> {
        Embedded::restore(&self.folder, backup).map_err(failed)
    }

    /// Writes what is in it to one file.
    pub(super) async fn write(&self, store: &Store, to: &Path) -> Result<()> {
        match &store.embedded {
            Some(embedded) => embedded.backup(to).await.map_err(failed),
            None => Err(Error::internal("a store aside is no file")),
        }
    }

    /// A file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn unusable(path: &Path, source: &std::io::Error) -> Error {
    Error::new(ErrorKind::InvalidArgument, format!("using {}: {source}", path.display()))
}
