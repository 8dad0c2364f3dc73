//! Checkpoints of unfinished transfers, one locked file each.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use sha2::{Digest as _, Sha256};

use crate::sftp::{Checkpoint, Error, Journal, Page, Result, hex};

/// How long an unfinished transfer is remembered.
const REMEMBERED: Duration = Duration::from_hours(31 * 24);
/// How often a page is opened that its last owner is just throwing away.
const ATTEMPTS: usize = 16;

/// A folder with a page for every unfinished transfer of this machine. The lock on a page ends with the process that
/// holds it, however that ends. Pages need not survive a power cut: what they say is compared before it is believed.
pub(crate) struct FolderJournal(PathBuf);

struct FilePage {
    file: Arc<File>,
    path: PathBuf,
}

impl FolderJournal {
    /// Keeps its pages in a folder, which is made when the first is needed.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

impl Journal for FolderJournal {
    fn take<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Box<dyn Page>>>> {
        let (folder, name) = (self.0.clone(), hex(&Sha256::digest(key).into()));
        let taking = blocking(move || {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            tidy(&folder);
            let path = folder.join(format!("{name}.json"));
            Ok(lock(&path)?.map(|file| FilePage { file: Arc::new(file), path }))
        });
        async move { Ok(taking.await?.map(|page| Box::new(page) as Box<dyn Page>)) }.boxed()
    }
}

impl Page for FilePage {
    fn load(&self) -> BoxFuture<'_, Result<Option<Checkpoint>>> {
        let file = Arc::clone(&self.file);
        blocking(move || {
            let mut text = vec![0; usize::try_from(file.metadata()?.len()).unwrap_or(0)];
            file.read_exact_at(&mut text, 0)?;
            Ok(serde_json::from_slice(&text).ok())
        })
        .boxed()
    }

    fn save<'a>(&'a self, checkpoint: &'a Checkpoint) -> BoxFuture<'a, Result<()>> {
        let (file, text) = (Arc::clone(&self.file), serde_json::to_vec(checkpoint));
        blocking(move || {
            let mut text = text?;
            // One write, so that a process that dies leaves the old text or the new one.
            let length = text.len().max(usize::try_from(file.metadata()?.len()).unwrap_or(0));
            text.resize(length, b' ');
            file.write_all_at(&text, 0)
        })
        .boxed()
    }

    fn forget(&self) -> BoxFuture<'_, Result<()>> {
        let path = self.path.clone();
        blocking(move || fs::remove_file(path)).boxed()
    }

    fn discard(&self) {
        // What was thrown away already may be another's page by now.
        if self.file.metadata().is_ok_and(|found| found.nlink() > 0) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for FilePage {
    fn drop(&mut self) {
        if self.file.metadata().is_ok_and(|found| found.len() == 0) {
            self.discard();
        }
    }
}

/// Opens a page for this transfer alone; none while another has it.
fn lock(path: &Path) -> io::Result<Option<File>> {
    for _ in 0..ATTEMPTS {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The last owner may have thrown it away between the opening and the lock.
        if file.metadata()?.nlink() > 0 {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Throws away what nobody came back for.
fn tidy(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let age =
            entry.metadata().and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
        if age.is_some_and(|age| age > REMEMBERED)
            && let Ok(Some(_page)) = lock(&entry.path())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let outcome =
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
    outcome.map_err(|error| Error::local(error, "keeping the journal of a transfer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint {
            temporary: b".a\xff.part".to_vec(),
            size,
            modified: 1,
            segments: Vec::new(),
            prefix: [7; 32],
        }
    }

    async fn take(folder: &Path) -> Option<Box<dyn Page>> {
        FolderJournal::new(folder.join("transfers")).take("web1 up /srv/a").await.unwrap()
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder.join("transfers")).unwrap().count()
    }

    #[tokio::test]
    async fn a_page_is_read_again_by_whoever_comes_next_and_by_nobody_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let page = take(folder.path()).await.unwrap();
        assert_eq!(page.load().await.unwrap(), None);
        for size in [u64::MAX, 5] {
            page.save(&checkpoint(size)).await.unwrap();
        }
        assert!(take(folder.path()).await.is_none());
        drop(page);
        let page = take(folder.path()).await.unwrap();
        assert_eq!(page.load().await.unwrap(), Some(checkpoint(5)));
        page.forget().await.unwrap();
        assert_eq!(take(folder.path()).await.unwrap().load().await.unwrap(), None, "thrown away, so free");
    }

    #[tokio::test]
    async fn a_page_that_came_to_nothing_is_gone_at_once_but_not_that_of_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let page = take(folder.path()).await.unwrap();
        page.save(&checkpoint(5)).await.unwrap();
        page.discard();
        assert_eq!(names(folder.path()), 0);
        let next = take(folder.path()).await.unwrap();
        next.save(&checkpoint(7)).await.unwrap();
        page.discard();
        assert_eq!((names(folder.path()), next.load().await.unwrap()), (1, Some(checkpoint(7))));
    }

    #[tokio::test]
    async fn what_was_never_written_or_is_damaged_leaves_nothing_to_go_on_with() {
        let folder = tempfile::tempdir().unwrap();
        drop(take(folder.path()).await.unwrap());
        assert_eq!(names(folder.path()), 0);
        take(folder.path()).await.unwrap().save(&checkpoint(5)).await.unwrap();
        let file = fs::read_dir(folder.path().join("transfers")).unwrap().next().unwrap().unwrap().path();
        fs::write(file, "{\"temporary\":").unwrap();
        assert_eq!(take(folder.path()).await.unwrap().load().await.unwrap(), None);
    }
}
