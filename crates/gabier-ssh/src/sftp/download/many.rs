//! Many files on their way here, dozens in flight; small ones are written many to a visit of the disk.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::sftp::attributes::Attributes;
use crate::sftp::error::{Error, Result};
use crate::sftp::file::Mode;
use crate::sftp::job::{Job, blocking, is_fatal};
use crate::sftp::local::LocalFolder;
use crate::sftp::options::Verify;
use crate::sftp::path::RemotePath;
use crate::sftp::report::{Arrived, Report};
use crate::sftp::upload::is_unchanged;
use crate::sftp::verify::{Claim, ask, mismatch};

use super::file::fetch_file;
use super::receiver::write_all;
use super::stage::{Admission, Stage, admit};

/// Small files that are written by one visit to the disk.
const WRITTEN_TOGETHER: usize = 32;
/// Files that the server's machine hashes by one command.
const COMPARED_TOGETHER: usize = 256;
/// Large files that are fetched at once: each fills the link alone.
const LARGE_AT_ONCE: usize = 2;

/// A file that is to be fetched.
#[derive(Clone)]
pub(super) struct Planned {
    pub(super) remote: RemotePath,
    /// Its path below the tree's own folder, on both sides.
    pub(super) inner: PathBuf,
    pub(super) attributes: Attributes,
}

/// What is here of a file.
enum Fetched {
    /// Its content, to be written.
    Content(Bytes),
    /// It is written, or was here unchanged.
    Settled(Option<Arrived>),
}

type Step<T> = (Planned, Result<T>);

/// Fetches all files below a local folder. What fails alone is reported; what would fail for all ends it.
pub(super) async fn fetch_all(
    job: &Arc<Job>,
    folder: &LocalFolder,
    planned: Vec<Planned>,
    report: &mut Report,
) -> Result<()> {
    let count = planned.len();
    let large = Semaphore::new(LARGE_AT_ONCE);
    let at_once = job.session.limits().files();
    let asks = matches!(job.options.verify, Verify::Remote(_));
    let fetched = stream::iter(planned).map(|file| fetch_one(job, folder, &large, file));
    let fetched = fetched.buffer_unordered(at_once);
    let groups = if asks {
        fetched.chunks(COMPARED_TOGETHER).boxed()
    } else {
        fetched.ready_chunks(WRITTEN_TOGETHER).boxed()
    };
    let mut settled = groups.map(|group| settle(job, folder, group)).buffer_unordered(2);
    let mut fatal = None;
    while let Some(outcomes) = settled.next().await {
        for (file, outcome) in outcomes {
            match outcome {
                Ok(Some(arrived)) => report.add(arrived),
                Ok(None) => report.leave(job, &file.remote, &file.attributes),
                Err(error) if is_fatal(&error) => {
                    job.give_up();
                    fatal.get_or_insert(error);
                }
                Err(error) => report.fail(file.remote.to_string(), file.inner.display().to_string(), error),
            }
        }
    }
    fatal.map_or(Ok(()), |error| Err(report.ended_by(error, count)))
}

async fn fetch_one(job: &Arc<Job>, folder: &LocalFolder, large: &Semaphore, file: Planned) -> Step<Fetched> {
    let outcome = async {
        if job.is_over() {
            return Err(Error::cancelled());
        }
        if job.skips_unchanged() && is_here(folder, &file).await {
            return Ok(Fetched::Settled(None));
        }
        if let Some(content) = fetch_small(job, &file).await? {
            return Ok(Fetched::Content(content));
        }
        let _turn = large.acquire().await.ok();
        let arrived = fetch_file(job, &file.remote, folder, file.inner.clone()).await?;
        Ok(Fetched::Settled(arrived))
    };
    let outcome = outcome.await;
    (file, outcome)
}

/// True when a file is here as the listing says.
async fn is_here(folder: &LocalFolder, planned: &Planned) -> bool {
    let (folder, file) = (folder.clone(), planned.clone());
    let look = move || {
        let (parent, name) = folder.parent_of(&file.inner)?;
        Ok(is_unchanged(parent.find(name)?.as_ref(), &file.attributes))
    };
    blocking(look).await.unwrap_or(false)
}

