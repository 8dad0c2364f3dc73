//! Reads under way from a server, as many as the link holds, answered in any order.

use std::ops::Range;
use std::pin::pin;

use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;

use crate::sftp::error::{Error, Reason, Result};
use crate::sftp::file::RemoteFile;
use crate::sftp::job::Job;
use crate::sftp::link::Room;

use super::receiver::Receiver;

/// Reads a part of an open file, ending early where the file does.
pub(in crate::sftp) async fn fetch(
    job: &Job,
    file: &RemoteFile,
    range: Range<u64>,
    receiver: &Receiver,
) -> Result<()> {
    let mut reads = Reads { job, file, receiver, under_way: FuturesUnordered::new(), end: range.end };
    let mut next = range.start;
    let link = file.session().link().clone();
    while next < reads.end && !receiver.has_failed() {
        let length = (reads.end - next).min(link.chunk() as u64);
        let room = reads.beside(link.room(to_length(length) as usize)).await?;
        reads.ask(next, length, room);
        next += length;
    }
    reads.drain().await
}

/// Reads a file whose size nobody knows, such as those of `/proc`, one answer after the other.
pub(in crate::sftp) async fn fetch_until_end(
    job: &Job,
    file: &RemoteFile,
    receiver: &Receiver,
) -> Result<()> {
    let link = file.session().link().clone();
    let mut offset = 0;
    while !receiver.has_failed() {
        let length = link.chunk();
        let room = link.room(length).await;
        let Some(content) = file.read(offset, to_length(length as u64)).await? else { break };
        job.meter.arrived(content.len() as u64);
        let start = offset;
        offset += content.len() as u64;
        receiver.take(start, content, room);
    }
    Ok(())
}

struct Reads<'a> {
    job: &'a Job,
    file: &'a RemoteFile,
    receiver: &'a Receiver,
    under_way: FuturesUnordered<BoxFuture<'static, Answer>>,
    /// Where the file ends, as far as is known.
    end: u64,
}

struct Answer {
    offset: u64,
    asked: u64,
    content: Result<Option<Bytes>>,
    room: Room,
}

impl Reads<'_> {
    fn ask(&mut self, offset: u64, asked: u64, room: Room) {
        let pending = self.file.start_read(offset, to_length(asked));
        self.under_way
            .push(Box::pin(async move { Answer { offset, asked, content: pending.data().await, room } }));
    }

    /// Waits for something else while answers are taken.
    async fn beside<T>(&mut self, wanted: impl Future<Output = T>) -> Result<T> {
        let mut wanted = pin!(wanted);
        loop {
            tokio::select! {
                biased;
                Some(answer) = self.under_way.next() => self.settle(answer)?,
                value = &mut wanted => return Ok(value),
            }
        }
    }

    async fn drain(&mut self) -> Result<()> {
        while let Some(answer) = self.under_way.next().await {
            self.settle(answer)?;
        }
        Ok(())
    }

    fn settle(&mut self, answer: Answer) -> Result<()> {
        let Answer { offset, asked, content, room } = answer;
        let Some(content) = content.map_err(|error| error.doing("reading", self.file.path()))? else {
            self.end = self.end.min(offset); // it shrank
            return Ok(());
        };
        let received = content.len() as u64;
        if received > asked {
            let message = format!("the server sent {received} bytes where {asked} were asked for");
            return Err(Error::new(Reason::Refused(5), message).doing("reading", self.file.path()));
        }
        self.file.session().link().delivered(content.len());
        self.job.meter.arrived(received);
        if received < asked {
            // The rest takes its room before this piece gives its own back: it must not wait for it.
            let rest = self.file.session().link().more_room(to_length(asked - received) as usize);
            self.ask(offset + received, asked - received, rest);
        }
        self.receiver.take(offset, content, room);
        Ok(())
    }
}

fn to_length(length: u64) -> u32 {
    u32::try_from(length).expect("a chunk is below 256 KiB")
}
