//! The clock of a store.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::queue::Ms;

/// How far the machine's clock may step back before it is followed: less is a correction, and time stands still
/// meanwhile; more is a clock that was wrong.
const CORRECTION: Ms = 10_000;

/// Milliseconds since 1970, by the machine or as a test wishes. Clones are the same clock.
#[derive(Clone)]
pub struct Clock {
    read: Arc<dyn Fn() -> Ms + Send + Sync>,
    latest: Arc<AtomicI64>,
}

impl Default for Clock {
    /// The machine's clock.
    fn default() -> Self {
        Self::by(machine)
    }
}

impl Clock {
    /// A clock that is read so.
    pub fn by(read: impl Fn() -> Ms + Send + Sync + 'static) -> Self {
        Self { read: Arc::new(read), latest: Arc::new(AtomicI64::new(Ms::MIN)) }
    }

    /// Now; small steps back are not followed.
    pub fn now(&self) -> Ms {
        let read = (self.read)();
        let latest = self.latest.fetch_max(read, Ordering::AcqRel);
        if read >= latest {
            return read;
        }
        if latest.saturating_sub(read) <= CORRECTION {
            return latest;
        }
        tracing::warn!(by_ms = latest - read, "the clock was set back");
        self.latest.store(read, Ordering::Release);
        read
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a store has the one clock of all that share it: the machine's"
)]
fn machine() -> Ms {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ms::try_from(since.as_millis()).unwrap_or(Ms::MAX)
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Clock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_correction_is_waited_out_and_a_wrong_clock_is_left() {
        let hand = Arc::new(AtomicI64::new(100_000));
        let turned = Arc::clone(&hand);
        let clock = Clock::by(move || turned.load(Ordering::SeqCst));
        for (read, now) in [(100_000, 100_000), (99_000, 100_000), (100_500, 100_500), (20_000, 20_000)] {
            hand.store(read, Ordering::SeqCst);
            assert_eq!(clock.now(), now);
        }
    }
}
