//! Output of a command: its head, its tail and the truth about what lies between.

use std::collections::VecDeque;
use std::fmt::Write as _;

/// Collects a stream within a bound: the first half of it and the last.
#[derive(Debug)]
pub struct Captured {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    room: usize,
    bytes: u64,
    newlines: u64,
    last: Option<u8>,
}

impl Captured {
    /// Keeps at most so many bytes.
    pub fn within(room: usize) -> Self {
        Self { head: Vec::new(), tail: VecDeque::new(), room, bytes: 0, newlines: 0, last: None }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, data: &[u8]) {
        let Some(last) = data.last() else { return };
        self.last = Some(*last);
        self.bytes += data.len() as u64;
        self.newlines += memchr::memchr_iter(b'\n', data).count() as u64;
        let (to_head, rest) = data.split_at(data.len().min(self.room.div_ceil(2) - self.head.len()));
        self.head.extend_from_slice(to_head);
        let tail_room = self.room / 2;
        let rest = &rest[rest.len().saturating_sub(tail_room)..];
        let excess = (self.tail.len() + rest.len()).saturating_sub(tail_room);
        self.tail.drain(..excess);
        self.tail.extend(rest);
    }

    /// Ends the stream.
    pub fn finish(self) -> Output {
        let lines = self.newlines + u64::from(self.last.is_some_and(|last| last != b'\n'));
        let mut output = Output { bytes: self.bytes, lines, ..Output::default() };
        output.head = self.head;
        output.tail = self.tail.into();
        if output.missing() == 0 {
            output.head.append(&mut output.tail);
        }
        output
    }
}

/// What a stream gave: all of it, or its head and its tail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The bytes from the beginning; all of them when nothing is missing.
    pub head: Vec<u8>,
    /// The bytes up to the end, when something is missing between.
    pub tail: Vec<u8>,
    /// How many bytes the stream gave.
    pub bytes: u64,
    /// How many lines the stream gave; a last one without its newline counts.
    pub lines: u64,
}

impl Output {
    /// A whole stream.
    pub fn whole(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let mut captured = Captured::within(bytes.len() * 2);
        captured.push(&bytes);
        captured.finish()
    }

    /// How many bytes between head and tail were not kept.
    pub fn missing(&self) -> u64 {
        self.bytes - (self.head.len() + self.tail.len()) as u64
    }

    /// True when bytes are missing.
    pub fn is_truncated(&self) -> bool {
        self.missing() > 0
    }

    /// The stream as text, with a notice where bytes are missing; bytes that are no UTF-8 stand as `\xNN`.
    pub fn text(&self) -> String {
        let mut text = escape(&self.head);
        if self.is_truncated() {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            let _ = writeln!(text, "[… {} bytes not shown …]", self.missing());
            text.push_str(&escape(&self.tail));
        }
        text
    }

    /// True when all that was kept is UTF-8 text (a character cut at the gap is no fault).
    pub fn is_text(&self) -> bool {
        let cut_end = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(_) => true,
            Err(error) => self.is_truncated() && error.error_len().is_none(),
        };
        let begin = self.tail.iter().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
        cut_end(&self.head) && std::str::from_utf8(&self.tail[begin..]).is_ok()
    }
}

/// The bytes as text; those that are no UTF-8 stand as `\xNN`.
fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capture(room: usize, chunks: &[&[u8]]) -> Output {
        let mut captured = Captured::within(room);
        for chunk in chunks {
            captured.push(chunk);
        }
        captured.finish()
    }

    #[test]
    fn what_fits_is_kept_whole_however_it_comes() {
        let output = capture(8, &[b"ab\n", b"", b"cdef", b"\n"]);
        assert_eq!(
            (output.head.as_slice(), output.tail.as_slice()),
            (b"ab\ncdef\n".as_slice(), b"".as_slice())
        );
        assert_eq!((output.bytes, output.lines, output.is_truncated()), (8, 2, false));
    }

    #[test]
    fn the_middle_goes_and_the_counts_stay_true() {
        let output = capture(6, &[b"0123", b"456789\nx"]);
        assert_eq!(output.text(), "012\n[… 6 bytes not shown …]\n9\nx");
        assert_eq!((output.bytes, output.lines), (12, 2));
    }

    #[test]
    fn splitting_changes_nothing() {
        let data: Vec<u8> = (0..=255_u8).cycle().take(5000).collect();
        let whole = capture(301, &[&data]);
        for size in [1, 7, 150, 151, 152, 299, 4999] {
            assert_eq!(capture(301, &data.chunks(size).collect::<Vec<_>>()), whole, "{size}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_and_told() {
        let output = Output::whole(*b"caf\xe9\n");
        assert_eq!((output.text().as_str(), output.is_text()), ("caf\\xe9\n", false));
        assert!(capture(4, &["ééééé".as_bytes()]).is_text());
        assert!(capture(5, &["ééééé".as_bytes()]).is_text(), "a character cut at the gap is no fault");
    }
}
