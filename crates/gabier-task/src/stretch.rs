//! What waits of a stream for the store: all of it, or its two ends when a tool writes more than is kept anyway.

use gabier_store::queue::rules::{kept, line_ends};
use gabier_store::queue::{Skipped, Stream};

/// The longest part of a line that waits for its end, so that secrets in it are seen whole.
pub(crate) const LONGEST_LINE: usize = 64 * 1024;

/// A part of a stream that is not in the store yet.
#[derive(Debug, Default)]
pub(crate) struct Stretch {
    first: Vec<u8>,
    /// What is left out between the two.
    skipped: Skipped,
    last: Vec<u8>,
}

/// A part of a stream on its way to the store: what is left out comes after the bytes.
pub(crate) type Part = (Vec<u8>, Skipped);

impl Stretch {
    /// How many bytes wait.
    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.last.len()
    }

    /// Adds what was written. As much as a store keeps of a head waits in front and as much as it keeps of a tail
    /// behind; what is between is counted.
    pub(crate) fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let (head, tail) = kept(stream);
        let [head, tail] = [head, tail].map(|most| usize::try_from(most).unwrap_or(usize::MAX));
        let room = if self.last.is_empty() { head.saturating_sub(self.first.len()) } else { 0 };
        let (first, last) = bytes.split_at(room.min(bytes.len()));
        self.first.extend_from_slice(first);
        self.last.extend_from_slice(last);
        if self.last.len() > tail + tail / 2 {
            self.leave_out(self.last.len() - tail);
        }
    }

    /// Leaves so many bytes out, and what is left of their lines on both sides.
    fn leave_out(&mut self, bytes: usize) {
        if self.skipped.bytes == 0 {
            let near = self.first.len().saturating_sub(LONGEST_LINE);
            let end = self.first[near..].iter().rposition(|byte| *byte == b'\n');
            let cut = self.first.split_off(end.map_or(self.first.len(), |at| near + at + 1));
            count(&mut self.skipped, &cut);
        }
        let line = self.last[bytes..].iter().take(LONGEST_LINE).position(|byte| *byte == b'\n');
        let gone = bytes + line.map_or(0, |at| at + 1);
        count(&mut self.skipped, &self.last[..gone]);
        self.last.drain(..gone);
    }

    /// Takes what ends with a line end, or all of it.
    pub(crate) fn take(&mut self, is_end: bool) -> Vec<Part> {
        let skipped = std::mem::take(&mut self.skipped);
        if skipped.bytes == 0 {
            self.first.append(&mut self.last);
            return part(whole_lines(&mut self.first, is_end)).into_iter().collect();
        }
        let first = std::mem::take(&mut self.first);
        let last = whole_lines(&mut self.last, is_end);
        self.first = std::mem::take(&mut self.last);
        [(first, skipped)].into_iter().chain(part(last)).collect()
    }
}

fn count(skipped: &mut Skipped, gone: &[u8]) {
    skipped.bytes += gone.len() as u64;
    skipped.lines += line_ends(gone);
}

fn part(bytes: Vec<u8>) -> Option<Part> {
    (!bytes.is_empty()).then(|| (bytes, Skipped::default()))
}

/// Takes what ends with a line end, or all of it.
fn whole_lines(bytes: &mut Vec<u8>, is_end: bool) -> Vec<u8> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if is_end || bytes.len() - end > LONGEST_LINE {
        return std::mem::take(bytes);
    }
    let rest = bytes.split_off(end);
    std::mem::replace(bytes, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_store_keeps_waits_whole() {
        let mut stretch = Stretch::default();
        let line = [b"x".repeat(99), b"\n".to_vec()].concat();
        for _ in 0..60_000 {
            stretch.push(Stream::Stdout, &line);
        }
        assert_eq!(stretch.len(), 6_000_000);
        let parts = stretch.take(false);
        assert_eq!((parts.len(), parts[0].0.len(), parts[0].1), (1, 6_000_000, Skipped::default()));
        assert_eq!(stretch.len(), 0);
    }

    #[test]
    fn of_more_than_that_both_ends_wait_and_the_rest_is_counted() {
        let (head, tail) = kept(Stream::Stderr);
        let mut stretch = Stretch::default();
        let lines = 2_000_000;
        let mut written = 0;
        for number in 0..lines {
            let line = format!("line {number}\n");
            written += line.len();
            stretch.push(Stream::Stderr, line.as_bytes());
        }
        stretch.push(Stream::Stderr, b"and no end");
        let parts = stretch.take(false);
        let [(first, skipped), (last, none)] = &parts[..] else { panic!("{} parts", parts.len()) };
        assert_eq!(*none, Skipped::default());
        assert!(first.starts_with(b"line 0\n") && first.ends_with(b"\n"));
        assert!(first.len() as u64 > head - 100 && last.len() as u64 > tail - 100);
        assert!(last.starts_with(b"line ") && last.ends_with(b"line 1999999\n"));
        assert_eq!(first.len() + last.len() + usize::try_from(skipped.bytes).unwrap(), written);
        assert_eq!(line_ends(first) + line_ends(last) + skipped.lines, lines);
        assert_eq!(stretch.take(true), [(b"and no end".to_vec(), Skipped::default())]);
    }

    #[test]
    fn a_flood_without_a_line_end_is_counted_too() {
        let mut stretch = Stretch::default();
        let flood = vec![0; 100_000];
        for _ in 0..1_000 {
            stretch.push(Stream::Log, &flood);
        }
        let parts = stretch.take(true);
        let all: u64 = parts.iter().map(|(bytes, skipped)| bytes.len() as u64 + skipped.bytes).sum();
        assert_eq!((all, parts.len()), (100_000_000, 2));
    }
}
