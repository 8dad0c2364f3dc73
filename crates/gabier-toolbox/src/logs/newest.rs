//! The newest lines of an output, within what an answer can hold.

use gabier_host::Output;
use gabier_tool::Context;

use crate::Services;

/// How much of a line is shown, in bytes.
const LINE: usize = 4096;

/// The newest lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Newest {
    /// The lines, oldest first.
    pub(super) lines: Vec<String>,
    /// True when older ones that were asked for are left out, or a line is cut.
    pub(super) truncated: bool,
}

impl Newest {
    /// The newest of the lines of an output, of which some may be missing in the middle.
    pub(super) fn of(output: &Output, room: usize) -> Self {
        let mut truncated = output.is_truncated();
        let bytes = if truncated {
            // The first of them begins somewhere in a line.
            output.tail.splitn(2, |byte| *byte == b'\n').nth(1).unwrap_or_default()
        } else {
            output.head.as_slice()
        };
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let mut lines = Vec::new();
        let mut left = room;
        for line in bytes.rsplit(|byte| *byte == b'\n').filter(|_| output.bytes > 0) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            truncated |= line.len() > LINE;
            let text = text_of(line, LINE);
            let Some(rest) = left.checked_sub(text.len() + 1) else {
                truncated = true;
                break;
            };
            left = rest;
            lines.push(text);
        }
        lines.reverse();
        Self { lines, truncated }
    }
}

/// How many bytes of lines an answer holds: models get what they can read at once.
pub(super) fn room(ctx: &Context<Services>) -> usize {
    if ctx.surface().is_mcp() { 24 * 1024 } else { 512 * 1024 }
}

/// A path as it stands on a command line: `~/` is where commands begin.
pub(super) fn host_path(path: &str) -> String {
    match path.strip_prefix("~/") {
        Some(rest) => format!("./{rest}"),
        None => path.to_owned(),
    }
}

/// A line as text, bytes that are none as `\xNN`, and cut when long.
pub(super) fn text_of(line: &[u8], most: usize) -> String {
    let shown = &line[..line.len().min(most)];
    let mut text = String::with_capacity(shown.len());
    for chunk in shown.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    if shown.len() < line.len() {
        text.push_str(" … (");
        text.push_str(&line.len().to_string());
        text.push_str(" bytes)");
    }
    text
}

#[cfg(test)]
mod tests {
    use gabier_host::Captured;

    use super::*;

    fn newest(text: &[u8], keep: usize, room: usize) -> (Vec<String>, bool) {
        let mut captured = Captured::within(keep);
        captured.push(text);
        let Newest { lines, truncated } = Newest::of(&captured.finish(), room);
        (lines, truncated)
    }

    #[test]
    fn all_lines_are_given_where_they_fit() {
        assert_eq!(newest(b"one\r\ntwo\n", 100, 100), (vec!["one".into(), "two".into()], false));
        assert_eq!(newest(b"\n", 100, 100), (vec![String::new()], false));
        assert_eq!(newest(b"", 100, 100), (vec![], false));
    }

    #[test]
    fn the_newest_are_given_where_not_all_fit_and_no_half_line() {
        assert_eq!(newest(b"one\ntwo\nthree\n", 100, 10), (vec!["two".into(), "three".into()], true));
        assert_eq!(newest(b"first\nsecond\nthird\n", 24, 100).0.len(), 3);
        assert_eq!(newest(b"first\nsecond\nthird\n", 18, 100), (vec!["third".into()], true));
    }

    #[test]
    fn foreign_bytes_are_shown_and_long_lines_cut() {
        assert_eq!(text_of(b"caf\xe9!", 600), "caf\\xe9!");
        assert_eq!(text_of(&[b'a'; 700], 600), format!("{} … (700 bytes)", "a".repeat(600)));
        assert!(newest(&[b'a'; 5000], 10_000, 10_000).1);
    }
}
