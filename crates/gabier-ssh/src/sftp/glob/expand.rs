//! What a pattern matches, found by entering only the folders that can hold a match.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use crate::sftp::attributes::{Attributes, FileKind};
use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::local::LocalFolder;
use crate::sftp::options::TreeLinks;
use crate::sftp::path::{RemotePath, admit_name};
use crate::sftp::session::Session;
use crate::sftp::walk::{LISTED_AT_ONCE, LocalTree, RemoteTree};

use super::{Pattern, Places};

const MATCHES_MAX: usize = 10_000;
const DEPTH_MAX: usize = 32;
const LOCAL_TIME: Duration = Duration::from_secs(2);

/// Lists the local files that a pattern matches, with the folders above them; blocks for two seconds at most.
pub(in crate::sftp) fn match_local(
    folder: &LocalFolder,
    pattern: &Pattern,
    links: TreeLinks,
) -> Result<LocalTree> {
    let start = Instant::now();
    let top = folder.folder(Path::new(OsStr::from_bytes(pattern.fixed())))?;
    let mut tree = LocalTree::default();
    let mut entered = BTreeMap::new();
    let mut waiting = vec![(PathBuf::new(), pattern.start())];
    while let Some((inner, places)) = waiting.pop() {
        check_bounds(&inner, tree.files.len())?;
        if start.elapsed() > LOCAL_TIME {
            return Err(Error::new(Reason::TooMany, "finding what the pattern matches takes more than 2 s"));
        }
        let here = top.folder(&inner)?;
        for (name, attributes) in here.entries()? {
            let path = inner.join(&name);
            if attributes.kind() == FileKind::Directory {
                enter(pattern, &places, name.as_bytes(), &path, &mut waiting);
                entered.insert(path, attributes);
            } else if pattern.ends_with(&places, name.as_bytes()) {
                tree.take(&here, &name, path, attributes, links);
            }
        }
    }
    tree.folders = above(&tree.files, &entered);
    Ok(tree)
}

/// Lists the remote files that a pattern matches, with the folders above them.
pub(in crate::sftp) async fn match_remote(
    session: &Session,
    pattern: &Pattern,
    links: TreeLinks,
) -> Result<RemoteTree> {
    let base = fixed(pattern);
    let list = async |inner: PathBuf, places: Places| {
        let listing = session.list(&base.join(inner.as_os_str().as_bytes())).await;
        (inner, places, listing)
    };
    let mut tree = RemoteTree::default();
    let mut entered = BTreeMap::new();
    let mut waiting = vec![(PathBuf::new(), pattern.start())];
    let mut listings = FuturesUnordered::new();
    loop {
        while listings.len() < LISTED_AT_ONCE
            && let Some((inner, places)) = waiting.pop()
        {
            check_bounds(&inner, tree.files.len())?;
            listings.push(list(inner, places));
        }
        let Some((inner, places, listing)) = listings.next().await else { break };
        for entry in listing? {
            if entry.attributes.kind() == FileKind::Directory {
                if admit_name(&entry.name).is_ok() {
                    let path = inner.join(OsStr::from_bytes(&entry.name));
                    enter(pattern, &places, &entry.name, &path, &mut waiting);
                    entered.insert(path, entry.attributes);
                }
            } else if pattern.ends_with(&places, &entry.name) {
                tree.take(session, &base, &inner, &entry, links).await;
            }
        }
    }
    tree.folders = above(&tree.files, &entered);
    Ok(tree)
}

/// The folder that a remote pattern starts in.
pub(in crate::sftp) fn fixed(pattern: &Pattern) -> RemotePath {
    match pattern.fixed() {
        [] => RemotePath::from("."),
        fixed => RemotePath::new(fixed),
    }
}

fn enter(pattern: &Pattern, places: &Places, name: &[u8], path: &Path, waiting: &mut Vec<(PathBuf, Places)>) {
    let inner = pattern.enter(places, name);
    if !inner.is_empty() {
        waiting.push((path.to_owned(), inner));
    }
}

fn check_bounds(inner: &Path, matches: usize) -> Result<()> {
    if matches > MATCHES_MAX {
        return Err(Error::new(
            Reason::TooMany,
            format!("the pattern matches more than {MATCHES_MAX} files"),
        ));
    }
    if inner.components().count() > DEPTH_MAX {
        let message = format!("the pattern enters folders nested more than {DEPTH_MAX} deep");
        return Err(Error::new(Reason::TooMany, message));
    }
    Ok(())
}

/// The folders that lie above the files, each once.
fn above(
    files: &[(PathBuf, Attributes)],
    entered: &BTreeMap<PathBuf, Attributes>,
) -> Vec<(PathBuf, Attributes)> {
    let folders = files.iter().flat_map(|(path, _)| path.ancestors().skip(1));
    let folders: BTreeSet<&Path> = folders.filter(|folder| !folder.as_os_str().is_empty()).collect();
    let known = |folder: &Path| entered.get(folder).copied().unwrap_or_default();
    folders.into_iter().map(|folder| (folder.to_owned(), known(folder))).collect()
}
