//! The rows: what each contestant does in a round.

mod commands;
mod load;
mod transfers;

use anyhow::{Context as _, Result};

use super::book::Book;
use super::field::Field;
use super::{Plan, Row};

/// Measures one row. Every round visits every contestant, so that a busy moment of the machine hits all alike.
pub(super) async fn measure(row: Row, field: &Field, plan: &Plan, book: &mut Book) -> Result<()> {
    let measured = match row {
        Row::Exec => commands::exec(field, plan, book).await,
        Row::Burst => commands::burst(field, plan, book).await,
        Row::Cold => commands::cold(field, plan, book).await,
        Row::Sequence => commands::sequence(field, plan, book).await,
        Row::Large | Row::Far | Row::Small | Row::SmallFar => {
            transfers::measure(row, field, plan, book).await
        }
        Row::Output => load::output(field, plan, book).await,
        Row::Idle => load::idle(field, book).await,
        Row::Narrow => load::narrow(field, plan, book).await,
    };
    measured.with_context(|| format!("measuring {}", row.title()))
}

/// A count as a figure.
fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
