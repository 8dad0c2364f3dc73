//! From here to a server: files, folders, and what a pattern matches.

mod content;
mod file;
mod folders;
mod large;
mod ledger;
mod many;
mod stage;
mod stream;
mod target;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attributes::{Attributes, FileKind};
use super::batch::Batch;
use super::error::{Error, Reason, Result};
use super::glob::{Pattern, match_local};
use super::job::{Job, blocking};
use super::local::LocalFolder;
use super::options::Options;
use super::path::RemotePath;
use super::report::Report;
use super::session::Session;
use super::verify::Ready;
use super::walk::{LocalTree, walk_local};

use content::Source;
pub(super) use content::{describe_change, hash_prefix, read_full};
use file::{compare, open_whole, send_file};
use folders::make_folders;
use many::{Planned, send_all};
use target::{admit, place};

/// Sends a file or a folder. A target that is a folder gets it under its own name. Nothing is seen under a final
/// name before it is whole.
pub async fn upload(
    session: &Session,
    folder: &LocalFolder,
    source: &Path,
    target: &RemotePath,
    options: &Options,
) -> Result<Report> {
    Job::run(session, options, async |job| {
        let found = {
            let (folder, source) = (folder.clone(), source.to_owned());
            blocking(move || folder.stat(&source)).await?
        };
        match found.kind() {
            FileKind::Directory => upload_tree(job, folder, source, target).await,
            _ => upload_one(job, folder, source, target).await,
        }
    })
    .await
}

/// Sends the files that a pattern (`* ? [] **`) matches into a folder, which is made when missing. The tree below the
/// pattern's fixed part is kept.
pub async fn upload_matching(
    session: &Session,
    folder: &LocalFolder,
    pattern: &str,
    target: &RemotePath,
    options: &Options,
) -> Result<Report> {
    let from = folder.place(pattern.as_ref());
    let pattern = Pattern::new(pattern.as_bytes())?;
    Job::run(session, options, async |job| {
        let tree = {
            let (folder, pattern) = (folder.clone(), pattern.clone());
            let links = job.options.tree_links;
            blocking(move || match_local(&folder, &pattern, links)).await?
        };
        let base = PathBuf::from(OsStr::from_bytes(pattern.fixed()));
        let batch = Batch::begin(job, "up", from.as_os_str().as_bytes(), target.as_bytes()).await;
        send_tree(job, folder, &base, target, tree, None, batch).await
    })
    .await
}

/// Replaces a file by these bytes in one step, or makes it. A reader sees the old content or the new.
pub async fn replace(session: &Session, path: &RemotePath, content: &[u8], options: &Options) -> Result<()> {
    let options = Options { force: true, ..options.clone() };
    Job::run(session, &options, async |job| {
        let found = match session.lstat(path).await {
            Ok(found) => Some(found),
            Err(error) if error.reason() == Reason::Missing => None,
            Err(error) => return Err(error),
        };
        let target = admit(session, &job.options, path.clone(), found).await?;
        let (mut stage, ledger) = open_whole(job, target, &Attributes::default(), 0o644).await?;
        if let Err(error) = stage.file().write(0, content).await {
            return Err(stage.explain(error).await);
        }
        let sealed = stage.seal(content.len() as u64, &Attributes::default(), false).await;
        if let Err(error) = sealed {
            return Err(stage.explain(error).await);
        }
        stage.publish().await?;
        match ledger {
            Some(ledger) => ledger.close().await,
            None => Ok(()),
        }
    })
    .await
}

async fn upload_one(
    job: &Arc<Job>,
    folder: &LocalFolder,
    source: &Path,
    target: &RemotePath,
) -> Result<Report> {
    let name = source.file_name().unwrap_or_default();
    let (path, found) = place(&job.session, target, name.as_bytes()).await?;
    let chunk_max = job.session.limits().chunk();
    let (local, hashes) = (open_local(folder, source).await?, job.hashes());
    let mut report = Report::default();
    if job.options.skip_unchanged && is_unchanged(found.as_ref(), &local.attributes) {
        report.skip(source.display().to_string(), "unchanged");
        return Ok(report);
    }
    let target = admit(&job.session, &job.options, path, found).await?;
    let source = blocking(move || Source::read(local, chunk_max, hashes)).await?;
    job.meter.expect(1, source.attributes.size.unwrap_or(0));
    let ready = Ready::get(job);
    let sealed = send_file(job, source, target).await?;
    for copy in compare(job, vec![sealed], ready).await {
        let arrived = copy?.publish(job).await?;
        report.sha256 = arrived.sha256;
        report.add(arrived);
    }
    Ok(report)
}

async fn open_local(folder: &LocalFolder, source: &Path) -> Result<super::local::LocalFile> {
    let (folder, source) = (folder.clone(), source.to_owned());
    blocking(move || folder.file(&source)).await
}

async fn upload_tree(
    job: &Arc<Job>,
    folder: &LocalFolder,
    source: &Path,
    target: &RemotePath,
) -> Result<Report> {
    let name = source.file_name().unwrap_or_default();
    let from = folder.place(source);
    let batch = Batch::begin(job, "up", from.as_os_str().as_bytes(), target.as_bytes()).await;
    let (base, found) = match batch.place() {
        Some(place) => (RemotePath::new(place), None),
        None => place(&job.session, target, name.as_bytes()).await?,
    };
    if found.is_some() && !job.options.force && !job.options.skip_unchanged {
        return Err(Error::new(Reason::Exists, "it is there already").doing("writing", &base));
    }
    let tree = {
        let (folder, source, links) = (folder.clone(), source.to_owned(), job.options.tree_links);
        blocking(move || walk_local(&folder, &source, links)).await?
    };
    let attributes = tree.attributes;
    send_tree(job, folder, source, &base, tree, Some(attributes), batch).await
}

async fn send_tree(
    job: &Arc<Job>,
    folder: &LocalFolder,
    source: &Path,
    base: &RemotePath,
    tree: LocalTree,
    own: Option<Attributes>,
    batch: Batch,
) -> Result<Report> {
    let bytes = tree.files.iter().map(|(_, attributes)| attributes.size.unwrap_or(0)).sum();
    job.meter.expect(tree.files.len() as u64, bytes);
    let mut report = Report { skipped: tree.skipped, ..Report::default() };
    batch.open(base.as_bytes()).await;
    let made = make_folders(job, base, own, &tree.folders).await?;
    made.tidy(job);
    let planned = tree.files.into_iter().map(|(path, attributes)| {
        let remote = base.join(path.as_os_str().as_bytes());
        let found = made.existing.get(&remote).copied();
        Planned { local: source.join(&path), remote, attributes, found }
    });
    send_all(job, folder, planned.collect(), &mut report).await?;
    made.finish(job).await;
    batch.close(&report).await;
    Ok(report)
}

/// True when the target has the size and the time of change of the source.
pub(super) fn is_unchanged(found: Option<&Attributes>, source: &Attributes) -> bool {
    found.is_some_and(|found| {
        matches!(found.kind(), FileKind::Regular | FileKind::Unknown)
            && found.size == source.size
            && found.modified().is_some()
            && found.modified() == source.modified()
    })
}
