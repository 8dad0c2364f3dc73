//! Control sequences are made visible, never executed and never deleted (security.md §2.13).

use serde::{Deserialize, Serialize};

/// How many characters were made visible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Sanitised {
    /// C0 and C1 controls, `DEL` and what starts with them: terminal sequences.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub ansi: u32,
    /// Controls of writing direction.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub bidi: u32,
    /// Zero-width characters and variation selectors.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub invisible: u32,
    /// Tag characters U+E0000 to U+E0FFF.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub tag: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Sanitised {
    /// True when nothing was found.
    pub fn is_clean(self) -> bool {
        self == Self::default()
    }
}

/// Makes the control characters of a text visible: C0 and `DEL` as Unicode control pictures, all others as `\u{…}`.
/// Line feed and tab stay; a carriage return before a line feed stays as well.
pub fn neutralise(text: &mut String, found: &mut Sanitised) {
    let Some(first) = text.char_indices().find(|(_, c)| kind(*c).is_some()).map(|(at, _)| at) else {
        return;
    };
    let mut clean = String::with_capacity(text.len() + 16);
    clean.push_str(&text[..first]);
    let mut rest = text[first..].chars().peekable();
    while let Some(c) = rest.next() {
        match kind(c) {
            None => clean.push(c),
            Some(_) if c == '\r' && rest.peek() == Some(&'\n') => clean.push(c),
            Some(kind) => {
                kind.count(found);
                show(c, &mut clean);
            }
        }
    }
    *text = clean;
}

#[derive(Clone, Copy)]
enum Kind {
    Ansi,
    Bidi,
    Invisible,
    Tag,
}

impl Kind {
    fn count(self, found: &mut Sanitised) {
        let counter = match self {
            Self::Ansi => &mut found.ansi,
            Self::Bidi => &mut found.bidi,
            Self::Invisible => &mut found.invisible,
            Self::Tag => &mut found.tag,
        };
        *counter = counter.saturating_add(1);
    }
}

fn kind(c: char) -> Option<Kind> {
    match c {
        '\n' | '\t' | ' '..='~' => None,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => Some(Kind::Ansi),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some(Kind::Bidi)
        }
        '\u{ad}'
        | '\u{34f}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' => Some(Kind::Invisible),
        '\u{e0000}'..='\u{e0fff}' => Some(Kind::Tag),
        _ => None,
    }
}

fn show(c: char, clean: &mut String) {
    use std::fmt::Write as _;
    match c {
        '\0'..='\u{1f}' => clean.extend(char::from_u32(0x2400 + c as u32)),
        '\u{7f}' => clean.push('\u{2421}'),
        other => {
            let _ = write!(clean, "\\u{{{:x}}}", other as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, clean: &str) {
        let mut shown = text.to_owned();
        let mut found = Sanitised::default();
        neutralise(&mut shown, &mut found);
        assert_eq!(shown, clean);
        let mut twice = shown.clone();
        neutralise(&mut twice, &mut Sanitised::default());
        assert_eq!(twice, shown, "a clean text stays as it is");
    }

    #[test]
    fn terminal_sequences_become_visible_and_nothing_is_deleted() {
        check("a\u{1b}]0;title\u{7}b", "a␛]0;title␇b");
        check("unterminated \u{1b}Pq rest stays", "unterminated ␛Pq rest stays");
        check("lines\nand\ttabs\r\n stay", "lines\nand\ttabs\r\n stay");
        check("over\rwritten", "over␍written");
        check("c1 \u{9b}31m", "c1 \\u{9b}31m");
    }

    #[test]
    fn direction_controls_zero_width_and_tags_become_visible() {
        check("a\u{202e}b", "a\\u{202e}b");
        check("a\u{200b}b\u{fe0f}", "a\\u{200b}b\\u{fe0f}");
        check("a\u{e0041}", "a\\u{e0041}");
        check("é 日本 🙂 ¡", "é 日本 🙂 ¡");
    }

    #[test]
    fn what_was_made_visible_is_counted_by_kind() {
        let mut found = Sanitised::default();
        neutralise(&mut "\u{1b}\u{1b}\u{202e}\u{200b}\u{e0001}".to_owned(), &mut found);
        assert_eq!(found, Sanitised { ansi: 2, bidi: 1, invisible: 1, tag: 1 });
    }
}
