//! What all stores of tasks decide alike.

use serde_json::{Value, json};

use super::{Limit, Ms, NewTask, State, Stream};

/// How long an idempotency key counts at least: a day.
pub const KEY_COUNTS: Ms = 86_400_000;

/// How much of a stream is kept: its head and its tail, in bytes; 10 MiB a task in all.
pub const fn kept(stream: Stream) -> (u64, u64) {
    match stream {
        Stream::Stdout => (3 << 20, 3 << 20),
        Stream::Stderr => (3 << 19, 3 << 19),
        Stream::Log => (1 << 19, 1 << 19),
    }
}

/// How many line ends there are.
pub fn line_ends(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// The state in which a task is added.
pub fn first_state(task: &NewTask, now: Ms) -> State {
    match task.run_at {
        _ if task.claim.is_some() => State::Running,
        Some(at) if at > now => State::Scheduled,
        _ => State::Pending,
    }
}

/// What becomes of a running task whose worker is gone; with [`State::Failed`] it lies among the dead letters.
pub fn lost(retry_safe: bool, attempt: u32, max_attempts: u32, is_cancelled: bool) -> State {
    match State::after_loss(retry_safe, attempt, max_attempts) {
        State::Pending if is_cancelled => State::Cancelled,
        state => state,
    }
}

/// The error of a task that ended without its worker: crashed, failed by a loss, or expired.
pub fn error_of(state: State) -> Option<Value> {
    let (name, message) = match state {
        State::Crashed => ("Crashed", "its worker was lost while it ran, and it may not be repeated"),
        State::Failed => ("WorkerLost", "its worker was lost, and no attempts are left"),
        State::Expired => ("Expired", "its deadline passed while it waited"),
        _ => return None,
    };
    Some(json!({"name": name, "message": message}))
}

/// Whether an attempt may end in this state.
pub fn ends_attempt(state: State) -> bool {
    state.is_terminal() && State::Running.may_become(state)
}

/// A text as it is compared by a search.
pub fn folded(text: &str) -> String {
    text.to_lowercase()
}

/// Starts that a rate leaves: a token each, refilled by time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// What is there, 1 a start.
    pub tokens: f64,
    /// When that was so.
    pub at: Ms,
}

impl Bucket {
    /// A full one.
    pub fn full(per_second: f64, now: Ms) -> Self {
        Self { tokens: capacity(per_second), at: now }
    }

    /// The one of a limit that is set now, in the place of another or of none: under a rate that follows a rate it is
    /// not filled anew.
    pub fn under(limit: Limit, before: Option<(Limit, Self)>, now: Ms) -> Self {
        let rate = limit.per_second.unwrap_or(0.0);
        match before.and_then(|(before, bucket)| Some((before.per_second?, bucket))) {
            Some((earlier, bucket)) => bucket.later(earlier, now).later(rate, now),
            None => Self::full(rate, now),
        }
    }

    /// The same a while later. It holds no more than a tenth of a second's starts, so that the rate is right over
    /// any second.
    #[must_use]
    pub fn later(self, per_second: f64, now: Ms) -> Self {
        let passed = u32::try_from(now.saturating_sub(self.at).max(0)).unwrap_or(u32::MAX);
        let tokens = self.tokens + f64::from(passed) / 1_000.0 * per_second;
        Self { tokens: tokens.min(capacity(per_second)), at: now.max(self.at) }
    }

    /// When the next start may take place.
    pub fn next(self, per_second: f64) -> Ms {
        if self.tokens >= 1.0 {
            return self.at;
        }
        let wait = ((1.0 - self.tokens) / per_second.max(1e-9) * 1_000.0).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "a cast of floats saturates")]
        self.at.saturating_add(wait as Ms)
    }
}

fn capacity(per_second: f64) -> f64 {
    (per_second / 10.0).max(1.0)
}

/// How many may start under a limit now, of `running` and a bucket that was brought up to now.
pub fn room(limit: Limit, running: usize, bucket: Bucket) -> usize {
    let places = limit.running.map_or(usize::MAX, |most| (most as usize).saturating_sub(running));
    if limit.per_second.is_none() {
        return places;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
    places.min(bucket.tokens.max(0.0) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_rate_and_no_more() {
        let mut bucket = Bucket::full(50.0, 0);
        let mut started = 0.0;
        for now in 0..10_000 {
            bucket = bucket.later(50.0, now);
            let taken = bucket.tokens.floor();
            bucket.tokens -= taken;
            started += taken;
        }
        assert!((500.0..=505.0).contains(&started), "{started}");
        assert_eq!(Bucket { tokens: 0.5, at: 100 }.next(50.0), 110);
    }

    #[test]
    fn a_task_that_was_cancelled_is_not_repeated_after_a_loss() {
        assert_eq!(lost(true, 1, 3, false), State::Pending);
        assert_eq!(lost(true, 1, 3, true), State::Cancelled);
        assert_eq!(lost(true, 3, 3, true), State::Failed);
        assert_eq!(lost(false, 1, 3, true), State::Crashed);
    }
}
