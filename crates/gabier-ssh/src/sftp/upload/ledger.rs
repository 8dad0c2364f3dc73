//! The journal's page for one upload: found again, compared with the world, kept up to date.

use std::fs::File;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use crate::sftp::attributes::Attributes;
use crate::sftp::error::Result;
use crate::sftp::file::Mode;
use crate::sftp::job::{Job, blocking};
use crate::sftp::options::Verify;
use crate::sftp::path::RemotePath;
use crate::sftp::resume::{Checkpoint, Page, Segment, WORTH_RESUMING};
use crate::sftp::session::Session;
use crate::sftp::verify::{Claim, ask};

use super::content::{hash_prefix, read_full};

/// The journal's page for one upload.
pub(super) struct Ledger {
    page: Box<dyn Page>,
    checkpoint: Mutex<Checkpoint>,
    /// Of a copy that goes with this: over which session it is removed.
    removed_over: Option<Session>,
}

impl Ledger {
    pub(super) fn new(page: Box<dyn Page>, checkpoint: Checkpoint) -> Self {
        Self { page, checkpoint: Mutex::new(checkpoint), removed_over: None }
    }

    /// Notes a new copy before it is there. Without a note it is sent all the same.
    pub(super) async fn begin(
        job: &Job,
        page: Option<Box<dyn Page>>,
        checkpoint: Checkpoint,
    ) -> Option<Self> {
        let page = page?;
        let removed_over = Some(job.session.clone());
        match page.save(&checkpoint).await {
            Ok(()) => Some(Self { page, checkpoint: Mutex::new(checkpoint), removed_over }),
            Err(error) => {
                tracing::warn!(%error, "a transfer has no journal");
                None
            }
        }
    }

    /// Lets the page outlive a failure, as the copy does.
    pub(super) fn keep_for_later(&mut self) {
        self.removed_over = None;
    }

    /// Records that a segment has arrived up to here.
    pub(super) async fn advance(&self, segment: usize, arrived: u64, prefix: [u8; 32]) -> Result<()> {
        let mut checkpoint = self.checkpoint.lock().await;
        checkpoint.segments[segment].arrived = arrived;
        if segment == 0 {
            checkpoint.prefix = prefix;
        }
        self.page.save(&checkpoint).await
    }

    /// The file has arrived.
    pub(super) async fn close(&self) -> Result<()> {
        self.page.forget().await
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if self.removed_over.as_ref().is_some_and(|session| session.ending().is_none()) {
            self.page.discard();
        }
    }
}

/// A new page, on which nothing has arrived.
pub(super) fn blank(temporary: &[u8], source: &Attributes, segments: Vec<Segment>) -> Checkpoint {
    Checkpoint {
        temporary: temporary.to_vec(),
        size: source.size.unwrap_or(0),
        modified: source.modified().unwrap_or(0),
        segments,
        prefix: Sha256::digest([]).into(),
    }
}

/// The page of an earlier attempt, if it is worth going on with and what it says still holds on both sides. Else the
/// copy is removed.
pub(super) async fn find(
    job: &Arc<Job>,
    page: &dyn Page,
    source: &Arc<File>,
    attributes: &Attributes,
    folder: &RemotePath,
) -> Result<Option<Checkpoint>> {
    let Some(checkpoint) = page.load().await? else { return Ok(None) };
    let copy = folder.join(&checkpoint.temporary);
    if !is_temporary(&checkpoint.temporary) {
        return Ok(None);
    }
    let is_worth = !checkpoint.segments.is_empty() && checkpoint.size >= WORTH_RESUMING;
    let is_same = is_worth
        && attributes.size == Some(checkpoint.size)
        && attributes.modified() == Some(checkpoint.modified)
        && has_prefix(source, &checkpoint).await?;
    if is_same && matches(job, source, &copy, &checkpoint).await {
        return Ok(Some(checkpoint));
    }
    let _ = job.session.remove(&copy).await;
    Ok(None)
}

/// Removes the copy that an earlier attempt has left.
pub(super) async fn remove_left(job: &Job, page: &dyn Page, folder: &RemotePath) {
    if let Ok(Some(left)) = page.load().await
        && is_temporary(&left.temporary)
    {
        let _ = job.session.remove(&folder.join(&left.temporary)).await;
    }
}

/// A journal may be old or damaged: nothing but a name of ours is ever opened or removed for it.
fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(b".") && name.ends_with(b".part") && !name.contains(&b'/')
}

async fn has_prefix(source: &Arc<File>, checkpoint: &Checkpoint) -> Result<bool> {
    let (source, length) = (source.clone(), checkpoint.segments.first().map_or(0, |first| first.arrived));
    let found: [u8; 32] = blocking(move || Ok(hash_prefix(&source, length)?.finalize().into())).await?;
    Ok(found == checkpoint.prefix)
}

/// Compares the copy with the source: all of the first segment where the server can hash, and the last bytes before
/// every gap.
async fn matches(job: &Arc<Job>, source: &Arc<File>, copy: &RemotePath, checkpoint: &Checkpoint) -> bool {
    if let (Verify::Remote(hasher), Some(first)) = (&job.options.verify, checkpoint.segments.first())
        && first.arrived > 0
    {
        let claim = Claim { path: copy.clone(), length: Some(first.arrived), hash: checkpoint.prefix };
        if !ask(&**hasher, &[claim]).await.is_ok_and(|right| right == [true]) {
            return false;
        }
    }
    let Ok(file) = job.session.open_file(copy, Mode::Read, 0).await else { return false };
    for segment in &checkpoint.segments {
        let mut range = segment.compared();
        while !range.is_empty() {
            let length = (range.end - range.start).min(job.session.limits().chunk() as u64);
            let Ok(length) = u32::try_from(length) else { return false };
            let Ok(Some(theirs)) = file.read(range.start, length).await else { return false };
            let (source, offset, count) = (source.clone(), range.start, theirs.len());
            let ours = blocking(move || {
                let mut ours = vec![0; count];
                let read = read_full(&source, &mut ours, offset).unwrap_or(0);
                ours.truncate(read);
                Ok(ours)
            });
            if !ours.await.is_ok_and(|ours| ours == theirs) {
                return false;
            }
            range.start += count as u64;
        }
    }
    true
}
