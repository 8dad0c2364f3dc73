//! Tables: boxed for people, plain columns for pipes.

use comfy_table::{Attribute, Cell as Painted, CellAlignment, Color, ContentArrangement, Table};
use gabier_tool::{Cell, Column, Tone};
use unicode_width::UnicodeWidthStr;

use super::paint::{Paint, sign};
use crate::terminal::Look;

/// The lines of a table.
pub(crate) fn lines(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> Vec<String> {
    if look.boxes { boxed(columns, rows, look) } else { plain(columns, rows, look) }
}

fn boxed(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED).force_no_tty();
    if look.color {
        table.enforce_styling();
    }
    if let Some(width) = look.width.and_then(|width| u16::try_from(width).ok()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(columns.iter().map(|column| Painted::new(&column.label).add_attribute(Attribute::Bold)));
    for row in rows {
        table.add_row(row.iter().zip(columns).map(|(cell, column)| painted(cell, column)));
    }
    table.lines().collect()
}

fn painted(cell: &Cell, column: &Column) -> Painted {
    let painted = Painted::new(format!("{}{}", sign(cell.tone), cell.text));
    let painted = match cell.tone {
        Tone::Plain => painted,
        Tone::Good => painted.fg(Color::Green),
        Tone::Warn => painted.fg(Color::Yellow),
        Tone::Bad => painted.fg(Color::Red),
        Tone::Muted => painted.add_attribute(Attribute::Dim),
        Tone::Strong => painted.add_attribute(Attribute::Bold),
    };
    if column.right { painted.set_alignment(CellAlignment::Right) } else { painted }
}

/// Columns two spaces apart, never cut: programs read them.
fn plain(columns: &[Column], rows: &[Vec<Cell>], look: Look) -> Vec<String> {
    let paint = Paint::new(look.color);
    let texts: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| format!("{}{}", sign(cell.tone), one_line(&cell.text))).collect())
        .collect();
    let widths: Vec<usize> = columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let cells = texts.iter().filter_map(|row| row.get(at)).map(|text| text.width());
            cells.chain([column.label.width()]).max().unwrap_or(0)
        })
        .collect();
    let header: Vec<String> = columns.iter().map(|column| column.label.to_uppercase()).collect();
    let mut lines = vec![paint.bold(&joined(&header, columns, &widths))];
    lines.extend(texts.iter().map(|row| joined(row, columns, &widths)));
    lines
}

fn joined(row: &[String], columns: &[Column], widths: &[usize]) -> String {
    let cells: Vec<String> = row
        .iter()
        .zip(columns.iter().zip(widths))
        .map(|(text, (column, width))| {
            let gap = " ".repeat(width.saturating_sub(text.width()));
            if column.right { format!("{gap}{text}") } else { format!("{text}{gap}") }
        })
        .collect();
    cells.join("  ").trim_end().to_owned()
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\t'], " ")
}
