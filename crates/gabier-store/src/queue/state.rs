//! What a task can be, and what it may become: the one table.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The state of a task (tools.md §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits in its queue.
    Pending,
    /// Waits for a time: its first start or its next attempt.
    Scheduled,
    /// Waits for a person's decision.
    PendingApproval,
    /// Waits for answers; it holds no place.
    InputRequired,
    /// Claimed by a worker, under a fence.
    Running,
    /// Did what it should.
    Completed,
    /// Did a part of it.
    Partial,
    /// Ran longer than it might.
    TimedOut,
    /// Failed for good.
    Failed,
    /// Was running when its process died, and may not be repeated.
    Crashed,
    /// Was handed to a host, and its outcome was not learnt.
    Unknown,
    /// Was cancelled.
    Cancelled,
    /// Its deadline passed before it started.
    Expired,
}

use State::{
    Cancelled, Completed, Crashed, Expired, Failed, InputRequired, Partial, Pending, PendingApproval,
    Running, Scheduled, TimedOut, Unknown,
};

/// From which state a task may go to which. Terminal states are not on the left: nothing follows them.
const TRANSITIONS: &[(State, &[State])] = &[
    (Pending, &[Running, Cancelled, Expired]),
    (Scheduled, &[Pending, Running, Cancelled, Expired]),
    (PendingApproval, &[Pending, Cancelled, Expired]),
    (InputRequired, &[Pending, Cancelled, Expired]),
    (
        Running,
        &[
            Pending,
            Scheduled,
            InputRequired,
            Completed,
            Partial,
            TimedOut,
            Failed,
            Crashed,
            Unknown,
            Cancelled,
        ],
    ),
];

impl State {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Pending,
        Scheduled,
        PendingApproval,
        InputRequired,
        Running,
        Completed,
        Partial,
        TimedOut,
        Failed,
        Crashed,
        Unknown,
        Cancelled,
        Expired,
    ];

    /// The word on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Pending => "pending",
            Scheduled => "scheduled",
            PendingApproval => "pending_approval",
            InputRequired => "input_required",
            Running => "running",
            Completed => "completed",
            Partial => "partial",
            TimedOut => "timed_out",
            Failed => "failed",
            Crashed => "crashed",
            Unknown => "unknown",
            Cancelled => "cancelled",
            Expired => "expired",
        }
    }

    /// The state with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// True when nothing follows.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Completed | Partial | TimedOut | Failed | Crashed | Unknown | Cancelled | Expired)
    }

    /// Whether a task of this state may be started anew, as another task.
    pub const fn can_retry(self) -> bool {
        matches!(self, Partial | TimedOut | Failed | Crashed | Unknown | Cancelled | Expired)
    }

    /// Whether a task may go from this state to that.
    pub fn may_become(self, next: Self) -> bool {
        TRANSITIONS.iter().any(|(from, to)| *from == self && to.contains(&next))
    }

    /// What becomes of a running task whose worker is gone: one that may be repeated waits again while attempts are
    /// left, then has failed (among the dead letters); any other has crashed.
    pub fn after_loss(retry_safe: bool, attempt: u32, max_attempts: u32) -> Self {
        match (retry_safe, attempt < max_attempts) {
            (true, true) => Pending,
            (true, false) => Failed,
            (false, _) => Crashed,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_follows_a_terminal_state_and_something_follows_every_other() {
        for state in State::ALL {
            let follows = State::ALL.into_iter().any(|next| state.may_become(next));
            assert_eq!(follows, !state.is_terminal(), "{state}");
            assert_eq!(State::parse(state.name()), Some(state));
        }
    }

    #[test]
    fn a_lost_task_is_repeated_only_where_that_is_safe_and_attempts_are_left() {
        assert_eq!(State::after_loss(true, 2, 3), Pending);
        assert_eq!(State::after_loss(true, 3, 3), Failed);
        assert_eq!(State::after_loss(false, 1, 3), Crashed);
    }
}
