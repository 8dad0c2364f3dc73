//! Addresses that guess tokens: counted, and turned away for longer each time.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gabier_tool::{Error, ErrorKind};

use crate::capped::Capped;
use crate::settings;
use crate::source::Source;

const REMEMBERED: usize = 100_000;

/// What is known of the addresses that sent wrong tokens. Right tokens are never counted and never turned away.
pub(crate) struct Guesses {
    settings: settings::Guesses,
    known: Mutex<Capped<Source, Guesser>>,
}

/// One address. Times are monotonic.
#[derive(Clone, Copy, Default)]
struct Guesser {
    window_since: Duration,
    wrong: u32,
    blocks: u32,
    blocked_until: Duration,
    unseen: u64,
}

impl Guesses {
    pub(crate) fn new(settings: settings::Guesses) -> Self {
        Self { settings, known: Mutex::new(Capped::new(REMEMBERED)) }
    }

    /// The answer to a wrong token from an address: `UNAUTHENTICATED`, or `RATE_LIMITED` while it is turned away.
    pub(crate) fn wrong(&self, address: Option<IpAddr>, now: Duration) -> Error {
        let Some(address) = address else { return refused() };
        let source = Source::of(address);
        let mut known = self.lock();
        let mut guesser = known.get(&source).copied().unwrap_or_default();
        if now < guesser.blocked_until {
            guesser.unseen += 1;
            known.insert(source, guesser);
            return turned_away(guesser.blocked_until.saturating_sub(now));
        }
        self.count(&mut guesser, now);
        if guesser.wrong >= self.settings.allowed.get() {
            self.block(&mut guesser, address, now);
        }
        known.insert(source, guesser);
        refused()
    }

    /// Forgets the addresses that have been quiet long enough to begin anew.
    pub(crate) fn sweep(&self, now: Duration) {
        let memory = self.memory();
        self.lock()
            .retain(|guesser| now < guesser.blocked_until.max(guesser.window_since).saturating_add(memory));
    }

    fn count(&self, guesser: &mut Guesser, now: Duration) {
        let window = Duration::from_secs(self.settings.window_s.into());
        if now > guesser.blocked_until.max(guesser.window_since).saturating_add(self.memory()) {
            guesser.blocks = 0;
        }
        if guesser.wrong == 0 || now >= guesser.window_since.saturating_add(window) {
            guesser.window_since = now;
            guesser.wrong = 0;
        }
        guesser.wrong += 1;
    }

    fn block(&self, guesser: &mut Guesser, address: IpAddr, now: Duration) {
        let seconds = u64::from(self.settings.first_block_s) << guesser.blocks.min(31);
        let seconds = seconds.min(self.settings.longest_block_s.into());
        tracing::warn!(
            %address,
            wrong = guesser.wrong,
            turned_away_before = guesser.unseen,
            block_s = seconds,
            "wrong tokens: the address is turned away"
        );
        guesser.blocked_until = now.saturating_add(Duration::from_secs(seconds));
        guesser.blocks += 1;
        guesser.wrong = 0;
        guesser.unseen = 0;
    }

    /// How long an address must be quiet until its blocks begin at the shortest again.
    fn memory(&self) -> Duration {
        Duration::from_secs(self.settings.longest_block_s.max(self.settings.window_s).into())
    }

    fn lock(&self) -> MutexGuard<'_, Capped<Source, Guesser>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one answer to everything that is no valid token.
pub(crate) fn refused() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the token is not valid")
        .with_next("send a valid token as Authorization: Bearer; gabier token create makes one")
}

fn turned_away(wait: Duration) -> Error {
    let milliseconds = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Error::new(ErrorKind::RateLimited, "too many wrong tokens came from this address")
        .with("retry_after_ms", milliseconds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "192.0.2.1";

    /// Sends wrong tokens at a moment; gives the answers, `401` or the seconds to wait.
    fn send(guesses: &Guesses, from: &str, at_s: u64, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| {
                let error = guesses.wrong(Some(from.parse().unwrap()), Duration::from_secs(at_s));
                match error.details().get("retry_after_ms").and_then(serde_json::Value::as_u64) {
                    Some(wait) => format!("{}", wait / 1000),
                    None => error.kind().row().http.to_string(),
                }
            })
            .collect()
    }

    #[test]
    fn the_eleventh_wrong_token_is_turned_away_and_each_block_is_twice_as_long() {
        let guesses = Guesses::new(settings::Guesses::default());
        let mut now = 1_000;
        for block in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            assert_eq!(send(&guesses, HERE, now, 10), vec!["401"; 10]);
            assert_eq!(send(&guesses, HERE, now, 2), vec![block.to_string(); 2]);
            assert_eq!(send(&guesses, HERE, now + block - 1, 1), ["1"]);
            now += block;
        }
    }

    #[test]
    fn slow_mistakes_are_not_guessing() {
        let guesses = Guesses::new(settings::Guesses::default());
        for minute in 0..100 {
            assert_eq!(send(&guesses, HERE, minute * 60, 1), ["401"]);
        }
    }

    #[test]
    fn another_address_and_a_call_without_one_are_not_turned_away() {
        let guesses = Guesses::new(settings::Guesses::default());
        send(&guesses, HERE, 0, 11);
        assert_eq!(send(&guesses, "192.0.2.2", 0, 1), ["401"]);
        assert!(
            (0..50).all(|_| { guesses.wrong(None, Duration::ZERO).kind() == ErrorKind::Unauthenticated })
        );
    }

    #[test]
    fn an_hour_of_quiet_begins_at_the_shortest_block_again() {
        let guesses = Guesses::new(settings::Guesses::default());
        send(&guesses, HERE, 0, 10);
        send(&guesses, HERE, 60, 10);
        assert_eq!(send(&guesses, HERE, 60, 1), ["120"]);
        send(&guesses, HERE, 180 + 3_601, 10);
        assert_eq!(send(&guesses, HERE, 180 + 3_601, 1), ["60"]);
    }

    #[test]
    fn two_hundred_thousand_forged_addresses_take_bounded_memory_and_a_sweep_frees_it() {
        let guesses = Guesses::new(settings::Guesses::default());
        for number in 0..200_000_u32 {
            guesses.wrong(Some(std::net::Ipv4Addr::from_bits(number).into()), Duration::ZERO);
        }
        assert!(guesses.lock().len() <= REMEMBERED);
        guesses.sweep(Duration::from_secs(10_000));
        assert_eq!(guesses.lock().len(), 0);
    }
}
