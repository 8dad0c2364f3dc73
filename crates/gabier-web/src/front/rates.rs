//! How often an address may ask.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gabier_tool::{Error, ErrorKind};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{Refusal, Zone};
use crate::connections::counted;
use crate::options::{Limits, PerMinute};

/// The limiters of a front.
pub(super) struct Rates {
    strangers: Limiter,
    all: Option<Limiter>,
    api: Option<Limiter>,
    mcp: Option<Limiter>,
}

impl Rates {
    pub(super) fn new(limits: &Limits, per_minute: PerMinute) -> Self {
        let strangers = Quota::per_second(limits.strangers_per_second).allow_burst(limits.strangers_burst);
        let minute = |count: Option<NonZeroU32>| {
            count.map(|count| Limiter::new(Quota::per_minute(count), limits.addresses))
        };
        Self {
            strangers: Limiter::new(strangers, limits.addresses),
            all: minute(per_minute.all),
            api: minute(per_minute.api),
            mcp: minute(per_minute.mcp),
        }
    }

    /// Counts a request against the limits per minute.
    pub(super) fn check(&self, zone: Zone, address: IpAddr) -> Result<(), Refusal> {
        let own = match zone {
            Zone::Api => &self.api,
            Zone::Mounted => &self.mcp,
            Zone::Page | Zone::Open => &None,
        };
        for limiter in [&self.all, own].into_iter().flatten() {
            limiter.check(address)?;
        }
        Ok(())
    }

    /// Counts a refusal for want of identity.
    pub(super) fn count_stranger(&self, address: IpAddr) -> Result<(), Refusal> {
        self.strangers.check(address)
    }
}

/// One limit by address, with a bounded memory.
struct Limiter {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    most: usize,
    swept: Mutex<Option<Instant>>,
}

impl Limiter {
    fn new(quota: Quota, most: usize) -> Self {
        Self { by_address: RateLimiter::keyed(quota), most, swept: Mutex::new(None) }
    }

    fn check(&self, address: IpAddr) -> Result<(), Refusal> {
        self.check_key(counted(address)).map_err(|wait| {
            let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1);
            let error = Error::new(ErrorKind::RateLimited, "too many requests from this address")
                .with("retry_after_ms", wait);
            Refusal::from(error)
        })
    }

    fn check_key(&self, mut address: IpAddr) -> Result<(), Duration> {
        if self.by_address.len() >= self.most && !self.sweep() {
            // No room to remember one more: the newcomers share one count.
            address = IpAddr::from([0, 0, 0, 0]);
        }
        self.by_address
            .check_key(&address)
            .map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }

    /// Forgets addresses that are as good as new, at most once a second; true when that made room.
    fn sweep(&self) -> bool {
        if let Ok(mut swept) = self.swept.try_lock()
            && swept.is_none_or(|at| at.elapsed() >= Duration::from_secs(1))
        {
            *swept = Some(Instant::now());
            self.by_address.retain_recent();
        }
        self.by_address.len() < self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(at: u32) -> IpAddr {
        IpAddr::from(at.to_be_bytes())
    }

    #[test]
    fn the_burst_passes_and_the_next_one_must_wait() {
        let quota = Quota::per_minute(NonZeroU32::new(3).unwrap());
        let limiter = Limiter::new(quota, 10);
        for _ in 0..3 {
            assert!(limiter.check(address(1)).is_ok());
        }
        let Err(refusal) = limiter.check(address(1)) else { panic!("the fourth passed") };
        assert!(refusal.error.details()["retry_after_ms"].as_u64().unwrap() > 10_000);
        assert!(limiter.check(address(2)).is_ok(), "another address has its own count");
    }

    #[test]
    fn a_flood_of_addresses_is_remembered_up_to_the_bound() {
        let quota = Quota::per_minute(NonZeroU32::new(1).unwrap());
        let limiter = Limiter::new(quota, 100);
        let passed = (1..=5_000).filter(|at| limiter.check(address(*at)).is_ok()).count();
        assert!(limiter.by_address.len() <= 101, "{}", limiter.by_address.len());
        assert!(passed <= 101, "newcomers without room share one count: {passed}");
    }
}
