//! A view as text for a terminal or a pipe.

use gabier_tool::{Block, Field, Tone, View};

use super::paint::{Paint, sign, width, wrap};
use super::{outline, table};
use crate::terminal::Look;

/// The view, a line feed at its end.
pub(crate) fn text(view: &View, look: Look) -> String {
    let lines = blocks(&view.blocks, look);
    if lines.is_empty() { String::new() } else { lines.join("\n") + "\n" }
}

/// Blocks under each other, a blank line between them.
fn blocks(blocks: &[Block], look: Look) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut follows_heading = true;
    for block in blocks {
        if !follows_heading {
            lines.push(String::new());
        }
        follows_heading = matches!(block, Block::Heading { .. } | Block::Meter { .. } | Block::Spark { .. });
        lines.extend(one(block, look));
    }
    lines
}

fn one(block: &Block, look: Look) -> Vec<String> {
    let paint = Paint::new(look.color);
    match block {
        Block::Heading { text } => vec![paint.bold(text)],
        Block::Text { text } => wrap(text, look.width.filter(|_| look.boxes)),
        Block::Markdown { text } => outline::terminal(text, look),
        Block::Code { text, .. } => text.lines().map(str::to_owned).collect(),
        Block::Fields { fields: pairs } => fields(pairs, look),
        Block::Table { title, columns, rows } => {
            let mut lines: Vec<String> = title.iter().map(|title| paint.bold(title)).collect();
            if rows.is_empty() {
                lines.push(paint.muted("(none)"));
            } else {
                lines.extend(table::lines(columns, rows, look));
            }
            lines
        }
        Block::Panel { title, tone, body } => panel(title, *tone, body, look),
        Block::Meter { label, value, max, unit } => vec![meter(label, *value, *max, unit, paint)],
        Block::Spark { label, points } => vec![spark(label, points, paint)],
        Block::Tree { label, children } => {
            let mut lines = vec![label.clone()];
            tree(children, "", &mut lines);
            lines
        }
    }
}

fn fields(fields: &[Field], look: Look) -> Vec<String> {
    let paint = Paint::new(look.color);
    let column = fields.iter().map(|field| width(&field.label)).max().unwrap_or(0) + 2;
    let room = look.width.filter(|_| look.boxes).map(|all| all.saturating_sub(column).max(20));
    let mut lines = Vec::new();
    for field in fields {
        let values = wrap(&field.value.text, room);
        let mut values = values.iter().map(|value| paint.toned(value, field.value.tone));
        let gap = " ".repeat(column - width(&field.label));
        let first = values.next().unwrap_or_default();
        lines.push(format!("{}{gap}{first}", paint.label(&field.label)).trim_end().to_owned());
        lines.extend(values.map(|value| format!("{}{value}", " ".repeat(column))));
    }
    lines
}

fn panel(title: &str, tone: Tone, body: &[Block], look: Look) -> Vec<String> {
    let paint = Paint::new(look.color);
    if !look.boxes {
        let mut lines = vec![paint.toned(title, tone)];
        lines.extend(blocks(body, look).into_iter().map(|line| format!("  {line}").trim_end().to_owned()));
        return lines;
    }
    let inner = Look { width: look.width.map(|all| all.saturating_sub(4).max(16)), ..look };
    let body = blocks(body, inner);
    let widest = body.iter().map(|line| width(line)).max().unwrap_or(0);
    let room = widest.max(width(title) + width(sign(tone)) + 2);
    let shown = paint.toned(title, tone);
    let mut lines = vec![format!("╭─ {shown} {}╮", "─".repeat((room + 2).saturating_sub(width(&shown) + 3)))];
    lines.extend(body.iter().map(|line| format!("│ {line}{} │", " ".repeat(room - width(line)))));
    lines.push(format!("╰{}╯", "─".repeat(room + 2)));
    lines
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the length of the bar"
)]
fn meter(label: &str, value: f64, max: f64, unit: &str, paint: Paint) -> String {
    const CELLS: usize = 20;
    let share = if max > 0.0 { (value / max).clamp(0.0, 1.0) } else { 0.0 };
    let full = (share * 20.0).round() as usize;
    let tone = if share >= 0.9 {
        Tone::Bad
    } else if share >= 0.75 {
        Tone::Warn
    } else {
        Tone::Good
    };
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(CELLS - full.min(CELLS)));
    let bar = paint.toned(&bar, tone).replacen(sign(tone), "", 1);
    let space = if unit == "%" { "" } else { " " };
    format!("{} {bar} {}{space}{unit} of {}{space}{unit}", paint.label(label), short(value), short(max))
}

fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the eight heights")]
fn spark(label: &str, points: &[f64], paint: Paint) -> String {
    const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let finite = || points.iter().copied().filter(|point| point.is_finite());
    let (least, most) =
        finite().fold((f64::MAX, f64::MIN), |(least, most), point| (least.min(point), most.max(point)));
    let line: String = finite()
        .map(|point| {
            let share = if most > least { (point - least) / (most - least) } else { 0.5 };
            HEIGHTS[((share * 7.0).round() as usize).min(7)]
        })
        .collect();
    let newest = finite().next_back().map(|point| format!(" {}", short(point))).unwrap_or_default();
    format!("{} {line}{newest}", paint.label(label))
}

fn tree(children: &[Block], indent: &str, lines: &mut Vec<String>) {
    for (at, child) in children.iter().enumerate() {
        let is_last = at + 1 == children.len();
        let (branch, below) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        match child {
            Block::Tree { label, children } => {
                lines.push(format!("{indent}{branch}{label}"));
                tree(children, &format!("{indent}{below}"), lines);
            }
            other => {
                let plain = Look { color: false, boxes: false, width: None };
                for (row, line) in one(other, plain).into_iter().enumerate() {
                    lines.push(format!("{indent}{}{line}", if row == 0 { branch } else { below }));
                }
            }
        }
    }
}
