//! Markdown as lines of text.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::paint::{Paint, wrap};
use crate::terminal::Look;

/// Markdown for a terminal.
pub(crate) fn terminal(source: &str, look: Look) -> Vec<String> {
    let mut outline = Outline { paint: Paint::new(look.color), look, ..Outline::new() };
    for event in Parser::new_ext(source, Options::ENABLE_TABLES) {
        outline.take(event);
    }
    outline.finish();
    outline.lines
}

/// The words of Markdown, for places that know no markup (manual pages, completion).
pub(crate) fn plain_markdown(source: &str) -> String {
    terminal(source, Look { color: false, boxes: false, width: None }).join("\n")
}

struct Outline {
    paint: Paint,
    look: Look,
    lines: Vec<String>,
    line: String,
    /// The number of the next item of each open list; `None` = bullets.
    lists: Vec<Option<u64>>,
    is_code: bool,
    quotes: usize,
}

impl Outline {
    fn new() -> Self {
        Self {
            paint: Paint::new(false),
            look: Look { color: false, boxes: false, width: None },
            lines: Vec::new(),
            line: String::new(),
            lists: Vec::new(),
            is_code: false,
            quotes: 0,
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.is_code => {
                self.lines.extend(text.lines().map(|line| format!("    {line}")));
            }
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.line.push_str(&text),
            Event::Code(code) if self.look.color => self.line.push_str(&self.paint.label(&code)),
            Event::Code(code) => self.line.extend(["`", &*code, "`"]),
            Event::SoftBreak => self.line.push(' '),
            Event::HardBreak => self.line.push('\n'),
            Event::Rule => self.lines.push("────".to_owned()),
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Paragraph if self.lists.is_empty() => self.space(),
            Tag::Heading { .. } => {
                self.flush();
                self.space();
            }
            Tag::CodeBlock(_) => {
                self.flush();
                self.space();
                self.is_code = true;
            }
            Tag::List(first) => {
                self.flush();
                if self.lists.is_empty() {
                    self.space();
                }
                self.lists.push(*first);
            }
            Tag::Item => {
                self.flush();
                let indent = "  ".repeat(self.lists.len().saturating_sub(1));
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "• ".to_owned(),
                };
                self.line = format!("{indent}{mark}");
            }
            Tag::BlockQuote(_) => self.quotes += 1,
            Tag::TableCell if !self.line.is_empty() => self.line.push_str("  "),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(_) => {
                self.line = self.paint.bold(&self.line);
                self.flush();
            }
            TagEnd::CodeBlock => self.is_code = false,
            TagEnd::List(_) => {
                self.flush();
                self.lists.pop();
            }
            TagEnd::BlockQuote(_) => {
                self.flush();
                self.quotes = self.quotes.saturating_sub(1);
            }
            TagEnd::Paragraph | TagEnd::Item | TagEnd::TableRow | TagEnd::TableHead => self.flush(),
            _ => {}
        }
    }

    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return;
        }
        let quote = "│ ".repeat(self.quotes);
        let room =
            self.look.width.filter(|_| self.look.boxes).map(|all| all.saturating_sub(quote.chars().count()));
        self.lines.extend(wrap(&line, room).into_iter().map(|line| format!("{quote}{line}")));
    }

    fn space(&mut self) {
        if self.lines.last().is_some_and(|last| !last.is_empty()) {
            self.lines.push(String::new());
        }
    }

    fn finish(&mut self) {
        self.flush();
    }
}
