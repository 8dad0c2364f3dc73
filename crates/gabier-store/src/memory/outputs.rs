//! What tasks wrote: the head and the tail of each stream.

use std::collections::VecDeque;

use crate::queue::rules::{kept, line_ends};
use crate::queue::{Output, OutputRange, Skipped, Stream, Written};

/// One stream of one task.
#[derive(Debug, Default)]
pub(super) struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    lines: u64,
}

impl Kept {
    /// What is kept of what another store kept.
    pub(super) fn of(written: &Written) -> Self {
        let (head, tail) = kept(written.stream);
        let bytes = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let (head, tail) = written.within(bytes(head), bytes(tail));
        let tail = tail.iter().copied().collect();
        Self { head: head.to_vec(), tail, total: written.total_bytes, lines: written.total_lines }
    }

    pub(super) fn stored(&self) -> u64 {
        (self.head.len() + self.tail.len()) as u64
    }

    /// All that is kept, the gap left out.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.head.iter().chain(&self.tail).copied().collect()
    }

    pub(super) fn write(&mut self, stream: Stream, bytes: &[u8]) {
        let (head, tail) = kept(stream);
        // A head that another store cut shorter, or behind which something is missing, does not grow any more.
        let is_open = self.total == self.head.len() as u64;
        let most = if is_open { usize::try_from(head).unwrap_or(usize::MAX) } else { 0 };
        let room = most.saturating_sub(self.head.len());
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.total += bytes.len() as u64;
        self.lines += line_ends(bytes);
        self.head.extend(first);
        self.tail.extend(rest);
        let surplus = self.tail.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
        self.tail.drain(..surplus);
    }

    pub(super) fn skip(&mut self, skipped: Skipped) {
        self.tail.clear();
        self.total += skipped.bytes;
        self.lines += skipped.lines;
    }

    pub(super) fn read(&self, range: OutputRange) -> Output {
        let (head, tail) = (self.head.len() as u64, self.total - self.tail.len() as u64);
        let from = if (head..tail).contains(&range.from) { tail } else { range.from.min(self.total) };
        let bytes = if from >= tail {
            skipped(&self.tail, from - tail, range.length)
        } else if tail > head {
            skipped(&self.head, from, range.length)
        } else {
            let whole = self.bytes();
            skipped(&whole, from, range.length)
        };
        Output {
            from,
            bytes,
            total_bytes: self.total,
            total_lines: self.lines,
            stored_bytes: self.stored(),
            gap: (tail > head).then_some((head, tail)),
        }
    }
}

fn skipped<'a>(bytes: impl IntoIterator<Item = &'a u8>, from: u64, length: usize) -> Vec<u8> {
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    bytes.into_iter().skip(from).take(length).copied().collect()
}
