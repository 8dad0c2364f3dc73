//! Many files on their way here, dozens in flight; small ones are written many to a visit of the disk.

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use futures::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::sftp::attributes::Attributes;
use crate::sftp::error::{Error, Result};
use crate::sftp::file::Mode;
use crate::sftp::job::{Job, blocking, is_fatal};
use crate::sftp::local::LocalFolder;
use crate::sftp::options::{Hashed, Verify};
use crate::sftp::path::RemotePath;
use crate::sftp::report::{Arrived, Report};
use crate::sftp::upload::is_unchanged;
use crate::sftp::verify::{Claim, ask, mismatch};

use super::file::fetch_file;
use super::receiver::write_all;
use super::stage::{Admission, Stage, admit};

/// Small files that are hashed by one command of the server's machine and written by one visit to the disk.
const TOGETHER: usize = 512;
/// The most bytes of them, which wait in memory.
const TOGETHER_BYTES: u64 = 8 << 20;
/// Groups under way: while one is written, the next are fetched.
const GROUPS: usize = 3;
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
    /// It was here unchanged.
    Unchanged,
    /// It is not as the listing said.
    Other,
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
    let (small, large): (Vec<_>, Vec<_>) = planned.into_iter().partition(|file| is_small(job, file));
    let turns = Semaphore::new(job.session.limits().files());
    let small = stream::iter(in_groups(small)).map(|group| fetch_group(job, folder, &turns, group));
    let large = stream::iter(large).map(async |file| vec![fetch_large(job, folder, file).await]);
    let settled = stream::select(small.buffer_unordered(GROUPS), large.buffer_unordered(LARGE_AT_ONCE));
    let mut settled = pin!(settled);
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

/// True for a file whose content comes with one answer, if it is as the listing says.
fn is_small(job: &Job, file: &Planned) -> bool {
    let chunk = job.session.limits().chunk() as u64;
    file.attributes.modified().is_some()
        && file.attributes.size.is_some_and(|size| (1..=chunk).contains(&size))
}

/// Cuts files into groups that stay in memory.
fn in_groups(files: Vec<Planned>) -> Vec<Vec<Planned>> {
    let mut groups: Vec<Vec<Planned>> = Vec::new();
    let mut bytes = u64::MAX;
    for file in files {
        let size = file.attributes.size.unwrap_or(0);
        bytes = bytes.saturating_add(size);
        match groups.last_mut() {
            Some(group) if group.len() < TOGETHER && bytes <= TOGETHER_BYTES => group.push(file),
            _ => {
                bytes = size;
                groups.push(vec![file]);
            }
        }
    }
    groups
}

async fn fetch_large(job: &Arc<Job>, folder: &LocalFolder, file: Planned) -> Step<Option<Arrived>> {
    let outcome = async {
        if job.is_over() {
            return Err(Error::cancelled());
        }
        if job.skips_unchanged() && is_here(folder, &file).await {
            return Ok(None);
        }
        fetch_file(job, &file.remote, folder, file.inner.clone()).await
    };
    let outcome = outcome.await;
    (file, outcome)
}

/// Fetches a group of small files while the server's machine hashes them, compares and writes them.
async fn fetch_group(
    job: &Arc<Job>,
    folder: &LocalFolder,
    turns: &Semaphore,
    group: Vec<Planned>,
) -> Vec<Step<Option<Arrived>>> {
    let hashing = hash_early(job, group.iter().map(|file| file.remote.clone()).collect());
    let fetching = join_all(group.into_iter().map(|file| fetch_one(job, folder, turns, file)));
    let (fetched, hashes) = futures::join!(fetching, hashing);
    settle(job, folder, fetched, hashes).await
}

