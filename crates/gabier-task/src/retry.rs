//! What becomes of a task after an attempt: the one decision, without any side effect.

use std::time::Duration;

use gabier_store::queue::State;
use gabier_tool::{ErrorKind, Retry};

/// The most starts a task may have, whatever its tool says.
const MOST_ATTEMPTS: u32 = 32;

/// The longest wait before another attempt.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Another attempt after that wait.
    Again(Duration),
    /// The end; `dead_letter` when all attempts were used or nothing here knows how to run it.
    End { state: State, dead_letter: bool },
}

/// Starts in all that a tool's policy allows.
pub(crate) fn attempts(retry: Retry) -> u32 {
    match retry {
        Retry::Never => 1,
        Retry::Safe { attempts, .. } => attempts.clamp(1, MOST_ATTEMPTS),
    }
}

/// What follows attempt `number` (from 1) of `most` that failed so; `chance` is random, from 0 to 1.
pub(crate) fn after(kind: ErrorKind, retry: Retry, number: u32, most: u32, chance: f64) -> Verdict {
    let Retry::Safe { base, jitter, .. } = retry else {
        return Verdict::End { state: state_of(kind), dead_letter: false };
    };
    if is_permanent(kind) {
        return Verdict::End { state: state_of(kind), dead_letter: false };
    }
    if number >= most.min(MOST_ATTEMPTS) {
        return Verdict::End { state: state_of(kind), dead_letter: true };
    }
    Verdict::Again(wait(base, jitter, number, chance))
}

/// The wait after attempt `number`: `min(cap, base * 2^(n-1)) * (1 - jitter * chance)`.
fn wait(base: Duration, jitter: u8, number: u32, chance: f64) -> Duration {
    let doubled = 2_u32.saturating_pow(number.saturating_sub(1).min(MOST_ATTEMPTS));
    let longest = base.saturating_mul(doubled).min(LONGEST_WAIT);
    longest.mul_f64(1.0 - f64::from(jitter.min(100)) / 100.0 * chance.clamp(0.0, 1.0))
}

/// The state of a task whose last attempt failed so.
pub(crate) fn state_of(kind: ErrorKind) -> State {
    match kind {
        ErrorKind::CommandTimeout | ErrorKind::Timeout => State::TimedOut,
        ErrorKind::ResultUnknown => State::Unknown,
        ErrorKind::Cancelled => State::Cancelled,
        _ => State::Failed,
    }
}

/// Whether the same call would fail the same way again.
fn is_permanent(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BadRequest
            | ErrorKind::InvalidArgument
            | ErrorKind::UnsupportedMediaType
            | ErrorKind::MethodNotAllowed
            | ErrorKind::PayloadTooLarge
            | ErrorKind::Unauthenticated
            | ErrorKind::Forbidden
            | ErrorKind::PolicyBlocked
            | ErrorKind::ApprovalRequired
            | ErrorKind::NotFound
            | ErrorKind::Conflict
            | ErrorKind::ConfirmationRequired
            | ErrorKind::RetryLimitExceeded
            | ErrorKind::OldstringNotFound
            | ErrorKind::MultipleMatches
            | ErrorKind::Cancelled
            | ErrorKind::AuthFailed
            | ErrorKind::HostKeyUnknown
            | ErrorKind::HostKeyMismatch
            | ErrorKind::NotAvailable
    )
}

/// A random number from 0 to 1.
pub(crate) fn chance() -> f64 {
    let mut bytes = [0_u8; 4];
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAFE: Retry = Retry::Safe { attempts: 3, base: Duration::from_secs(5), jitter: 0 };

    #[test]
    fn three_attempts_run_at_0_5_and_10_seconds_and_then_the_task_is_dead() {
        let after = |number| after(ErrorKind::Internal, SAFE, number, attempts(SAFE), 0.7);
        assert_eq!(after(1), Verdict::Again(Duration::from_secs(5)));
        assert_eq!(after(2), Verdict::Again(Duration::from_secs(10)));
        assert_eq!(after(3), Verdict::End { state: State::Failed, dead_letter: true });
    }

    #[test]
    fn a_tool_that_may_not_be_repeated_ends_at_its_first_failure() {
        let verdict = after(ErrorKind::ConnectionFailed, Retry::Never, 1, 3, 0.0);
        assert_eq!(verdict, Verdict::End { state: State::Failed, dead_letter: false });
        let verdict = after(ErrorKind::ResultUnknown, Retry::Never, 1, 1, 0.0);
        assert_eq!(verdict, Verdict::End { state: State::Unknown, dead_letter: false });
    }

    #[test]
    fn what_would_fail_again_is_not_repeated() {
        for kind in [ErrorKind::InvalidArgument, ErrorKind::Forbidden, ErrorKind::NotFound] {
            let verdict = after(kind, SAFE, 1, 3, 0.0);
            assert_eq!(verdict, Verdict::End { state: State::Failed, dead_letter: false }, "{kind:?}");
        }
        let verdict = after(ErrorKind::Cancelled, SAFE, 1, 3, 0.0);
        assert_eq!(verdict, Verdict::End { state: State::Cancelled, dead_letter: false });
    }

    #[test]
    fn a_timeout_is_repeated_and_ends_as_timed_out_among_the_dead_letters() {
        assert_eq!(after(ErrorKind::Timeout, SAFE, 1, 3, 0.0), Verdict::Again(Duration::from_secs(5)));
        let verdict = after(ErrorKind::Timeout, SAFE, 3, 3, 0.0);
        assert_eq!(verdict, Verdict::End { state: State::TimedOut, dead_letter: true });
    }

    #[test]
    fn waits_double_to_a_cap_and_jitter_only_shortens_them() {
        let base = Duration::from_secs(5);
        assert_eq!(wait(base, 20, 1, 1.0), Duration::from_secs(4));
        assert_eq!(wait(base, 20, 1, 0.0), base);
        assert_eq!(wait(base, 0, 31, 0.0), LONGEST_WAIT);
        assert_eq!(wait(Duration::MAX, 0, u32::MAX, 0.0), LONGEST_WAIT);
        assert_eq!(attempts(Retry::Safe { attempts: 500, base, jitter: 0 }), MOST_ATTEMPTS);
    }
}
