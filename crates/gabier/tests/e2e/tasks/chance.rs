//! Chance that can be had again: a run names its seed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of numbers (xorshift).
#[derive(Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    /// One that differs from run to run.
    #[expect(clippy::disallowed_methods, reason = "another run should meet other moments")]
    pub(crate) fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        Self(u64::from(now.subsec_nanos()) << 20 | 1)
    }

    /// Another source, for another thread.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.number().wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn seed(&self) -> u64 {
        self.0
    }

    fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.number() % end
    }

    /// A time between these milliseconds.
    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}
