//! Steady rates per key: the generic cell rate algorithm over a store that never grows past its cap.

use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gabier_tool::{Clock, Error, ErrorKind};
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};

use crate::capped::Capped;
use crate::settings::PerMinute;

const KEYS: usize = 100_000;

/// One bucket a key.
pub(crate) struct Buckets<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, Levels<K>, Ticks, NoOpMiddleware<Duration>>,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    pub(crate) fn new(rate: PerMinute, clock: &Arc<dyn Clock>) -> Self {
        let quota = Quota::per_minute(rate.calls).allow_burst(rate.burst);
        Self { limiter: RateLimiter::new(quota, Levels::new(KEYS), Ticks(Arc::clone(clock))) }
    }

    /// Takes one from a key's bucket, or says how long until there is one.
    pub(crate) fn take(&self, key: &K) -> Result<(), Duration> {
        let now = self.limiter.clock().now();
        self.limiter.check_key(key).map_err(|until| until.wait_time_from(now))
    }

    /// Forgets the full buckets.
    pub(crate) fn sweep(&self) {
        self.limiter.retain_recent();
    }
}

/// Refuses for a while.
pub(crate) fn refusal(message: impl Into<String>, wait: Duration) -> Error {
    let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Error::new(ErrorKind::RateLimited, message).with("retry_after_ms", milliseconds.max(1))
}

/// The clock as governor reads it.
struct Ticks(Arc<dyn Clock>);

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// How full the buckets are, each as the moment at which it is full again.
struct Levels<K>(Mutex<Capped<K, Nanos>>);

impl<K: Hash + Eq + Clone> Levels<K> {
    fn new(cap: usize) -> Self {
        Self(Mutex::new(Capped::new(cap)))
    }

    fn lock(&self) -> MutexGuard<'_, Capped<K, Nanos>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> StateStore for Levels<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut levels = self.lock();
        let (outcome, level) = measure(levels.get(key).copied())?;
        levels.insert(key.clone(), level);
        Ok(outcome)
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Levels<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        self.lock().retain(|level| *level > drop_below);
    }

    fn len(&self) -> usize {
        self.lock().len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
