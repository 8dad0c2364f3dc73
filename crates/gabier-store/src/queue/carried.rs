//! A task with all that belongs to it, on its way from one store to another.

use super::{Delivery, Stream, Task};

/// A task, what it wrote, and whom it tells.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// The task.
    pub task: Task,
    /// Whether its `then` is still to be looked at, although it ended.
    pub is_unchained: bool,
    /// What it wrote, each stream once.
    pub written: Vec<Written>,
    /// Its webhooks, made or not, in the order of their events.
    pub deliveries: Vec<Delivery>,
}

impl From<Task> for Carried {
    /// A task that wrote nothing and tells nobody any more.
    fn from(task: Task) -> Self {
        Self { task, is_unchained: false, written: Vec::new(), deliveries: Vec::new() }
    }
}

/// What is kept of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Which one.
    pub stream: Stream,
    /// Its first bytes; all of them where nothing is missing.
    pub head: Vec<u8>,
    /// Its last bytes, where something between is missing.
    pub tail: Vec<u8>,
    /// How many bytes were written in all.
    pub total_bytes: u64,
    /// How many line ends were written in all.
    pub total_lines: u64,
}

impl Written {
    /// Head and tail as a store keeps them that keeps no more than so many bytes of each.
    pub fn within(&self, most_head: usize, most_tail: usize) -> (&[u8], &[u8]) {
        let (head, rest) = self.head.split_at(most_head.min(self.head.len()));
        let tail = if self.tail.is_empty() { rest } else { &self.tail };
        (head, &tail[tail.len().saturating_sub(most_tail)..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(head: &str, tail: &str, most: (usize, usize), expected: (&str, &str)) {
        let written = Written {
            stream: Stream::Stdout,
            head: head.into(),
            tail: tail.into(),
            total_bytes: 100,
            total_lines: 0,
        };
        assert_eq!(written.within(most.0, most.1), (expected.0.as_bytes(), expected.1.as_bytes()));
    }

    #[test]
    fn a_store_that_keeps_less_keeps_both_ends() {
        check("abcdef", "", (9, 9), ("abcdef", ""));
        check("abcdef", "", (2, 3), ("ab", "def"));
        check("abcdef", "", (2, 9), ("ab", "cdef"));
        check("abcdef", "uvwxyz", (2, 3), ("ab", "xyz"));
        check("abc", "xyz", (9, 9), ("abc", "xyz"));
    }
}
