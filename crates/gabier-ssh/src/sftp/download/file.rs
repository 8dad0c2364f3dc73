//! One file on its way here: open, content, compare, publish.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::sftp::attributes::{Attributes, FileKind};
use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::file::{Mode, RemoteFile};
use crate::sftp::job::{Job, blocking};
use crate::sftp::local::LocalFolder;
use crate::sftp::options::{Hashed, Verify};
use crate::sftp::path::RemotePath;
use crate::sftp::report::Arrived;
use crate::sftp::resume::WORTH_RESUMING;
use crate::sftp::upload::{describe_change, hash_prefix};
use crate::sftp::verify::mismatch;

use super::fetch::{fetch, fetch_until_end};
use super::ledger::{Ledger, Start, find};
use super::receiver::{Received, Receiver};
use super::stage::{Admission, Stage, Target, admit};

/// Fetches a file to a local path. None when it is there, unchanged.
pub(super) async fn fetch_file(
    job: &Arc<Job>,
    source: &RemotePath,
    folder: &LocalFolder,
    path: PathBuf,
) -> Result<Option<Arrived>> {
    let file = job.session.open_file(source, Mode::Read, 0).await?;
    let attributes = file.attributes().await?;
    match attributes.kind() {
        FileKind::Directory => {
            return Err(Error::new(Reason::IsDirectory, "it is a folder").doing("reading", source));
        }
        FileKind::Special => {
            return Err(Error::new(Reason::Special, "it is not a regular file").doing("reading", source));
        }
        _ => {}
    }
    let admission = {
        let (job, folder) = (job.clone(), folder.clone());
        blocking(move || admit(&job, &folder, &path, &attributes)).await?
    };
    let Admission::Welcome(target) = admission else { return Ok(None) };
    let (mut stage, begun) = open(job, &file, &attributes, target).await?;
    let theirs = ask_early(job, &file, &attributes);
    let received = receive(job, &file, &attributes, &mut stage, begun).await;
    match received {
        Ok(received) => finish(job, file, attributes, stage, received, theirs).await.map(Some),
        Err(error) => blocking(move || Err(stage.explain(error))).await,
    }
}

/// What arrived of a file, in this attempt and before.
struct Whole {
    received: Received,
    resumed: u64,
    ledger: Option<Ledger>,
}

/// How much of a copy is there, and what the journal knows of it.
struct Begun {
    arrived: u64,
    hash: Option<Sha256>,
    ledger: Option<Ledger>,
}

async fn open(
    job: &Arc<Job>,
    file: &RemoteFile,
    attributes: &Attributes,
    mut target: Target,
) -> Result<(Stage, Begun)> {
    let size = attributes.size.unwrap_or(0);
    let page = job.page("down", target.place().as_os_str().as_bytes(), size).await;
    let name = job.temporary_name(target.name())?;
    let mut ledger = None;
    if let Some(page) = page {
        target = match find(job, &*page, file, attributes, target).await? {
            Ok((stage, Start { arrived, hash, checkpoint })) => {
                let ledger = Some(Ledger::new(page, checkpoint));
                return Ok((stage, Begun { arrived, hash: Some(hash), ledger }));
            }
            Err(target) => target,
        };
        ledger = Ledger::begin(page, &name, attributes).await;
    }
    let hash = (job.hashes() || ledger.is_some()).then(Sha256::new);
    let (job, attributes) = (job.clone(), *attributes);
    let stage = blocking(move || Stage::open(&job, target, name, &attributes)).await?;
    Ok((stage, Begun { arrived: 0, hash, ledger }))
}

async fn receive(
    job: &Arc<Job>,
    file: &RemoteFile,
    attributes: &Attributes,
    stage: &mut Stage,
    begun: Begun,
) -> Result<Whole> {
    let size = attributes.size.unwrap_or(0);
    let Begun { arrived: resumed, hash, mut ledger } = begun;
    if let Some(ledger) = &mut ledger
        && size >= WORTH_RESUMING
    {
        ledger.keep_for_later();
        stage.keep_for_later();
    }
    job.meter.arrived(resumed);
    let (marks, mut reached) = mpsc::unbounded_channel();
    let marks = ledger.is_some().then_some(marks);
    let receiver = Receiver::writing(stage.file.clone(), resumed, hash, marks);
    let fetching = async {
        let outcome = if size == 0 {
            fetch_until_end(job, file, &receiver).await
        } else {
            fetch(job, file, resumed..size, &receiver).await
        };
        // Whatever was read is written, so that the journal is right about it.
        let received = receiver.finish().await?;
        outcome.map(|()| received)
    };
    let recording = async {
        while let Some((arrived, prefix)) = reached.recv().await {
            if let Some(ledger) = &ledger {
                ledger.advance(arrived, prefix).await?;
            }
        }
        Ok(())
    };
    let (received, recorded) = tokio::join!(fetching, recording);
    let received = received?;
    recorded?;
    Ok(Whole { received, resumed, ledger })
}

async fn finish(
    job: &Arc<Job>,
    file: RemoteFile,
    attributes: Attributes,
    mut stage: Stage,
    whole: Whole,
    theirs: Option<Theirs>,
) -> Result<Arrived> {
    let Whole { received: Received { length, hash }, resumed, ledger } = whole;
    let size = attributes.size.unwrap_or(0);
    let after = file.attributes().await?;
    let change = if size == 0 { None } else { describe_change(&attributes, &after, length) };
    if change.is_none() && size > 0 && length != size {
        let message = format!("{length} bytes arrived of {size}");
        return Err(Error::new(Reason::Mismatch, message).doing("reading", file.path()));
    }
    // A source that changed, or that is made while it is read (procfs), has no hash to compare with.
    if change.is_none() && size > 0 && !is_right(job, &stage, length, hash, theirs).await? {
        stage.give_up();
        return Err(mismatch(file.path()));
    }
    let source = attributes;
    blocking(move || stage.publish(length, &source)).await?;
    if let Some(ledger) = ledger {
        ledger.close().await?;
    }
    job.meter.finished_file();
    Ok(Arrived { bytes: length, resumed, sha256: hash, notes: change.into_iter().collect() })
}

/// What the server's machine says of a file, asked while the content is on its way.
type Theirs = AbortOnDropHandle<Result<Vec<[u8; 32]>>>;

/// Has the server's machine hash a file up to its size of now: what is added later is not fetched either. A file that
/// changes meanwhile is not compared.
fn ask_early(job: &Job, file: &RemoteFile, attributes: &Attributes) -> Option<Theirs> {
    let Verify::Remote(hasher) = &job.options.verify else { return None };
    let size = attributes.size.filter(|size| *size > 0)?;
    let (hasher, files) = (hasher.clone(), vec![Hashed { path: file.path().clone(), length: Some(size) }]);
    Some(AbortOnDropHandle::new(tokio::spawn(async move { hasher.sha256(files).await })))
}

async fn is_right(
    job: &Job,
    stage: &Stage,
    length: u64,
    hash: Option<[u8; 32]>,
    theirs: Option<Theirs>,
) -> Result<bool> {
    let Some(hash) = hash else { return Ok(true) };
    if let Some(theirs) = theirs {
        let gone = |_| Error::new(Reason::Lost, "the hashing on the host was given up");
        return Ok(theirs.await.map_err(gone)?? == [hash]);
    }
    if !matches!(job.options.verify, Verify::ReadBack) {
        return Ok(true);
    }
    let local = stage.file.clone();
    let found: [u8; 32] = blocking(move || Ok(hash_prefix(&local, length)?.finalize().into())).await?;
    Ok(found == hash)
}
