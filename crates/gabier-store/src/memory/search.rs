//! Which tasks a filter selects.

use super::outputs::Kept;
use super::tasks::{Row, Tasks};
use crate::queue::rules::folded;
use crate::queue::{Cursor, Filter, Order, Page, Task};

impl Tasks {
    /// The places of all that fit, in the filter's order.
    pub(super) fn select<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = (u64, &'a Row)> {
        let needle = filter.search.as_deref().map(folded);
        let fits =
            move |row: &Row| filter.fits(&row.task) && needle.as_ref().is_none_or(|needle| says(row, needle));
        let (newest, oldest) = match filter.order {
            Order::Newest => (Some(self.rows.iter().rev()), None),
            Order::Oldest => (None, Some(self.rows.iter())),
        };
        let rows = newest.into_iter().flatten().chain(oldest.into_iter().flatten());
        rows.map(|(seq, row)| (*seq, row)).filter(move |(_, row)| fits(row))
    }

    pub(super) fn list(&self, filter: &Filter, cursor: Option<&Cursor>, limit: usize) -> Page<Task> {
        let cursor: Option<u64> = cursor.and_then(|cursor| cursor.0.parse().ok());
        let is_beyond = |seq: u64| match (cursor, filter.order) {
            (None, _) => true,
            (Some(cursor), Order::Newest) => seq < cursor,
            (Some(cursor), Order::Oldest) => seq > cursor,
        };
        let selected = self.select(filter).filter(|(seq, _)| is_beyond(*seq));
        page(selected.map(|(seq, row)| (seq, row.task.clone())), limit)
    }
}

/// The first of what follows, and where the next page begins.
pub(super) fn page<T>(mut following: impl Iterator<Item = (u64, T)>, limit: usize) -> Page<T> {
    let (mut items, mut last) = (Vec::new(), None);
    for (seq, item) in following.by_ref().take(limit) {
        items.push(item);
        last = Some(seq);
    }
    let next = following.next().and(last).map(|seq| Cursor(seq.to_string()));
    Page { items, next }
}

fn says(row: &Row, needle: &str) -> bool {
    let asked = &row.task.asked;
    let contains = |text: &str| folded(text).contains(needle);
    contains(&asked.tool)
        || asked.label.as_deref().is_some_and(contains)
        || contains(&asked.arguments.to_string())
        || row.outputs.values().map(Kept::bytes).any(|bytes| contains(&String::from_utf8_lossy(&bytes)))
}
