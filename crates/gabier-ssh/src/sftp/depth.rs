//! How much may be under way: twice what the link holds, learnt from how fast it delivers.

use std::time::Duration;

/// The first chunks, before anything is known.
const CHUNK_START: u64 = 64 * 1024;
const CHUNK_MIN: u64 = 32 * 1024;
/// How long one chunk may occupy the link: a command beside a transfer waits for what is under way.
const CHUNK_TIME: Duration = Duration::from_millis(25);
const DEPTH_START: u64 = 8;
const DEPTH_MIN: u64 = 4;
const DEPTH_MAX: u64 = 64;
/// Never less under way than this, so that the largest chunk always fits.
pub(super) const WINDOW_MIN: u64 = 256 * 1024;
/// How long deliveries are counted for one sample of the rate.
const SAMPLE_TIME: Duration = Duration::from_millis(5);

/// The size of chunks and of everything under way together.
#[derive(Debug)]
pub(super) struct Depth {
    chunk_max: u64,
    round_trip: Option<Duration>,
    /// Bytes per second.
    rate: u64,
    window: u64,
    sample_start: Duration,
    sampled: u64,
}

impl Default for Depth {
    fn default() -> Self {
        Self {
            chunk_max: CHUNK_MIN,
            round_trip: None,
            rate: 0,
            window: DEPTH_START * CHUNK_START,
            sample_start: Duration::ZERO,
            sampled: 0,
        }
    }
}

impl Depth {
    pub(super) fn set_chunk_max(&mut self, chunk_max: u64) {
        self.chunk_max = chunk_max.max(1);
    }

    /// The size of the next chunk.
    pub(super) fn chunk(&self) -> u64 {
        let wanted = if self.rate == 0 { CHUNK_START } else { within(self.rate, CHUNK_TIME) };
        wanted.max(CHUNK_MIN).min(self.chunk_max)
    }

    /// How many bytes may be under way.
    pub(super) fn window(&self) -> u64 {
        self.window
    }

    pub(super) fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or_default()
    }

    /// A reply took this long.
    pub(super) fn replied(&mut self, elapsed: Duration) {
        self.round_trip = Some(self.round_trip.map_or(elapsed, |shortest| shortest.min(elapsed)));
    }

    /// A transfer begins after a pause: what was idle is no sample.
    pub(super) fn begin(&mut self, now: Duration) {
        self.sample_start = now;
        self.sampled = 0;
    }

    /// So many bytes were acknowledged.
    pub(super) fn delivered(&mut self, bytes: u64, now: Duration) {
        self.sampled += bytes;
        let elapsed = now.saturating_sub(self.sample_start);
        if elapsed < SAMPLE_TIME.max(self.round_trip()) {
            return;
        }
        let sample = u64::try_from(u128::from(self.sampled) * 1_000_000 / elapsed.as_micros().max(1))
            .unwrap_or(u64::MAX);
        // One slow sample is the server's disk or ours; a slower link shows in many.
        self.rate = sample.max(self.rate - self.rate / 8);
        self.begin(now);
        self.resize();
    }

    fn resize(&mut self) {
        let chunk = self.chunk();
        let wanted = 2 * within(self.rate, self.round_trip());
        let grown = wanted.clamp(DEPTH_MIN * chunk, DEPTH_MAX * chunk).min(2 * self.window);
        self.window = grown.max(WINDOW_MIN);
    }
}

/// What passes in a time at a rate in bytes per second.
fn within(rate: u64, time: Duration) -> u64 {
    u64::try_from(u128::from(rate) * time.as_micros() / 1_000_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a link of a rate and a delay for ten seconds and returns the size of chunks and the window in KiB.
    fn settled(bytes_per_ms: u64, round_trip_ms: u64) -> (u64, u64) {
        let mut depth = Depth::default();
        depth.set_chunk_max(255 * 1024);
        let round_trip = Duration::from_millis(round_trip_ms);
        depth.replied(round_trip);
        for ms in 0..10_000 {
            // What is under way limits what arrives, as on a real link.
            let arriving = bytes_per_ms.min(depth.window() / round_trip_ms.max(1));
            depth.delivered(arriving, Duration::from_millis(ms));
        }
        (depth.chunk() / 1024, depth.window() / 1024)
    }

    #[test]
    fn a_long_fat_link_is_filled_twice() {
        // 100 MB/s at 50 ms hold 4.8 MiB.
        let (chunk, window) = settled(100_000, 50);
        assert_eq!(chunk, 255);
        assert!((9_000..10_100).contains(&window), "{window}");
    }

    #[test]
    fn a_slow_link_is_not_flooded() {
        // 20 Mbit/s at 50 ms hold 122 KiB; 256 KiB keep it busy and take 100 ms.
        assert_eq!(settled(2_500, 50), (61, 256));
    }

    #[test]
    fn a_machine_next_door_needs_four_chunks() {
        assert_eq!(settled(500_000, 0), (255, 4 * 255));
    }

    #[test]
    fn no_link_gets_more_than_sixty_four_chunks() {
        assert_eq!(settled(1_000_000, 400), (255, 64 * 255));
    }

    #[test]
    fn a_server_that_takes_little_gets_little() {
        let mut depth = Depth::default();
        depth.set_chunk_max(1000);
        assert_eq!(depth.chunk(), 1000);
        depth.delivered(u64::from(u32::MAX), Duration::from_secs(1));
        assert_eq!(depth.chunk(), 1000);
    }
}
