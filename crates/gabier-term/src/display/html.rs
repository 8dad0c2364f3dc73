//! A view as a fragment of HTML, everything escaped.

use gabier_tool::{Block, Cell, Field, Tone, View};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::paint::sign;

/// The view, a line feed at its end.
pub(crate) fn text(view: &View) -> String {
    view.blocks.iter().map(|block| one(block, 2) + "\n").collect()
}

fn each<'a, T: 'a>(items: impl IntoIterator<Item = &'a T>, write: impl Fn(&T) -> String) -> String {
    items.into_iter().map(write).collect()
}

fn one(block: &Block, level: usize) -> String {
    match block {
        Block::Heading { text } => format!("<h{level}>{}</h{level}>", escape(text)),
        Block::Text { text } => format!("<p>{}</p>", escape(text)),
        Block::Markdown { text } => markdown(text),
        Block::Code { text, .. } => format!("<pre><code>{}</code></pre>", escape(text)),
        Block::Fields { fields } => {
            let pair =
                |field: &Field| format!("<dt>{}</dt><dd>{}</dd>", escape(&field.label), cell(&field.value));
            format!("<dl>{}</dl>", each(fields, pair))
        }
        Block::Table { title, columns, rows } => {
            let caption = each(title, |title| format!("<caption>{}</caption>", escape(title)));
            let head = each(columns, |column| format!("<th scope=\"col\">{}</th>", escape(&column.label)));
            let body = each(rows, |row| {
                format!("<tr>{}</tr>", each(row, |value| format!("<td>{}</td>", cell(value))))
            });
            format!("<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
        }
        Block::Panel { title, tone, body } => {
            let inner: String = body.iter().map(|block| one(block, (level + 1).min(6))).collect();
            let title = format!("{}{}", sign(*tone), escape(title));
            format!("<section class=\"{}\"><h{level}>{title}</h{level}>{inner}</section>", class(*tone))
        }
        Block::Meter { label, value, max, unit } => {
            let text = format!("{value} of {max} {}", escape(unit));
            format!(
                "<p><label>{} <meter max=\"{max}\" value=\"{value}\">{text}</meter> {text}</label></p>",
                escape(label)
            )
        }
        Block::Spark { label, points } => {
            let points: Vec<String> = points.iter().map(f64::to_string).collect();
            format!("<p>{}: {}</p>", escape(label), points.join(", "))
        }
        Block::Tree { label, children } => {
            let inner: String = children.iter().map(|child| one(child, level)).collect();
            format!("<ul><li>{}{inner}</li></ul>", escape(label))
        }
    }
}

/// Markdown without the HTML, scripts and pictures that it may hold.
fn markdown(source: &str) -> String {
    let events = Parser::new(source).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = if is_harmless(&dest_url) { dest_url } else { "#".into() };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        // A picture would make the reader's browser call its server.
        Event::Start(Tag::Image { .. }) => Event::Start(Tag::Emphasis),
        Event::End(TagEnd::Image) => Event::End(TagEnd::Emphasis),
        other => other,
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    html.trim_end().to_owned()
}

/// True for a link that only leads somewhere.
fn is_harmless(link: &str) -> bool {
    ["https://", "http://", "mailto:", "/", "#"].iter().any(|start| link.starts_with(start))
}

fn cell(value: &Cell) -> String {
    let text = format!("{}{}", sign(value.tone), escape(&value.text));
    if value.tone == Tone::Plain {
        text
    } else {
        format!("<span class=\"{}\">{text}</span>", class(value.tone))
    }
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Good => "good",
        Tone::Warn => "warn",
        Tone::Bad => "bad",
        Tone::Muted => "muted",
        Tone::Strong => "strong",
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
