//! Words of our own among a command's output: random, so that no output can hold them by chance or design.

use std::fmt::Write as _;

/// 128 random bits as a word.
pub(super) fn word() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    let mut word = String::from("gx");
    for byte in bytes {
        let _ = write!(word, "{byte:02x}");
    }
    Ok(word)
}

/// Takes `WORD NUMBER` lines out of a stream that comes in pieces.
#[derive(Debug)]
pub(super) struct Marks {
    word: Vec<u8>,
    held: Vec<u8>,
}

/// What a piece of the stream held.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Output of the command.
    Output(Vec<u8>),
    /// A mark and its number.
    Mark(u32),
}

impl Marks {
    /// Looks for this word.
    pub(super) fn new(word: &str) -> Self {
        Self { word: word.as_bytes().to_vec(), held: Vec::new() }
    }

    /// Takes a piece; what may be the begin of a mark is held back.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Piece> {
        self.held.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        while let Some(at) = find(&self.held, &self.word) {
            // The longest number and its line end; a mark with more behind it is none.
            let line = &self.held[at + self.word.len()..];
            let Some(end) = line.iter().position(|byte| *byte == b'\n') else {
                let (output, mark) = self.held.split_at(at);
                output_of(output, &mut pieces);
                self.held = mark.to_vec();
                return pieces;
            };
            let number = std::str::from_utf8(&line[..end]).ok().and_then(|text| text.trim().parse().ok());
            let rest = at + self.word.len() + end + 1;
            output_of(&self.held[..at], &mut pieces);
            pieces.push(Piece::Mark(number.unwrap_or(u32::MAX)));
            self.held.drain(..rest);
        }
        let keep = begin_at_end(&self.held, &self.word);
        let output = self.held.len() - keep;
        output_of(&self.held[..output], &mut pieces);
        self.held.drain(..output);
        pieces
    }

    /// What was held back, when no more comes.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
}

fn output_of(bytes: &[u8], pieces: &mut Vec<Piece>) {
    if !bytes.is_empty() {
        pieces.push(Piece::Output(bytes.to_vec()));
    }
}

fn find(bytes: &[u8], word: &[u8]) -> Option<usize> {
    let first = *word.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + at..].starts_with(word) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// How many bytes at the end could be the begin of the word.
fn begin_at_end(bytes: &[u8], word: &[u8]) -> usize {
    (1..word.len().min(bytes.len() + 1)).rev().find(|count| bytes.ends_with(&word[..*count])).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&[u8]]) -> (Vec<u8>, Vec<u32>) {
        let mut marks = Marks::new("gxabc");
        let (mut output, mut numbers) = (Vec::new(), Vec::new());
        for chunk in chunks {
            for piece in marks.push(chunk) {
                match piece {
                    Piece::Output(bytes) => output.extend(bytes),
                    Piece::Mark(number) => numbers.push(number),
                }
            }
        }
        output.extend(marks.finish());
        (output, numbers)
    }

    #[test]
    fn marks_are_found_however_the_stream_is_cut() {
        let stream = b"ggxagxabc 7\nout\ngxabd gxabc 12\r\nrest gxab";
        for size in 1..=stream.len() {
            let (output, numbers) = read(&stream.chunks(size).collect::<Vec<_>>());
            assert_eq!(
                (output.as_slice(), numbers.as_slice()),
                (b"ggxaout\ngxabd rest gxab".as_slice(), [7, 12].as_slice()),
                "{size}"
            );
        }
    }

    #[test]
    fn two_words_are_never_the_same() {
        assert_ne!(word().unwrap(), word().unwrap());
        assert_eq!(word().unwrap().len(), 34);
    }
}
