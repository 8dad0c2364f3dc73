//! What a command wrote and a person has seen come, so that the result does not say it again.

use gabier_tool::{Block, OutputStream, View};

/// How much of each stream is remembered, in bytes; of more than this the result shows its own part.
const REMEMBERED: usize = 4 * 1024 * 1024;

/// What was shown of each stream.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    streams: [String; 2],
    is_over: bool,
}

impl Shown {
    /// Notes what was shown.
    pub(crate) fn note(&mut self, stream: OutputStream, text: &str) {
        let shown = &mut self.streams[usize::from(stream == OutputStream::Stderr)];
        if shown.len() + text.len() > REMEMBERED {
            self.is_over = true;
        } else {
            shown.push_str(text);
        }
    }

    /// The view without the blocks that say what was shown; none when that was all of it.
    pub(crate) fn taken_from(&self, view: View) -> Option<View> {
        if self.is_over || view.blocks.is_empty() {
            return Some(view);
        }
        let blocks: Vec<Block> = view.blocks.into_iter().filter(|block| !self.has(block)).collect();
        (!blocks.is_empty()).then_some(View { blocks })
    }

    fn has(&self, block: &Block) -> bool {
        match block {
            Block::Code { text, .. } => self.streams.iter().any(|shown| is_of(text, shown)),
            Block::Panel { body, .. } => !body.is_empty() && body.iter().all(|block| self.has(block)),
            _ => false,
        }
    }
}

/// True when a text is what was shown: all of it, or its head and its tail around a notice of what is left out.
fn is_of(text: &str, shown: &str) -> bool {
    let (text, shown) = (text.trim_end(), shown.trim_end());
    if shown.is_empty() {
        return false;
    }
    let Some((head, rest)) = text.split_once("\n[… ") else { return text == shown };
    let Some((_, tail)) = rest.split_once(" not shown …]\n") else { return text == shown };
    shown.len() > head.len() + tail.len() && shown.starts_with(head) && shown.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shown: &[(OutputStream, &str)], blocks: Vec<Block>) -> usize {
        let mut seen = Shown::default();
        for (stream, text) in shown {
            seen.note(*stream, text);
        }
        seen.taken_from(View { blocks }).map_or(0, |view| view.blocks.len())
    }

    fn code(text: &str) -> Block {
        Block::Code { text: text.to_owned(), language: None }
    }

    #[test]
    fn what_was_seen_to_come_is_not_said_again() {
        use OutputStream::{Stderr, Stdout};
        let panel = |text: &str| Block::Panel {
            title: "stderr".to_owned(),
            tone: gabier_tool::Tone::Warn,
            body: vec![code(text)],
        };
        let seen = [(Stdout, "a\n"), (Stderr, "bad\n"), (Stdout, "b\n")];
        assert_eq!(check(&seen, vec![code("a\nb\n"), panel("bad\n")]), 0);
        assert_eq!(check(&seen, vec![code("b\n"), panel("worse\n")]), 2);
        assert_eq!(check(&[], vec![code("a\n")]), 1);
        assert_eq!(check(&[(Stdout, "web1: a\n")], vec![code("a\n")]), 1, "the fold is another text");
    }

    #[test]
    fn a_cut_output_was_seen_when_its_ends_were() {
        let seen = [(OutputStream::Stdout, "1\n2\n3\n4\n")];
        assert_eq!(check(&seen, vec![code("1\n[… 4 bytes not shown …]\n4\n")]), 0);
        assert_eq!(check(&seen, vec![code("0\n[… 4 bytes not shown …]\n4\n")]), 1);
    }
}
