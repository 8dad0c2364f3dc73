//! The journal's page for one download: found again, compared with the world, kept up to date.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::sftp::attributes::Attributes;
use crate::sftp::error::Result;
use crate::sftp::file::RemoteFile;
use crate::sftp::job::{Job, blocking};
use crate::sftp::options::Verify;
use crate::sftp::resume::{Checkpoint, Page, Segment, WORTH_RESUMING};
use crate::sftp::upload::{hash_prefix, read_full};
use crate::sftp::verify::{Claim, ask};

use super::stage::{Stage, Target};

/// The journal's page for one download.
pub(super) struct Ledger {
    page: Box<dyn Page>,
    checkpoint: Mutex<Checkpoint>,
    /// Outlives a failure, as the copy does.
    is_kept: bool,
}

/// Where a download goes on, with the hash of what is there.
pub(super) struct Start {
    pub(super) arrived: u64,
    pub(super) hash: Sha256,
    pub(super) checkpoint: Checkpoint,
}

impl Ledger {
    /// Goes on with what the page says.
    pub(super) fn new(page: Box<dyn Page>, checkpoint: Checkpoint) -> Self {
        Self { page, checkpoint: Mutex::new(checkpoint), is_kept: true }
    }

    /// Notes a new copy before it is there. Without a note it is fetched all the same.
    pub(super) async fn begin(page: Box<dyn Page>, temporary: &[u8], source: &Attributes) -> Option<Self> {
        let size = source.size.unwrap_or(0);
        let checkpoint = Checkpoint {
            temporary: temporary.to_vec(),
            size,
            modified: source.modified().unwrap_or(0),
            segments: vec![Segment { start: 0, arrived: 0, end: size }],
            prefix: Sha256::digest([]).into(),
        };
        match page.save(&checkpoint).await {
            Ok(()) => Some(Self { page, checkpoint: Mutex::new(checkpoint), is_kept: false }),
            Err(error) => {
                tracing::warn!(%error, "a transfer has no journal");
                None
            }
        }
    }

    /// Lets the page outlive a failure, as the copy does.
    pub(super) fn keep_for_later(&mut self) {
        self.is_kept = true;
    }

    /// Records that the file has arrived up to here.
    pub(super) async fn advance(&self, arrived: u64, prefix: [u8; 32]) -> Result<()> {
        let mut checkpoint = self.checkpoint.lock().await;
        checkpoint.segments[0].arrived = arrived;
        checkpoint.prefix = prefix;
        self.page.save(&checkpoint).await
    }

    /// The file has arrived.
    pub(super) async fn close(&self) -> Result<()> {
        self.page.forget().await
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if !self.is_kept {
            self.page.discard();
        }
    }
}

/// The copy of an earlier attempt, if it is worth going on with and what the journal says of it still holds on both
/// sides. Else it is removed, and the target comes back.
pub(super) async fn find(
    job: &Arc<Job>,
    page: &dyn Page,
    source: &RemoteFile,
    attributes: &Attributes,
    target: Target,
) -> Result<Result<(Stage, Start), Target>> {
    let Some(checkpoint) = page.load().await? else { return Ok(Err(target)) };
    let name = checkpoint.temporary.clone();
    // A journal may be old or damaged: nothing but a name of ours is ever opened or removed for it.
    let is_ours = name.starts_with(b".") && name.ends_with(b".part") && !name.contains(&b'/');
    let [segment] = checkpoint.segments[..] else { return Ok(Err(target)) };
    if !is_ours {
        return Ok(Err(target));
    }
    let owner = job.clone();
    let stage = match blocking(move || Ok(Stage::reopen(&owner, target, &name))).await? {
        Ok(stage) => stage,
        Err(target) => return Ok(Err(target)),
    };
    let is_same = checkpoint.size >= WORTH_RESUMING
        && attributes.size == Some(checkpoint.size)
        && attributes.modified() == Some(checkpoint.modified);
    let local = stage.file.clone();
    let hash = blocking(move || hash_prefix(&local, segment.arrived)).await?;
    let is_sound = <[u8; 32]>::from(hash.clone().finalize()) == checkpoint.prefix;
    if is_same && is_sound && matches(job, &stage, source, &checkpoint, segment).await {
        return Ok(Ok((stage, Start { arrived: segment.arrived, hash, checkpoint })));
    }
    let target = blocking(move || Ok(stage.into_target())).await?;
    Ok(Err(target))
}

/// Compares what is here with the source: all of it where the server can hash, else its last bytes.
async fn matches(
    job: &Job,
    stage: &Stage,
    source: &RemoteFile,
    checkpoint: &Checkpoint,
    segment: Segment,
) -> bool {
    if let Verify::Remote(hasher) = &job.options.verify {
        let claim =
            Claim { path: source.path().clone(), length: Some(segment.arrived), hash: checkpoint.prefix };
        return ask(&**hasher, &[claim]).await.is_ok_and(|right| right == [true]);
    }
    let mut range = segment.compared();
    while !range.is_empty() {
        let length = (range.end - range.start).min(job.session.limits().chunk() as u64);
        let Ok(length) = u32::try_from(length) else { return false };
        let Ok(Some(theirs)) = source.read(range.start, length).await else { return false };
        let mut ours = vec![0; theirs.len()];
        let (local, offset) = (stage.file.clone(), range.start);
        let ours = blocking(move || {
            let count = read_full(&local, &mut ours, offset).unwrap_or(0);
            ours.truncate(count);
            Ok(ours)
        });
        if !ours.await.is_ok_and(|ours| ours == theirs) {
            return false;
        }
        range.start += theirs.len() as u64;
    }
    true
}
