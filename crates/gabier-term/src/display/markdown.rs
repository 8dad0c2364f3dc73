//! A view as Markdown.

use gabier_tool::{Block, Cell, View};

use super::paint::sign;

/// The view, a line feed at its end.
pub(crate) fn text(view: &View) -> String {
    let parts: Vec<String> = view.blocks.iter().map(|block| one(block, 2)).collect();
    parts.join("\n\n") + "\n"
}

fn one(block: &Block, level: usize) -> String {
    match block {
        Block::Heading { text } => format!("{} {}", "#".repeat(level), escape(text)),
        Block::Text { text } => escape(text),
        Block::Markdown { text } => text.trim_end().to_owned(),
        Block::Code { text, language } => code(text, language.as_deref().unwrap_or_default()),
        Block::Fields { fields } => {
            let lines: Vec<String> = fields
                .iter()
                .map(|field| format!("- **{}**: {}", escape(&field.label), cell(&field.value)))
                .collect();
            lines.join("\n")
        }
        Block::Table { title, columns, rows } => {
            let title = title.as_ref().map(|title| format!("**{}**\n\n", escape(title))).unwrap_or_default();
            let names: Vec<String> = columns.iter().map(|column| in_table(&escape(&column.label))).collect();
            let rules: Vec<&str> =
                columns.iter().map(|column| if column.right { "--:" } else { "---" }).collect();
            let mut lines = vec![format!("| {} |", names.join(" | ")), format!("| {} |", rules.join(" | "))];
            for row in rows {
                let cells: Vec<String> = row.iter().map(|value| in_table(&cell(value))).collect();
                lines.push(format!("| {} |", cells.join(" | ")));
            }
            format!("{title}{}", lines.join("\n"))
        }
        Block::Panel { title, tone, body } => {
            let inner: Vec<String> = body.iter().map(|block| one(block, level + 1)).collect();
            format!("{} {}{}\n\n{}", "#".repeat(level.min(6)), sign(*tone), escape(title), inner.join("\n\n"))
        }
        Block::Meter { label, value, max, unit } => {
            format!("- **{}**: {value} of {max} {unit}", escape(label))
        }
        Block::Spark { label, points } => {
            let points: Vec<String> = points.iter().map(f64::to_string).collect();
            format!("- **{}**: {}", escape(label), points.join(", "))
        }
        Block::Tree { label, children } => {
            let mut lines = vec![format!("- {}", escape(label))];
            for child in children {
                lines.extend(one(child, level).lines().map(|line| format!("  {line}")));
            }
            lines.join("\n")
        }
    }
}

fn cell(value: &Cell) -> String {
    format!("{}{}", sign(value.tone), escape(&value.text))
}

fn in_table(text: &str) -> String {
    text.replace('|', r"\|").replace('\n', "<br>")
}

/// A fence longer than any run of backticks inside.
fn code(text: &str, language: &str) -> String {
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}{language}\n{}\n{fence}", text.trim_end_matches('\n'))
}

/// Text that Markdown shows as it is.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
