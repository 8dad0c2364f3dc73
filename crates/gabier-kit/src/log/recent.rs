//! The last lines of the log, for whoever may not read the terminal of the server.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gabier_tool::{Clock as _, Level, Timestamp};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::clock::SystemClock;

/// How many lines are kept.
const KEPT: usize = 1000;
/// The longest message that is kept, in bytes.
const LONGEST: usize = 4 * 1024;

/// The last lines of this process's log, as far as its level lets them through.
#[derive(Default)]
pub(crate) struct Recent(Mutex<VecDeque<Line>>);

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// How urgent it is.
    pub(crate) level: Level,
    /// When it was written.
    pub(crate) at: Timestamp,
    /// What it says, with its fields.
    pub(crate) message: String,
    /// Whose call it speaks of.
    pub(crate) caller: Option<String>,
    /// True when it speaks of a task.
    pub(crate) is_about_task: bool,
}

impl Recent {
    /// The lines that somebody may see, newest first.
    pub(crate) fn lines(&self, mut wanted: impl FnMut(&Line) -> bool, limit: usize) -> Vec<Line> {
        self.held().iter().rev().filter(|line| wanted(line)).take(limit).cloned().collect()
    }

    fn held(&self) -> MutexGuard<'_, VecDeque<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, line: Line) {
        let mut held = self.held();
        if held.len() == KEPT {
            held.pop_front();
        }
        held.push_back(line);
    }
}

/// Writes events to the lines that are kept.
pub(super) struct Keeper {
    recent: &'static Recent,
    clock: SystemClock,
}

impl Keeper {
    /// Keeps events there.
    pub(super) fn new(recent: &'static Recent) -> Self {
        Self { recent, clock: SystemClock::default() }
    }
}

impl<S: Subscriber> Layer<S> for Keeper {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let level = match level {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        let mut line =
            Line { level, at: self.clock.now(), message: String::new(), caller: None, is_about_task: false };
        event.record(&mut Words(&mut line));
        if line.message.len() > LONGEST {
            line.message.truncate(line.message.floor_char_boundary(LONGEST));
            line.message.push('…');
        }
        self.recent.keep(line);
    }
}

/// The fields of an event, put into words.
struct Words<'a>(&'a mut Line);

impl Visit for Words<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "caller" {
            self.0.caller = Some(value.to_owned());
        }
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let message = &mut self.0.message;
        if field.name() == "message" {
            message.insert_str(0, &format!("{value:?}"));
            return;
        }
        self.0.is_about_task |= field.name() == "task";
        // Writing to a text does not fail.
        let _ = write!(message, " {}={value:?}", field.name());
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn written(write: impl FnOnce()) -> &'static Recent {
        let recent: &'static Recent = Box::leak(Box::default());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(Keeper::new(recent)), write);
        recent
    }

    #[test]
    fn a_line_has_its_words_its_urgency_and_whom_it_speaks_of() {
        let recent = written(|| {
            tracing::warn!(task = "1234", "lost");
            tracing::info!(caller = "token:ab", ms = 3, "call");
        });
        let lines = recent.lines(|_| true, 10);
        let told: Vec<_> = lines.iter().map(|line| (line.level, line.message.as_str())).collect();
        assert_eq!(told, [(Level::Info, "call caller=token:ab ms=3"), (Level::Warn, "lost task=1234")]);
        assert_eq!((lines[0].caller.as_deref(), lines[0].is_about_task), (Some("token:ab"), false));
        assert_eq!((lines[1].caller.as_deref(), lines[1].is_about_task), (None, true));
    }

    #[test]
    fn old_lines_go_and_long_ones_are_cut() {
        let recent = written(|| {
            for number in 0..=KEPT {
                tracing::info!("line {number}");
            }
            tracing::info!("{}", "é".repeat(LONGEST));
        });
        let lines = recent.lines(|_| true, usize::MAX);
        assert_eq!(lines.len(), KEPT);
        assert_eq!(lines[KEPT - 1].message, "line 2");
        assert!(lines[0].message.ends_with("é…") && lines[0].message.len() <= LONGEST + 3);
    }
}
