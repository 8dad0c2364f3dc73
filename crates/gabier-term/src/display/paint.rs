//! Colours and weights, or nothing.

use anstyle::{AnsiColor, Style};
use gabier_tool::Tone;
use unicode_width::UnicodeWidthStr;

/// Styles text when colour is wanted.
#[derive(Clone, Copy)]
pub(crate) struct Paint {
    is_on: bool,
}

impl Paint {
    pub(crate) fn new(is_on: bool) -> Self {
        Self { is_on }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.style(text, Style::new().bold())
    }

    pub(crate) fn muted(self, text: &str) -> String {
        self.style(text, Style::new().dimmed())
    }

    pub(crate) fn label(self, text: &str) -> String {
        self.style(text, AnsiColor::Cyan.on_default())
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.style(text, AnsiColor::Yellow.on_default().bold())
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.style(text, AnsiColor::Red.on_default().bold())
    }

    /// Text in its tone. The sign says without colour what the colour says.
    pub(crate) fn toned(self, text: &str, tone: Tone) -> String {
        let style = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warn => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
            Tone::Muted => Style::new().dimmed(),
            Tone::Strong => Style::new().bold(),
        };
        self.style(&format!("{}{text}", sign(tone)), style)
    }

    fn style(self, text: &str, style: Style) -> String {
        if self.is_on && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// The sign of a tone.
pub(crate) fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✓ ",
        Tone::Warn => "! ",
        Tone::Bad => "✗ ",
        Tone::Plain | Tone::Muted | Tone::Strong => "",
    }
}

/// The text without our own styles.
pub(crate) fn strip(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

/// Columns that a styled text takes.
pub(crate) fn width(text: &str) -> usize {
    strip(text).width()
}

/// Text broken at spaces into lines of at most so many columns; words that are longer stay whole.
pub(crate) fn wrap(text: &str, columns: Option<usize>) -> Vec<String> {
    let Some(columns) = columns.filter(|columns| *columns > 0) else {
        return text.lines().map(str::to_owned).collect();
    };
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && width(&line) + 1 + width(word) > columns {
                lines.push(std::mem::take(&mut line));
            } else if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines
}
