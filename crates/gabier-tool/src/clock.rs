//! Time as a value that is passed in.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use futures::future::BoxFuture;

/// A moment of the wall clock, in UTC.
pub type Timestamp = DateTime<Utc>;

/// Where time comes from: the machine in the product, a hand-turned one in tests.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start that never runs backwards.
    fn monotonic(&self) -> Duration;

    /// Resolves when the duration has passed.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// ISO 8601 in UTC with milliseconds, as every face writes it.
pub fn iso(timestamp: Timestamp) -> String {
    timestamp.to_rfc3339_opts(SecondsFormat::Millis, true)
}
