//! The newest lines of the two streams of a program.

use gabier_host::Output;
use gabier_tool::Context;
use schemars::JsonSchema;
use serde::Serialize;

use super::newest::{Newest, room};
use crate::Services;

/// What a program wrote.
#[derive(Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct LogLines {
    /// The newest lines of its output, oldest first.
    lines: Vec<String>,
    /// The newest lines of its errors, oldest first.
    stderr: Vec<String>,
    /// True when older lines are left out, or a line is cut: there was no room.
    truncated: bool,
}

impl LogLines {
    /// How many bytes of each stream a command keeps for it.
    pub(super) fn keep(ctx: &Context<Services>) -> usize {
        2 * room(ctx)
    }

    /// The lines of both streams, within the room of an answer.
    pub(super) fn of(ctx: &Context<Services>, stdout: &Output, stderr: &Output) -> Self {
        let room = room(ctx);
        // What one stream does not need is the other's.
        let short = (Newest::of(stdout, room / 2), Newest::of(stderr, room / 2));
        let used = |newest: &Newest| newest.lines.iter().map(|line| line.len() + 1).sum::<usize>();
        let out = Newest::of(stdout, room - used(&short.1));
        let errors = Newest::of(stderr, room.saturating_sub(used(&out)));
        Self { truncated: out.truncated || errors.truncated, lines: out.lines, stderr: errors.lines }
    }

    /// The same without lines of this sort.
    #[must_use]
    pub(super) fn without(mut self, is_noise: impl Fn(&str) -> bool) -> Self {
        self.lines.retain(|line| !is_noise(line));
        self.stderr.retain(|line| !is_noise(line));
        self
    }
}
