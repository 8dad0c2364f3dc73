//! Typed secrets taken out of what a terminal echoes, and its line ends made plain.

use gabier_tool::{REDACTED, Secret};

/// Cleans a terminal's output that comes in pieces.
#[derive(Default)]
pub(super) struct Mask {
    secrets: Vec<Secret>,
    held: Vec<u8>,
}

impl Mask {
    pub(super) fn new(secrets: Vec<Secret>) -> Self {
        Self {
            secrets: secrets.into_iter().filter(|secret| !secret.expose().is_empty()).collect(),
            held: Vec::new(),
        }
    }

    /// Takes a piece; what may be the begin of a secret or of a line end is held back.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(bytes);
        self.clean(false)
    }

    /// Gives what was held back.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.clean(true)
    }

    fn clean(&mut self, is_end: bool) -> Vec<u8> {
        let mut output = Vec::new();
        let mut at = 0;
        while at < self.held.len() {
            let rest = &self.held[at..];
            let words = || self.secrets.iter().map(|secret| secret.expose().as_bytes());
            if let Some(word) = words().find(|word| rest.starts_with(word)) {
                output.extend_from_slice(REDACTED.as_bytes());
                at += word.len();
            } else if rest.starts_with(b"\r\n") {
                at += 1;
            } else if !is_end && (rest == b"\r" || words().any(|word| word.starts_with(rest))) {
                break;
            } else {
                output.push(rest[0]);
                at += 1;
            }
        }
        self.held.drain(..at);
        output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_however_the_output_is_cut() {
        let stream = b"a hunhunter22\r\nb\rc hunter";
        for size in 1..=stream.len() {
            let mut mask = Mask::new(vec![Secret::from("hunter22".to_owned())]);
            let mut output: Vec<u8> = stream.chunks(size).flat_map(|chunk| mask.push(chunk)).collect();
            output.extend(mask.finish());
            assert_eq!(String::from_utf8(output).unwrap(), "a hun[REDACTED]\nb\rc hunter", "{size}");
        }
    }
}
