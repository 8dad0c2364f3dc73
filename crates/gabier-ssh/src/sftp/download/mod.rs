//! From a server to here: files, folders, and what a pattern matches.

mod fetch;
mod file;
mod ledger;
mod many;
mod receiver;
mod stage;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attributes::{Attributes, FileKind};
use super::batch::Batch;
use super::error::{Error, Reason, Result};
use super::glob::{Pattern, fixed, match_remote};
use super::job::{Job, blocking};
use super::local::LocalFolder;
use super::options::Options;
use super::path::{RemotePath, admit_name};
use super::report::Report;
use super::session::Session;
use super::walk::{RemoteTree, walk_remote};

pub(super) use fetch::fetch;
pub(super) use receiver::Receiver;

use file::fetch_file;
use many::{Planned, fetch_all};
use stage::place;

/// Fetches a file or a folder. A target that is a folder gets it under its own name. Nothing is seen under a final
/// name before it is whole.
pub async fn download(
    session: &Session,
    source: &RemotePath,
    folder: &LocalFolder,
    target: &Path,
    options: &Options,
) -> Result<Report> {
    Job::run(session, options, async |job| {
        let found = session.stat(source).await?;
        let name = own_name(session, source).await?;
        let to = folder.place(target);
        let batch = match found.kind() {
            FileKind::Directory => {
                Some(Batch::begin(job, "down", source.as_bytes(), to.as_os_str().as_bytes()).await)
            }
            _ => None,
        };
        let path = match batch.as_ref().and_then(Batch::place) {
            Some(b"") => target.to_owned(),
            Some(inner) => target.join(OsStr::from_bytes(inner)),
            None => {
                let (folder, target) = (folder.clone(), target.to_owned());
                blocking(move || Ok(place(&folder, &target, &name))).await?
            }
        };
        match batch {
            Some(batch) => {
                admit_tree(job, folder, &path).await?;
                let inner = path.strip_prefix(target).unwrap_or(Path::new(""));
                batch.open(inner.as_os_str().as_bytes()).await;
                let tree = walk_remote(&job.session, source, job.options.tree_links).await?;
                fetch_tree(job, source, folder, &path, tree, Some(found), batch).await
            }
            None => download_one(job, source, folder, path, found).await,
        }
    })
    .await
}

/// Fetches the files that a pattern (`* ? [] **`) matches into a folder, which is made when missing. The tree below
/// the pattern's fixed part is kept.
pub async fn download_matching(
    session: &Session,
    pattern: &[u8],
    folder: &LocalFolder,
    target: &Path,
    options: &Options,
) -> Result<Report> {
    let from = pattern;
    let pattern = Pattern::new(pattern)?;
    Job::run(session, options, async |job| {
        let tree = match_remote(session, &pattern, job.options.tree_links).await?;
        let to = folder.place(target);
        let batch = Batch::begin(job, "down", from, to.as_os_str().as_bytes()).await;
        batch.open(b"").await;
        fetch_tree(job, &fixed(&pattern), folder, target, tree, None, batch).await
    })
    .await
}

/// The name that a source has by itself, also when it is spelt `.` or `a/..`.
async fn own_name(session: &Session, source: &RemotePath) -> Result<Vec<u8>> {
    let name = source.name();
    if !matches!(name, b"" | b"." | b"..") {
        return Ok(name.to_vec());
    }
    let real = session.real_path(source).await?;
    if real.name().is_empty() {
        Ok(b"root".to_vec())
    } else {
        admit_name(real.name()).map(|()| real.name().to_vec())
    }
}

async fn download_one(
    job: &Arc<Job>,
    source: &RemotePath,
    folder: &LocalFolder,
    path: PathBuf,
    found: Attributes,
) -> Result<Report> {
    let mut report = Report::default();
    job.meter.expect(1, found.size.unwrap_or(0));
    match fetch_file(job, source, folder, path).await? {
        Some(arrived) => {
            report.sha256 = arrived.sha256;
            report.add(arrived);
        }
        None => report.skip(source.to_string(), "unchanged"),
    }
    Ok(report)
}

