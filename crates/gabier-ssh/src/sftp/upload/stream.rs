//! Chunks under way to the server, as many as the link holds, and what has been acknowledged.

use std::collections::VecDeque;
use std::pin::pin;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use sha2::Sha256;

use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::file::RemoteFile;
use crate::sftp::job::Job;
use crate::sftp::link::Room;
use crate::sftp::resume::Contiguous;

use super::content::{Piece, Reading};
use super::ledger::Ledger;

/// Sends what is read into an open file and waits for every acknowledgement. Returns the end of what was sent and
/// its hash.
pub(super) async fn send(
    job: &Job,
    file: &RemoteFile,
    start: u64,
    mut reading: Reading,
    ledger: Option<(&Ledger, usize)>,
) -> Result<(u64, Option<Sha256>)> {
    let mut under_way = UnderWay::new(job, file, start, ledger);
    while let Some(piece) = under_way.beside(reading.pieces.recv()).await? {
        let room = under_way.beside(file.session().link().room(piece.chunk.len())).await?;
        under_way.push(piece, room);
    }
    under_way.drain().await?;
    let outcome = reading.outcome.await;
    let read = outcome.map_err(|_| Error::new(Reason::Local, "reading the local file broke off"))??;
    Ok((read.end, read.hash))
}

struct UnderWay<'a> {
    job: &'a Job,
    file: &'a RemoteFile,
    acknowledged: FuturesUnordered<BoxFuture<'static, Result<(u64, usize)>>>,
    contiguous: Contiguous,
    marks: VecDeque<(u64, [u8; 32])>,
    ledger: Option<(&'a Ledger, usize)>,
}

impl<'a> UnderWay<'a> {
    fn new(job: &'a Job, file: &'a RemoteFile, start: u64, ledger: Option<(&'a Ledger, usize)>) -> Self {
        let contiguous = Contiguous::from(start);
        Self { job, file, acknowledged: FuturesUnordered::new(), contiguous, marks: VecDeque::new(), ledger }
    }

    fn push(&mut self, piece: Piece, room: Room) {
        let Piece { offset, chunk, prefix } = piece;
        let length = chunk.len();
        if let Some(prefix) = prefix {
            self.marks.push_back((offset + length as u64, prefix));
        }
        let pending = self.file.start_write(offset, chunk);
        self.acknowledged.push(Box::pin(async move {
            pending.done().await?;
            drop(room);
            Ok((offset, length))
        }));
    }

    /// Waits for something else while acknowledgements are taken.
    async fn beside<T>(&mut self, wanted: impl Future<Output = T>) -> Result<T> {
        let mut wanted = pin!(wanted);
        loop {
            tokio::select! {
                biased;
                Some(outcome) = self.acknowledged.next() => self.settle(outcome).await?,
                value = &mut wanted => return Ok(value),
            }
        }
    }

    async fn drain(&mut self) -> Result<()> {
        while let Some(outcome) = self.acknowledged.next().await {
            self.settle(outcome).await?;
        }
        Ok(())
    }

    async fn settle(&mut self, outcome: Result<(u64, usize)>) -> Result<()> {
        let (offset, length) = outcome.map_err(|error| error.doing("writing", self.file.path()))?;
        self.file.session().link().delivered(length);
        self.job.meter.arrived(length as u64);
        self.contiguous.arrived(offset..offset + length as u64);
        let Some((ledger, segment)) = self.ledger else { return Ok(()) };
        let mut reached = None;
        while self.marks.front().is_some_and(|(end, _)| *end <= self.contiguous.end()) {
            reached = self.marks.pop_front();
        }
        match reached {
            Some((end, prefix)) => ledger.advance(segment, end, prefix).await,
            None => Ok(()),
        }
    }
}
