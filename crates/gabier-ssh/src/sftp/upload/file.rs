//! One file on its way to the server: open, content, seal, compare, publish.

use std::sync::Arc;

use crate::sftp::attributes::Attributes;
use crate::sftp::error::{Error, Result};
use crate::sftp::job::Job;
use crate::sftp::options::Verify;
use crate::sftp::packet::Chunk;
use crate::sftp::report::Arrived;
use crate::sftp::verify::{Claim, Ready, ask, mismatch, read_back};

use super::content::{Content, Source, change};
use super::large::{Sent, open, send_segments};
use super::ledger::{Ledger, blank, remove_left};
use super::stage::Stage;
use super::target::Target;

/// A copy that is whole and waits for its name.
pub(super) struct Sealed {
    stage: Stage,
    hash: Option<[u8; 32]>,
    length: u64,
    resumed: u64,
    ledger: Option<Ledger>,
}

/// Sends a file up to the point where it only lacks its name.
pub(super) async fn send_file(job: &Arc<Job>, source: Source, target: Target) -> Result<Sealed> {
    let Source { attributes, content } = source;
    match content {
        Content::Whole { chunk, hash, changed } => {
            let (mut stage, ledger) = open_whole(job, target, &attributes, attributes.permissions()).await?;
            let length = chunk.len() as u64;
            if let Err(error) = send_whole(job, &mut stage, chunk, &attributes, hash.is_some()).await {
                return Err(stage.explain(error).await);
            }
            if let Some(changed) = changed {
                stage.note(changed);
            }
            Ok(Sealed { stage, hash, length, resumed: 0, ledger })
        }
        Content::Stream(file) => {
            let (mut stage, segments, ledger) = open(job, &file, &attributes, target).await?;
            let sent = send_segments(job, &stage, &file, &segments, ledger).await;
            let Sent { length, resumed, hash, ledger } = match sent {
                Ok(sent) => sent,
                Err(error) => return Err(stage.explain(error).await),
            };
            let sealing = stage.seal(length, &attributes, false).await;
            settle_seal(&mut stage, sealing).await?;
            if attributes.size != Some(0)
                && let Some(changed) = change(&file, &attributes, length)?
            {
                stage.note(changed);
            }
            Ok(Sealed { stage, hash, length, resumed, ledger })
        }
    }
}

/// Opens the copy of what is sent at once, and removes what a killed process has left of the same.
pub(super) async fn open_whole(
    job: &Arc<Job>,
    target: Target,
    attributes: &Attributes,
    permissions: u32,
) -> Result<(Stage, Option<Ledger>)> {
    let page = job.page("up", target.path.as_bytes(), 0).await;
    if let Some(page) = &page {
        remove_left(job, &**page, &target.path.parent()).await;
    }
    let name = job.temporary_name(target.path.name())?;
    let ledger = Ledger::begin(job, page, blank(&name, attributes, Vec::new())).await;
    let stage = Stage::open(job, target, &name, permissions).await?;
    Ok((stage, ledger))
}

/// The content, the attributes and the close of a small file leave together.
async fn send_whole(
    job: &Job,
    stage: &mut Stage,
    chunk: Chunk,
    attributes: &Attributes,
    is_compared: bool,
) -> Result<()> {
    let length = chunk.len();
    let room = job.session.link().room(length).await;
    let written = (length > 0).then(|| stage.file().start_write(0, chunk));
    let path = stage.path().clone();
    let sealing = stage.seal(length as u64, attributes, is_compared);
    let sealed = async {
        if let Some(written) = written {
            written.done().await.map_err(|error| error.doing("writing", &path))?;
            job.session.link().delivered(length);
        }
        drop(room);
        sealing.await
    };
    let outcome = sealed.await;
    settle_seal(stage, outcome).await?;
    job.meter.arrived(length as u64);
    Ok(())
}

async fn settle_seal(stage: &mut Stage, outcome: Result<bool>) -> Result<()> {
    match outcome {
        Ok(true) => {}
        Ok(false) => {
            let note = format!("the server refused to set mode and time of {}", stage.target());
            stage.note(note);
        }
        Err(error) => return Err(stage.explain(error).await),
    }
    Ok(())
}

/// Compares copies with their sources, each or all at once. A wrong one is an error in its place.
pub(super) async fn compare(
    job: &Arc<Job>,
    sealed: Vec<Sealed>,
    ready: Option<Ready>,
) -> Vec<Result<Sealed>> {
    let claims: Vec<Claim> = sealed.iter().filter_map(Sealed::claim).collect();
    if claims.is_empty() {
        return sealed.into_iter().map(Ok).collect();
    }
    let right = match &job.options.verify {
        Verify::Remote(hasher) => match ready {
            Some(ready) => ready.ask(&claims).await,
            None => ask(&**hasher, &claims).await,
        },
        Verify::ReadBack => {
            let reading = claims.iter().map(|claim| read_back(job, claim));
            futures::future::try_join_all(reading).await
        }
        Verify::Size => return sealed.into_iter().map(Ok).collect(),
    };
    let mut right = match right {
        Ok(right) => right.into_iter(),
        Err(error) => {
            let failed = |_| Err(Error::new(error.reason(), error.to_string()));
            return sealed.into_iter().map(failed).collect();
        }
    };
    let judged = sealed.into_iter().map(|mut copy| {
        if copy.hash.is_none() || right.next() == Some(true) {
            return Ok(copy);
        }
        copy.stage.give_up();
        Err(mismatch(copy.stage.target()))
    });
    judged.collect()
}

impl Sealed {
    fn claim(&self) -> Option<Claim> {
        let hash = self.hash?;
        Some(Claim { path: self.stage.path().clone(), length: None, hash })
    }

    /// Gives the copy its name.
    pub(super) async fn publish(self, job: &Job) -> Result<Arrived> {
        let Self { stage, hash, length, resumed, ledger } = self;
        let notes = stage.publish().await?;
        if let Some(ledger) = ledger {
            ledger.close().await?;
        }
        job.meter.finished_file();
        Ok(Arrived { bytes: length, resumed, sha256: hash, notes })
    }
}