/// The content of a file that fits one answer and is as long as the listing said; none for others. The second read
/// sees whether the file goes on.
async fn fetch_small(job: &Job, planned: &Planned) -> Result<Option<Bytes>> {
    let Some(size) = planned.attributes.size.filter(|size| *size > 0) else { return Ok(None) };
    if size > job.session.limits().chunk() as u64 || planned.attributes.modified().is_none() {
        return Ok(None);
    }
    let length = u32::try_from(size).expect("a chunk is below 256 KiB");
    let mut file = job.session.open_file(&planned.remote, Mode::Read, 0).await?;
    let room = job.session.link().room(length as usize).await;
    let (content, beyond) = (file.start_read(0, length), file.start_read(size, 1));
    let close = file.start_close();
    let reading = |error: Error| error.doing("reading", &planned.remote);
    let content = content.data().await.map_err(reading)?;
    let beyond = beyond.data().await.map_err(reading)?;
    close.done().await.map_err(reading)?;
    drop(room);
    job.session.link().delivered(length as usize);
    Ok(content.filter(|content| content.len() as u64 == size && beyond.is_none()))
}

/// Compares and writes a group of files.
async fn settle(
    job: &Arc<Job>,
    folder: &LocalFolder,
    group: Vec<Step<Fetched>>,
) -> Vec<Step<Option<Arrived>>> {
    let (mut contents, mut settled) = (Vec::new(), Vec::new());
    for (file, outcome) in group {
        match outcome {
            Ok(Fetched::Content(content)) => contents.push((file, content)),
            Ok(Fetched::Settled(arrived)) => settled.push((file, Ok(arrived))),
            Err(error) => settled.push((file, Err(error))),
        }
    }
    let right = compare(job, &contents).await;
    let (job, folder) = (job.clone(), folder.clone());
    let written = blocking(move || {
        let one = |((file, content), right): ((Planned, Bytes), Result<bool>)| {
            let outcome = match right {
                Ok(true) => write_small(&job, &folder, &file, &content),
                Ok(false) => Err(mismatch(&file.remote)),
                Err(error) => Err(error),
            };
            (file, outcome)
        };
        Ok(contents.into_iter().zip(right).map(one).collect::<Vec<_>>())
    });
    // Writing reports its failures file by file; what is left is a panic, and then nothing is known of the group.
    settled.extend(written.await.unwrap_or_default());
    settled
}

async fn compare(job: &Job, contents: &[(Planned, Bytes)]) -> Vec<Result<bool>> {
    let Verify::Remote(hasher) = &job.options.verify else {
        return contents.iter().map(|_| Ok(true)).collect();
    };
    let claim = |(file, content): &(Planned, Bytes)| Claim {
        path: file.remote.clone(),
        length: None,
        hash: Sha256::digest(content).into(),
    };
    let claims: Vec<Claim> = contents.iter().map(claim).collect();
    if claims.is_empty() {
        return Vec::new();
    }
    match ask(&**hasher, &claims).await {
        Ok(right) => right.into_iter().map(Ok).collect(),
        Err(error) => contents.iter().map(|_| Err(Error::new(error.reason(), error.to_string()))).collect(),
    }
}

fn write_small(
    job: &Arc<Job>,
    folder: &LocalFolder,
    file: &Planned,
    content: &Bytes,
) -> Result<Option<Arrived>> {
    let Admission::Welcome(target) = admit(job, folder, &file.inner, &file.attributes)? else {
        return Ok(None);
    };
    let mut stage = Stage::open(job, target, &file.attributes)?;
    if let Err(error) = write_all(&stage.file, content, 0) {
        return Err(stage.explain(error));
    }
    let bytes = content.len() as u64;
    stage.publish(bytes, &file.attributes)?;
    job.meter.arrived(bytes);
    job.meter.finished_file();
    Ok(Some(Arrived { bytes, ..Arrived::default() }))
}
