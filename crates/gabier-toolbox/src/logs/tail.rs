//! The last lines of a file, found from its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The most that is held of a file: 16 MiB.
pub(super) const MOST: usize = 16 * 1024 * 1024;

/// How much is read at once.
const BLOCK: u64 = 64 * 1024;

/// The end of a file.
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// True when the file has more of the asked lines than are held.
    pub(super) is_cut: bool,
}

impl Tail {
    /// Reads backwards until that many lines are held.
    pub(super) fn read(file: &File, size: u64, lines: usize) -> io::Result<Self> {
        let mut blocks: Vec<Vec<u8>> = Vec::new();
        let (mut start, mut breaks) = (size, 0);
        // The last line ends with a break or without one: one break more than lines is always enough.
        while start > 0 && breaks <= lines && size - start < MOST as u64 {
            let length = BLOCK.min(start);
            start -= length;
            let block = read_at(file, start, length)?;
            breaks += block.split(|byte| *byte == b'\n').count() - 1;
            blocks.push(block);
        }
        let mut bytes: Vec<u8> = blocks.into_iter().rev().flatten().collect();
        let kept = begin_of_last(&bytes, lines);
        let is_cut = kept.is_none() && start > 0;
        bytes.drain(..kept.unwrap_or(0));
        Ok(Self { bytes, is_cut })
    }

    /// The end of a file elsewhere, as it was read there.
    pub(super) fn of(bytes: Vec<u8>, is_cut: bool) -> Self {
        Self { bytes, is_cut }
    }

    /// The lines, oldest first, without their breaks.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let text = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let has_lines = !self.bytes.is_empty();
        text.split(|byte| *byte == b'\n')
            .filter(move |_| has_lines)
            .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// A block of the file; shorter when the file shrank meanwhile.
fn read_at(file: &File, start: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut block = vec![0; usize::try_from(length).unwrap_or_default()];
    let mut filled = 0;
    while filled < block.len() {
        match file.read_at(&mut block[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(filled);
    Ok(block)
}

/// Where the last lines begin; `None` when the bytes hold no more than them.
fn begin_of_last(bytes: &[u8], lines: usize) -> Option<usize> {
    let end = bytes.len() - usize::from(bytes.ends_with(b"\n"));
    let breaks = bytes[..end].iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
    breaks.map(|(at, _)| at + 1).nth(lines.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn check(content: &[u8], lines: usize, expected: &[&str]) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        let tail = Tail::read(&file, content.len() as u64, lines).unwrap();
        let found: Vec<_> = tail.lines().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        assert_eq!(found, expected);
        assert!(!tail.is_cut);
    }

    #[test]
    fn the_last_lines_are_found_with_or_without_a_final_break() {
        check(b"one\ntwo\nthree\n", 2, &["two", "three"]);
        check(b"one\ntwo\nthree", 2, &["two", "three"]);
        check(b"one\ntwo\n", 9, &["one", "two"]);
        check(b"one\r\n\r\n", 9, &["one", ""]);
        check(b"\n", 9, &[""]);
        check(b"", 9, &[]);
    }

    #[test]
    fn lines_that_cross_blocks_stay_whole() {
        let long = "x".repeat(100_000);
        let content = format!("first\n{long}\nlast\n");
        check(content.as_bytes(), 2, &[&long, "last"]);
    }

    #[test]
    fn one_endless_line_is_held_in_part_and_says_so() {
        let file = tempfile::tempfile().unwrap();
        let most = MOST as u64;
        file.set_len(most * 4).unwrap();
        let tail = Tail::read(&file, most * 4, 1).unwrap();
        assert!(tail.is_cut && tail.bytes.len() as u64 <= most + BLOCK);
    }
}