/// Lets a folder come to a path where nothing is, unless what is there may be replaced or was brought before.
async fn admit_tree(job: &Arc<Job>, folder: &LocalFolder, path: &Path) -> Result<()> {
    if job.options.force || job.skips_unchanged() {
        return Ok(());
    }
    let (folder, path) = (folder.clone(), path.to_owned());
    let is_there = move || match folder.stat(&path) {
        Err(error) if error.reason() == Reason::Missing => Ok(()),
        Err(error) => Err(error),
        Ok(_) => {
            let message = format!("writing {}: it is there already", path.display());
            Err(Error::new(Reason::Exists, message).here())
        }
    };
    blocking(is_there).await
}

async fn fetch_tree(
    job: &Arc<Job>,
    base: &RemotePath,
    folder: &LocalFolder,
    path: &Path,
    mut tree: RemoteTree,
    own: Option<Attributes>,
    batch: Batch,
) -> Result<Report> {
    let bytes = tree.files.iter().map(|(_, attributes)| attributes.size.unwrap_or(0)).sum();
    job.meter.expect(tree.files.len() as u64, bytes);
    let mut report = Report { skipped: tree.skipped, failed: tree.failed, ..Report::default() };
    tree.folders.sort_by(|one, other| one.0.cmp(&other.0));
    if let Some(own) = own {
        tree.folders.insert(0, (PathBuf::new(), own));
    }
    let (local, new) = {
        let (folder, path, folders) = (folder.clone(), path.to_owned(), tree.folders);
        let job = Arc::clone(job);
        blocking(move || {
            let inner: Vec<PathBuf> = folders.iter().map(|(inner, _)| inner.clone()).collect();
            let made = make_folders(&folder, &path, folders)?;
            if job.goes_on() {
                tidy(&job, &made.0, &inner);
            }
            Ok(made)
        })
        .await?
    };
    let planned = tree.files.into_iter().map(|(inner, attributes)| Planned {
        remote: base.join(inner.as_os_str().as_bytes()),
        inner,
        attributes,
    });
    fetch_all(job, &local, planned.collect(), &mut report).await?;
    blocking(move || {
        for (path, attributes) in &new {
            // All the content is here; who may not do this has it nevertheless.
            let _ = local.set_folder(path, attributes);
        }
        Ok(())
    })
    .await?;
    batch.close(&report).await;
    Ok(report)
}

/// Removes what an earlier attempt has left unfinished in these folders and the one above them. Blocks.
fn tidy(job: &Job, top: &LocalFolder, folders: &[PathBuf]) {
    for folder in std::iter::once(Path::new("")).chain(folders.iter().map(PathBuf::as_path)) {
        let Ok(folder) = top.folder(folder) else { continue };
        for (name, found) in folder.entries().into_iter().flatten() {
            if job.is_left(name.as_bytes(), &found) {
                // What stays is in nobody's way.
                let _ = folder.remove(&name);
            }
        }
    }
}

/// Folders and what they are to be.
type Folders = Vec<(PathBuf, Attributes)>;

/// Makes the folder of a tree and those below it, from which nothing that a server names can lead out. Returns it
/// with those that are new. Blocks.
fn make_folders(folder: &LocalFolder, path: &Path, folders: Folders) -> Result<(LocalFolder, Folders)> {
    let is_new = folder.stat(path).is_err();
    let top = folder.make_folder(path)?.confined();
    let mut new = Folders::new();
    for (inner, attributes) in folders {
        let is_top = inner.as_os_str() == OsStr::new("");
        if if is_top { is_new } else { top.folder(&inner).is_err() } {
            top.make_folder(&inner)?;
            new.push((inner, attributes));
        }
    }
    // Inner folders first: a folder without write permission can still be changed itself.
    new.reverse();
    Ok((top, new))
}
