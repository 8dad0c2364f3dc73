//! A view as HTML: text stays text, whoever wrote it.

use gabier_tool::{Block, Cell, Column, Tone, View};
use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::tone_word;

/// The view's blocks as a fragment; its own headings begin at the second level.
pub fn fragment(view: &View) -> Markup {
    html! {
        @for block in &view.blocks { (block_of(block, 2)) }
    }
}

fn block_of(block: &Block, level: usize) -> Markup {
    html! {
        @match block {
            Block::Heading { text } => (heading(level, text)),
            Block::Text { text } => p { (text) },
            Block::Markdown { text } => (markdown(text)),
            Block::Code { text, .. } => pre tabindex="0" { code { (text) } },
            Block::Fields { fields } => dl {
                @for field in fields {
                    div { dt { (field.label) } dd { (cell(&field.value)) } }
                }
            },
            Block::Table { title, columns, rows } => div.wide tabindex="0" role="group" aria-label=(title.as_deref().unwrap_or("Table")) {
                table {
                    caption { (title.as_deref().unwrap_or("Result")) }
                    thead { tr {
                        @for column in columns { th scope="col" class=[right(column)] { (column.label) } }
                    } }
                    tbody {
                        @for cells in rows {
                            tr {
                                @for (at, text) in cells.iter().enumerate() {
                                    td class=[columns.get(at).and_then(right)] { (cell(text)) }
                                }
                            }
                        }
                    }
                }
            },
            Block::Panel { title, tone, body } => section.panel.(tone_class(*tone)) {
                (heading(level, title))
                @for inner in body { (block_of(inner, level + 1)) }
            },
            Block::Meter { label, value, max, unit } => p.meter {
                span { (label) }
                " "
                meter min="0" max=(max) value=(value) aria-label=(label) { (value) }
                " "
                (value) " of " (max) " " (unit)
            },
            Block::Spark { label, points } => p {
                (label) ": " (spark(label, points))
            },
            Block::Tree { label, children } => ul { (branch(label, children, level)) },
        }
    }
}

/// The class of a column of numbers.
fn right(column: &Column) -> Option<&'static str> {
    column.right.then_some("right")
}

fn branch(label: &str, children: &[Block], level: usize) -> Markup {
    html! {
        li {
            (label)
            @if !children.is_empty() {
                ul {
                    @for child in children {
                        @match child {
                            Block::Tree { label, children } => (branch(label, children, level)),
                            other => li { (block_of(other, level + 1)) },
                        }
                    }
                }
            }
        }
    }
}

fn heading(level: usize, text: &str) -> Markup {
    html! {
        @match level {
            0..=2 => h2 { (text) },
            3 => h3 { (text) },
            4 => h4 { (text) },
            5 => h5 { (text) },
            _ => h6 { (text) },
        }
    }
}

fn cell(cell: &Cell) -> Markup {
    html! {
        @if cell.tone == Tone::Plain { (cell.text) } @else { span.(tone_class(cell.tone)) { (cell.text) (tone_word(cell.tone)) } }
    }
}

const fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Muted => "muted",
        Tone::Strong => "strong",
    }
}

/// A line of values; its numbers are in its label.
fn spark(label: &str, points: &[f64]) -> Markup {
    let (low, high) =
        points.iter().fold((f64::MAX, f64::MIN), |(low, high), point| (low.min(*point), high.max(*point)));
    let span = if high > low { high - low } else { 1.0 };
    let line: Vec<String> = (0_u32..)
        .zip(points)
        .map(|(at, point)| format!("{},{:.1}", at * 8, 22.0 - (point - low) / span * 20.0))
        .collect();
    let width = points.len().saturating_sub(1) * 8 + 1;
    let first_and_last = match (points.first(), points.last()) {
        (Some(first), Some(last)) => format!("{label}: from {first} to {last}"),
        _ => format!("{label}: no values"),
    };
    html! {
        svg.spark role="img" aria-label=(first_and_last) viewBox=(format!("0 0 {width} 24")) width=(width) height="24" {
            polyline points=(line.join(" ")) {}
        }
    }
}

/// Markdown with its raw HTML shown as text, and without pictures or links that run scripts: a picture would make the
/// reader's browser call its server.
pub fn markdown(source: &str) -> Markup {
    let events = Parser::new_ext(source, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Event::Text(raw),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = if is_harmless(&dest_url) { dest_url } else { "".into() };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        other => other,
    });
    let mut text = String::with_capacity(source.len() * 2);
    pulldown_cmark::html::push_html(&mut text, events);
    PreEscaped(text)
}

/// True for a link that only leads somewhere.
fn is_harmless(link: &str) -> bool {
    ["https://", "http://", "mailto:", "#"].iter().any(|start| link.starts_with(start))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_from_elsewhere_never_becomes_markup() {
        let view = View::of(&json!({"name": "<script>alert(1)</script>", "rows": [{"a\"b": "<b>"}]}));
        let page = fragment(&view).into_string();
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
        assert!(page.contains("&lt;script&gt;"));
    }

    #[test]
    fn markdown_runs_nothing() {
        let shown =
            markdown("<img src=x onerror=y> [a](javascript:x) ![t](http://x/y.png) **b**").into_string();
        assert!(!shown.contains("<img") && !shown.contains("javascript:"), "{shown}");
        assert!(shown.contains("<strong>b</strong>"));
    }
}
