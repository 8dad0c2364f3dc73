//! Many files on their way to the server, dozens in flight.

use std::path::PathBuf;
use std::sync::Arc;

use futures::{StreamExt, stream};
use tokio::sync::Semaphore;

use crate::sftp::attributes::Attributes;
use crate::sftp::error::{Error, Result};
use crate::sftp::job::{Job, blocking, is_fatal};
use crate::sftp::local::LocalFolder;
use crate::sftp::options::Verify;
use crate::sftp::path::RemotePath;
use crate::sftp::report::{Arrived, Report};
use crate::sftp::verify::Ready;

use super::content::{Content, Source};
use super::file::{Sealed, compare, send_file};
use super::is_unchanged;
use super::target::admit;

/// Small files that are read by one visit to the disk.
const READ_TOGETHER: usize = 16;
/// Copies that the server's machine hashes by one command.
const COMPARED_TOGETHER: usize = 512;
/// Large files that are sent at once: each fills the link alone.
const LARGE_AT_ONCE: usize = 2;

/// A file that is to be sent.
#[derive(Clone)]
pub(super) struct Planned {
    pub(super) local: PathBuf,
    pub(super) remote: RemotePath,
    pub(super) attributes: Attributes,
    /// What is at the target now.
    pub(super) found: Option<Attributes>,
}

/// A file's outcome so far, with what it is about.
type Step<T> = (Planned, Result<T>);

/// Sends all files. What fails alone is reported; after what would fail for all nothing more is begun.
pub(super) async fn send_all(
    job: &Arc<Job>,
    folder: &LocalFolder,
    planned: Vec<Planned>,
    report: &mut Report,
) -> Result<()> {
    let count = planned.len();
    let (skipped, planned): (Vec<_>, Vec<_>) = planned
        .into_iter()
        .partition(|file| job.skips_unchanged() && is_unchanged(file.found.as_ref(), &file.attributes));
    for file in skipped {
        report.leave(job, file.local.display(), &file.attributes);
    }
    let at_once = job.session.limits().sent_files();
    let large = Semaphore::new(LARGE_AT_ONCE);
    let together = if matches!(job.options.verify, Verify::Remote(_)) { COMPARED_TOGETHER } else { 1 };

    let mut left = planned.len();
    let groups: Vec<Vec<Planned>> = planned.chunks(READ_TOGETHER).map(<[_]>::to_vec).collect();
    let sources = stream::iter(groups).map(|group| read_group(job, folder, group)).buffered(2);
    let sources = sources.flat_map(stream::iter);
    let sealed = sources.map(|(file, source)| send(job, &large, file, source)).buffer_unordered(at_once);
    let get_ready = move |left| if left > 0 { Ready::get(job) } else { None };
    let mut ready = get_ready(left);
    let groups = sealed.chunks(together).map(|group| {
        left -= group.len();
        finish(job, group, std::mem::replace(&mut ready, get_ready(left)))
    });
    let named = groups.buffer_unordered(at_once);
    let mut named = std::pin::pin!(named);
    let mut fatal = None;
    while let Some(outcomes) = named.next().await {
        for (file, outcome) in outcomes {
            match outcome {
                Ok(arrived) => report.add(arrived),
                Err(error) if is_fatal(&error) => {
                    job.give_up();
                    fatal.get_or_insert(error);
                }
                Err(error) => report.fail(file.local.display().to_string(), file.remote.to_string(), error),
            }
        }
    }
    fatal.map_or(Ok(()), |error| Err(report.ended_by(error, count)))
}

async fn read_group(job: &Job, folder: &LocalFolder, group: Vec<Planned>) -> Vec<Step<Source>> {
    if job.is_over() {
        return group.into_iter().map(|file| (file, Err(Error::cancelled()))).collect();
    }
    let (folder, chunk_max, hashes) = (folder.clone(), job.session.limits().chunk(), job.hashes());
    let read = move || {
        let one = |file: Planned| {
            let source = folder.file(&file.local).and_then(|local| Source::read(local, chunk_max, hashes));
            (file, source)
        };
        Ok(group.into_iter().map(one).collect())
    };
    // Reading reports its failures file by file; what is left is a panic, and then nothing is known of the group.
    blocking(read).await.unwrap_or_default()
}

async fn send(job: &Arc<Job>, large: &Semaphore, file: Planned, source: Result<Source>) -> Step<Sealed> {
    let outcome = async {
        let source = source?;
        if job.is_over() {
            return Err(Error::cancelled());
        }
        let target = admit(&job.session, &job.options, file.remote.clone(), file.found).await?;
        let _turn = match source.content {
            Content::Whole { .. } => None,
            Content::Stream(_) => large.acquire().await.ok(),
        };
        let copy = send_file(job, source, target).await?;
        if matches!(job.options.verify, Verify::Remote(_)) {
            return Ok(copy);
        }
        // Reading back takes room on the link, so it must not wait for a sending that is not driven meanwhile.
        compare(job, vec![copy], None).await.remove(0)
    };
    let outcome = outcome.await;
    (file, outcome)
}

/// Has the server's machine compare a group of copies, and gives them their names.
async fn finish(job: &Arc<Job>, group: Vec<Step<Sealed>>, ready: Option<Ready>) -> Vec<Step<Arrived>> {
    let (mut files, mut copies, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for (file, outcome) in group {
        match outcome {
            Ok(copy) => {
                files.push(file);
                copies.push(copy);
            }
            Err(error) => outcomes.push((file, Err(error))),
        }
    }
    let compared = match job.options.verify {
        Verify::Remote(_) => compare(job, copies, ready).await,
        Verify::Size | Verify::ReadBack => copies.into_iter().map(Ok).collect(),
    };
    let publishing = files.into_iter().zip(compared).map(|(file, copy)| async move {
        let outcome = publish(job, copy).await;
        (file, outcome)
    });
    outcomes.extend(futures::future::join_all(publishing).await);
    outcomes
}

async fn publish(job: &Job, copy: Result<Sealed, Error>) -> Result<Arrived> {
    copy?.publish(job).await
}