async fn fetch_one(job: &Arc<Job>, folder: &LocalFolder, turns: &Semaphore, file: Planned) -> Step<Fetched> {
    let outcome = async {
        let _turn = turns.acquire().await;
        if job.is_over() {
            return Err(Error::cancelled());
        }
        if job.skips_unchanged() && is_here(folder, &file).await {
            return Ok(Fetched::Unchanged);
        }
        Ok(fetch_small(job, &file).await?.map_or(Fetched::Other, Fetched::Content))
    };
    let outcome = outcome.await;
    (file, outcome)
}

/// What the server's machine says of a group, asked before its content is here; by path.
type Hashes = HashMap<RemotePath, [u8; 32]>;

/// Has a group hashed while it is fetched. Nothing where files may turn out to be here already, or where the command
/// fails, as it does when one file cannot be read: then those that came are hashed by themselves.
async fn hash_early(job: &Job, paths: Vec<RemotePath>) -> Hashes {
    let Verify::Remote(hasher) = &job.options.verify else { return Hashes::new() };
    if job.skips_unchanged() {
        return Hashes::new();
    }
    let files = paths.iter().map(|path| Hashed { path: path.clone(), length: None });
    match hasher.sha256(files.collect()).await {
        Ok(hashes) if hashes.len() == paths.len() => paths.into_iter().zip(hashes).collect(),
        _ => Hashes::new(),
    }
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
    let size = planned.attributes.size.unwrap_or(0);
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
    hashes: Hashes,
) -> Vec<Step<Option<Arrived>>> {
    let (mut contents, mut others, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for (file, outcome) in group {
        match outcome {
            Ok(Fetched::Content(content)) => contents.push((file, content)),
            Ok(Fetched::Unchanged) => settled.push((file, Ok(None))),
            Ok(Fetched::Other) => others.push(file),
            Err(error) => settled.push((file, Err(error))),
        }
    }
    let right = if hashes.is_empty() {
        compare(job, &contents).await
    } else {
        // Nothing proves wrong what was hashed at another time than it was read: that is fetched anew.
        let is_right = |(file, content): &(Planned, Bytes)| {
            hashes.get(&file.remote).is_some_and(|hash| *hash == <[u8; 32]>::from(Sha256::digest(content)))
        };
        let (proved, unproved): (Vec<_>, Vec<_>) = contents.into_iter().partition(is_right);
        contents = proved;
        others.extend(unproved.into_iter().map(|(file, _)| file));
        all_right(contents.len())
    };
    settled.extend(write_group(job, folder, contents.into_iter().zip(right).collect()).await);
    let others = stream::iter(others).map(|file| fetch_large(job, folder, file));
    settled.extend(others.buffer_unordered(LARGE_AT_ONCE).collect::<Vec<_>>().await);
    settled
}

fn all_right(count: usize) -> Vec<Result<bool>> {
    std::iter::repeat_with(|| Ok(true)).take(count).collect()
}

/// Writes those of a group that are right, by one visit to the disk.
async fn write_group(
    job: &Arc<Job>,
    folder: &LocalFolder,
    group: Vec<((Planned, Bytes), Result<bool>)>,
) -> Vec<Step<Option<Arrived>>> {
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
        Ok(group.into_iter().map(one).collect::<Vec<_>>())
    });
    // Writing reports its failures file by file; what is left is a panic, and then nothing is known of the group.
    written.await.unwrap_or_default()
}

async fn compare(job: &Job, contents: &[(Planned, Bytes)]) -> Vec<Result<bool>> {
    let Verify::Remote(hasher) = &job.options.verify else { return all_right(contents.len()) };
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
    let name = job.temporary_name(target.name())?;
    let mut stage = Stage::open(job, target, name, &file.attributes)?;
    if let Err(error) = write_all(&stage.file, content, 0) {
        return Err(stage.explain(error));
    }
    let bytes = content.len() as u64;
    stage.publish(bytes, &file.attributes)?;
    job.meter.arrived(bytes);
    job.meter.finished_file();
    Ok(Some(Arrived { bytes, ..Arrived::default() }))
}
