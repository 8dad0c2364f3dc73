//! A view as Markdown.

use std::fmt::Write as _;

use gabier_tool::{Block, Cell, View};

use crate::tone_word;

/// The view's source text, a line feed at its end.
pub fn markdown(view: &View) -> String {
    let mut text = String::new();
    view.blocks.iter().for_each(|block| add(&mut text, block, 2));
    text
}

fn add(text: &mut String, block: &Block, level: usize) {
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
    // A `String` takes whatever is written to it.
    let _ = match block {
        Block::Heading { text: heading } => {
            writeln!(text, "{} {}", "#".repeat(level.min(6)), inline(heading))
        }
        Block::Text { text: plain } => writeln!(text, "{}", inline(plain)),
        Block::Markdown { text: source } => writeln!(text, "{}", source.trim_end()),
        Block::Code { text: code, language } => {
            let fence = fence_for(code);
            writeln!(text, "{fence}{}\n{}\n{fence}", language.as_deref().unwrap_or_default(), code.trim_end())
        }
        Block::Fields { fields } => fields
            .iter()
            .try_for_each(|field| writeln!(text, "- **{}**: {}", inline(&field.label), cell(&field.value))),
        Block::Table { title, columns, rows } => {
            let rule = |right: bool| if right { "---:" } else { "---" };
            if let Some(title) = title {
                let _ = writeln!(text, "**{}**\n", inline(title));
            }
            let _ = writeln!(text, "|{}", row(columns.iter().map(|column| inline(&column.label))));
            let _ = writeln!(text, "|{}", row(columns.iter().map(|column| rule(column.right).to_owned())));
            rows.iter().try_for_each(|cells| writeln!(text, "|{}", row(cells.iter().map(cell))))
        }
        Block::Panel { title, tone, body } => {
            let _ = writeln!(text, "{} {}{}", "#".repeat(level.min(6)), inline(title), tone_word(*tone));
            for inner in body {
                add(text, inner, level + 1);
            }
            Ok(())
        }
        Block::Meter { label, value, max, unit } => {
            writeln!(text, "- **{}**: {value} of {max} {}", inline(label), inline(unit))
        }
        Block::Spark { label, points } => {
            let points: Vec<String> = points.iter().map(f64::to_string).collect();
            writeln!(text, "- **{}**: {}", inline(label), points.join(", "))
        }
        Block::Tree { .. } => {
            branch(text, block, 0);
            Ok(())
        }
    };
}

fn branch(text: &mut String, block: &Block, depth: usize) {
    let Block::Tree { label, children } = block else { return add(text, block, 4) };
    let _ = writeln!(text, "{}- {}", "  ".repeat(depth), inline(label));
    for child in children {
        branch(text, child, depth + 1);
    }
}

fn row(cells: impl Iterator<Item = String>) -> String {
    cells.fold(String::new(), |mut row, cell| {
        let _ = write!(row, " {cell} |");
        row
    })
}

fn cell(cell: &Cell) -> String {
    format!("{}{}", inline(&cell.text), tone_word(cell.tone))
}

/// Text that stays text: on one line, with Markdown's own signs escaped.
fn inline(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '&' => {
                escaped.push('\\');
                escaped.push(c);
            }
            '\n' | '\r' => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A fence that is longer than any run of backticks inside.
fn fence_for(code: &str) -> String {
    let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.max(2) + 1)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_generic_result_becomes_fields_and_a_table() {
        let view = View::of(&json!({"host": "a_b", "ports": [{"port": 22, "state": "open|x"}]}));
        assert_eq!(
            markdown(&view),
            "- **host**: a\\_b\n\n**ports**\n\n| port | state |\n| ---: | --- |\n| 22 | open\\|x |\n",
        );
    }

    #[test]
    fn code_cannot_leave_its_fence() {
        let view = View::block(Block::Code { text: "a ``` b".to_owned(), language: None });
        assert_eq!(markdown(&view), "````\na ``` b\n````\n");
    }
}
