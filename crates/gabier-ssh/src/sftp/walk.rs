//! Trees, listed before anything moves: the local one by folders held open, the remote one many listings at once.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::attributes::{Attributes, Entry, FileKind};
use super::error::{Error, Reason, Result};
use super::local::LocalFolder;
use super::options::TreeLinks;
use super::path::{RemotePath, admit_name};
use super::report::{Failed, Skipped};
use super::session::Session;

/// Folders within folders.
pub(super) const DEPTH_MAX: usize = 128;
/// Folders that are listed at once.
pub(super) const LISTED_AT_ONCE: usize = 16;

/// A local tree; paths are below its own folder.
#[derive(Debug, Default)]
pub(super) struct LocalTree {
    pub(super) attributes: Attributes,
    pub(super) folders: Vec<(PathBuf, Attributes)>,
    pub(super) files: Vec<(PathBuf, Attributes)>,
    pub(super) skipped: Vec<Skipped>,
}

impl LocalTree {
    /// Sorts an entry into its place. True for a folder.
    pub(super) fn take(
        &mut self,
        folder: &LocalFolder,
        name: &OsStr,
        path: PathBuf,
        attributes: Attributes,
        links: TreeLinks,
    ) -> bool {
        let skip = |why| Skipped { path: path.display().to_string(), why };
        match attributes.kind() {
            FileKind::Directory => {
                self.folders.push((path, attributes));
                return true;
            }
            FileKind::Regular | FileKind::Unknown => self.files.push((path, attributes)),
            FileKind::Link if links == TreeLinks::CopyFiles => match folder.stat(name.as_ref()) {
                Ok(found) if found.kind() == FileKind::Regular => self.files.push((path, found)),
                _ => self.skipped.push(skip("a symbolic link that leads to no file")),
            },
            FileKind::Link => self.skipped.push(skip("a symbolic link")),
            FileKind::Special => self.skipped.push(skip("not a regular file")),
        }
        false
    }
}

/// Lists a local tree; blocks.
pub(super) fn walk_local(folder: &LocalFolder, path: &Path, links: TreeLinks) -> Result<LocalTree> {
    let top = folder.folder(path)?;
    let mut tree = LocalTree { attributes: folder.stat(path)?, ..LocalTree::default() };
    let mut waiting = vec![(PathBuf::new(), 0)];
    while let Some((inner, depth)) = waiting.pop() {
        if depth > DEPTH_MAX {
            return Err(too_deep());
        }
        let here = top.folder(&inner)?;
        for (name, attributes) in here.entries()? {
            let path = inner.join(&name);
            if tree.take(&here, &name, path.clone(), attributes, links) {
                waiting.push((path, depth + 1));
            }
        }
    }
    Ok(tree)
}

/// A remote tree; paths are below its own folder, and every part of them was admitted.
#[derive(Debug, Default)]
pub(super) struct RemoteTree {
    pub(super) folders: Vec<(PathBuf, Attributes)>,
    pub(super) files: Vec<(PathBuf, Attributes)>,
    pub(super) skipped: Vec<Skipped>,
    pub(super) failed: Vec<Failed>,
}

impl RemoteTree {
    /// Sorts an entry of a folder into its place. Returns the path of a folder.
    pub(super) async fn take(
        &mut self,
        session: &Session,
        base: &RemotePath,
        inner: &Path,
        entry: &Entry,
        links: TreeLinks,
    ) -> Option<PathBuf> {
        let remote = base.join(inner.as_os_str().as_bytes()).join(&entry.name);
        if let Err(error) = admit_name(&entry.name) {
            self.failed.push(Failed { source: remote.to_string(), target: String::new(), error });
            return None;
        }
        let path = inner.join(OsStr::from_bytes(&entry.name));
        let skip = |why| Skipped { path: remote.to_string(), why };
        let mut attributes = entry.attributes;
        if attributes.kind() == FileKind::Unknown {
            attributes = session.lstat(&remote).await.unwrap_or(attributes);
        }
        match attributes.kind() {
            FileKind::Directory => {
                self.folders.push((path.clone(), attributes));
                return Some(path);
            }
            FileKind::Regular | FileKind::Unknown => self.files.push((path, attributes)),
            FileKind::Link if links == TreeLinks::CopyFiles => match session.stat(&remote).await {
                Ok(found) if found.kind() == FileKind::Regular => self.files.push((path, found)),
                _ => self.skipped.push(skip("a symbolic link that leads to no file")),
            },
            FileKind::Link => self.skipped.push(skip("a symbolic link")),
            FileKind::Special => self.skipped.push(skip("not a regular file")),
        }
        None
    }
}

/// Lists a remote tree. A folder that cannot be listed fails alone, unless it is the top.
pub(super) async fn walk_remote(
    session: &Session,
    base: &RemotePath,
    links: TreeLinks,
) -> Result<RemoteTree> {
    let list = async |inner: PathBuf| {
        let listing = session.list(&base.join(inner.as_os_str().as_bytes())).await;
        (inner, listing)
    };
    let mut tree = RemoteTree::default();
    let mut waiting = vec![PathBuf::new()];
    let mut listings = FuturesUnordered::new();
    loop {
        while listings.len() < LISTED_AT_ONCE
            && let Some(inner) = waiting.pop()
        {
            listings.push(list(inner));
        }
        let Some((inner, listing)) = listings.next().await else { return Ok(tree) };
        let entries = match listing {
            Ok(entries) => entries,
            Err(error) if error.reason().ends_session() || inner.as_os_str().is_empty() => return Err(error),
            Err(error) => {
                let source = base.join(inner.as_os_str().as_bytes()).to_string();
                tree.failed.push(Failed { source, target: String::new(), error });
                continue;
            }
        };
        if inner.components().count() >= DEPTH_MAX {
            return Err(too_deep());
        }
        for entry in &entries {
            waiting.extend(tree.take(session, base, &inner, entry, links).await);
        }
    }
}

pub(super) fn too_deep() -> Error {
    Error::new(Reason::TooMany, format!("folders are nested more than {DEPTH_MAX} deep"))
}
