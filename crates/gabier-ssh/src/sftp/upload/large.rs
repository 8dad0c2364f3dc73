//! Large files: streamed, in several channels where the link is long, going on where an earlier attempt ended.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{join_all, try_join_all};
use sha2::{Digest, Sha256};

use crate::sftp::attributes::Attributes;
use crate::sftp::error::Result;
use crate::sftp::file::{Mode, RemoteFile};
use crate::sftp::job::{Job, blocking};
use crate::sftp::path::RemotePath;
use crate::sftp::resume::{Segment, WORTH_RESUMING};
use crate::sftp::session::Session;

use super::content::{hash_prefix, read_stream};
use super::ledger::{Ledger, blank, find};
use super::stage::Stage;
use super::stream::send;
use super::target::Target;

/// From here on several channels pay: a server's window is 2 MiB per channel and round trip.
const SEVERAL_CHANNELS: u64 = 16 << 20;
const SEVERAL_CHANNELS_DELAY: Duration = Duration::from_millis(10);
const CHANNELS_MAX: u64 = 4;

/// What was sent of a large file.
pub(super) struct Sent {
    pub(super) length: u64,
    pub(super) resumed: u64,
    pub(super) hash: Option<[u8; 32]>,
    pub(super) ledger: Option<Ledger>,
}

/// Opens the copy of a large file and says which parts of it are to be sent.
pub(super) async fn open(
    job: &Arc<Job>,
    source: &Arc<File>,
    attributes: &Attributes,
    target: Target,
) -> Result<(Stage, Vec<Segment>, Option<Ledger>)> {
    let size = attributes.size.unwrap_or(0);
    let mut page = job.page("up", target.path.as_bytes(), size).await;
    let begun = match &page {
        Some(page) => find(job, &**page, source, attributes, &target.path.parent()).await?,
        None => None,
    };
    if let Some(checkpoint) = begun
        && let Ok(mut stage) = Stage::reopen(job, target.clone(), &checkpoint.temporary).await
    {
        stage.keep_for_later();
        let segments = checkpoint.segments.clone();
        return Ok((stage, segments, page.take().map(|page| Ledger::new(page, checkpoint))));
    }
    let segments = cut(size, channels(job, size));
    let name = job.temporary_name(target.path.name())?;
    let mut ledger = Ledger::begin(job, page, blank(&name, attributes, segments.clone())).await;
    let mut stage = Stage::open(job, target, &name, attributes.permissions()).await?;
    if let Some(ledger) = &mut ledger
        && size >= WORTH_RESUMING
    {
        ledger.keep_for_later();
        stage.keep_for_later();
    }
    Ok((stage, segments, ledger))
}

/// Sends all parts that are missing.
pub(super) async fn send_segments(
    job: &Arc<Job>,
    stage: &Stage,
    source: &Arc<File>,
    segments: &[Segment],
    ledger: Option<Ledger>,
) -> Result<Sent> {
    let hashes = ledger.is_some() || (job.hashes() && segments.len() == 1);
    let resumed = segments.iter().map(|segment| segment.arrived - segment.start).sum();
    job.meter.arrived(resumed);
    let others = open_others(job, stage.path(), segments.len() - 1).await;
    let files: Vec<&RemoteFile> = std::iter::once(stage.file()).chain(&others).collect();
    // The hash of the whole is that of the stream when there is one, else it is made beside the sending.
    let whole = async {
        if segments.len() == 1 || !job.hashes() {
            return Ok(None);
        }
        let (source, length) = (source.clone(), segments.last().map_or(0, |last| last.end));
        blocking(move || Ok(Some(hash_prefix(&source, length)?.finalize().into()))).await
    };
    let parts = segments.iter().enumerate().map(|(number, segment)| {
        // Fewer channels than segments: the parts of one channel go side by side.
        send_segment(
            job,
            files[number % files.len()],
            source,
            segment,
            ledger.as_ref().map(|ledger| (ledger, number)),
            hashes,
        )
    });
    let (ends, mut hash) = tokio::try_join!(try_join_all(parts), whole)?;
    for file in others {
        file.close().await?;
    }
    let length = ends.last().map_or(0, |(end, _)| *end);
    if segments.len() == 1 {
        hash = ends.into_iter().next().and_then(|(_, hash)| hash).map(|hash| hash.finalize().into());
    }
    Ok(Sent { length, resumed, hash, ledger })
}

async fn send_segment(
    job: &Arc<Job>,
    file: &RemoteFile,
    source: &Arc<File>,
    segment: &Segment,
    ledger: Option<(&Ledger, usize)>,
    hashes: bool,
) -> Result<(u64, Option<Sha256>)> {
    let hash = match (hashes, ledger) {
        (false, _) => None,
        (true, Some((_, 0)) | None) if segment.start == 0 => {
            let (source, arrived) = (source.clone(), segment.arrived);
            Some(blocking(move || hash_prefix(&source, arrived)).await?)
        }
        // Only the marks matter here, which say how far the segment is.
        (true, _) => Some(Sha256::new()),
    };
    let rest = segment.rest();
    // A file without a size is read to its end.
    let end = if segment.end == 0 { None } else { Some(rest.end) };
    let reading = read_stream(source.clone(), rest.start, end, hash, file.session().link().clone());
    send(job, file, rest.start, reading, ledger).await
}

/// The copy, opened on more channels; fewer when the server gives no more.
async fn open_others(job: &Job, path: &RemotePath, count: usize) -> Vec<RemoteFile> {
    let Some(channels) = &job.options.channels else { return Vec::new() };
    let open = async || -> Result<RemoteFile> {
        let session: Session = channels.open().await?;
        session.open_file(path, Mode::Write, 0).await
    };
    let opened = join_all((0..count).map(|_| open())).await;
    opened.into_iter().filter_map(Result::ok).collect()
}

fn channels(job: &Job, size: u64) -> u64 {
    let is_long = job.session.round_trip() > SEVERAL_CHANNELS_DELAY;
    if job.options.channels.is_none() || !is_long || size <= SEVERAL_CHANNELS {
        return 1;
    }
    size.div_ceil(SEVERAL_CHANNELS).clamp(2, CHANNELS_MAX)
}

/// Cuts a file into equal parts.
fn cut(size: u64, parts: u64) -> Vec<Segment> {
    let length = size.div_ceil(parts).max(1);
    let starts = (0..parts).map(|part| (part * length).min(size));
    starts.map(|start| Segment { start, arrived: start, end: (start + length).min(size) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_cover_a_file_without_gap_or_overlap(size in 0..1_u64 << 40, count in 1..5_u64) {
            let parts = cut(size, count);
            prop_assert_eq!(parts.len() as u64, count);
            prop_assert_eq!(parts[0].start, 0);
            prop_assert_eq!(parts[parts.len() - 1].end, size);
            prop_assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }
}
