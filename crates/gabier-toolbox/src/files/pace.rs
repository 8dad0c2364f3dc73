//! How far transfers are, how fast, and how long they still take, for whoever waits.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gabier_host::MoveProgress;
use gabier_tool::{Clock, Context, Feedback, Progress};

use crate::Services;

/// Over how long the rate is an average.
const MEMORY: Duration = Duration::from_secs(5);

/// What hears of the progress of a move.
pub(super) type Listener = Arc<dyn Fn(MoveProgress) + Send + Sync>;

/// Adds up the progress of the moves of one call and tells it.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    feedback: Arc<dyn Feedback>,
    state: Mutex<State>,
}

struct State {
    moves: Vec<MoveProgress>,
    /// When and where the rate was measured last.
    mark: (Duration, u64),
    /// Bytes per second.
    rate: Option<f64>,
}

impl Pace {
    /// For a call with so many moves.
    pub(super) fn new(ctx: &Context<Services>, moves: usize) -> Arc<Self> {
        let clock = Arc::clone(ctx.clock());
        let state =
            State { moves: vec![MoveProgress::default(); moves], mark: (clock.monotonic(), 0), rate: None };
        Arc::new(Self { clock, feedback: Arc::clone(ctx.feedback()), state: Mutex::new(state) })
    }

    /// What hears of one of the moves.
    pub(super) fn listener(self: &Arc<Self>, index: usize) -> Listener {
        let pace = Arc::clone(self);
        Arc::new(move |progress| pace.hear(index, progress))
    }

    fn hear(&self, index: usize, progress: MoveProgress) {
        let now = self.clock.monotonic();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.moves[index] = progress;
        let sum = state.moves.iter().fold(MoveProgress::default(), |sum, one| MoveProgress {
            bytes: sum.bytes + one.bytes,
            total_bytes: sum.total_bytes + one.total_bytes,
            files: sum.files + one.files,
            total_files: sum.total_files + one.total_files,
        });
        let rate = state.measure(now, sum.bytes);
        drop(state);
        let (done, total) = (float(sum.bytes), float(sum.total_bytes));
        let total = (sum.total_bytes > 0).then_some(total);
        self.feedback.progress(Progress { done, total, message: Some(words(sum, rate)) });
    }
}

impl State {
    /// A mean of the rates so far, in which old ones fade.
    fn measure(&mut self, now: Duration, bytes: u64) -> Option<f64> {
        let (then, before) = self.mark;
        let elapsed = now.saturating_sub(then);
        if elapsed < Duration::from_millis(100) {
            return self.rate;
        }
        let latest = float(bytes.saturating_sub(before)) / elapsed.as_secs_f64();
        let weight = 1.0 - (-elapsed.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        self.rate = Some(self.rate.map_or(latest, |rate| rate + weight * (latest - rate)));
        self.mark = (now, bytes);
        self.rate
    }
}

/// Such as `12.5 of 80.0 MB, 3 of 7 files, 5.1 MB/s, 0:13 left`.
fn words(sum: MoveProgress, rate: Option<f64>) -> String {
    let (unit, divisor) = unit_of(sum.total_bytes.max(sum.bytes));
    let mut text = format!("{:.1}", float(sum.bytes) / divisor);
    if sum.total_bytes > 0 {
        let _ = write!(text, " of {:.1}", float(sum.total_bytes) / divisor);
    }
    let _ = write!(text, " {unit}");
    if sum.total_files > 1 {
        let _ = write!(text, ", {} of {} files", sum.files, sum.total_files);
    }
    let Some(rate) = rate.filter(|rate| *rate >= 1.0) else { return text };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is positive")]
    let (unit, divisor) = unit_of(rate as u64);
    let _ = write!(text, ", {:.1} {unit}/s", rate / divisor);
    let rest = float(sum.total_bytes.saturating_sub(sum.bytes));
    if rest > 0.0 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time is positive")]
        let seconds = (rest / rate).ceil() as u64;
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let _ = match hours {
            0 => write!(text, ", {minutes}:{seconds:02} left"),
            _ => write!(text, ", {hours}:{minutes:02}:{seconds:02} left"),
        };
    }
    text
}

fn unit_of(bytes: u64) -> (&'static str, f64) {
    match bytes {
        0..1_000_000 => ("kB", 1e3),
        1_000_000..1_000_000_000 => ("MB", 1e6),
        _ => ("GB", 1e9),
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people, and as far as 2^53 exact")]
fn float(bytes: u64) -> f64 {
    bytes as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: u64, total_bytes: u64, files: u64, total_files: u64) -> MoveProgress {
        MoveProgress { bytes, total_bytes, files, total_files }
    }

    #[test]
    fn progress_is_told_in_the_unit_of_the_whole_with_rate_and_time_left() {
        let cases = [
            (
                sum(12_500_000, 80_000_000, 3, 7),
                Some(5_100_000.0),
                "12.5 of 80.0 MB, 3 of 7 files, 5.1 MB/s, 0:14 left",
            ),
            (
                sum(0, 2_000_000_000_000, 0, 1),
                Some(100_000_000.0),
                "0.0 of 2000.0 GB, 100.0 MB/s, 5:33:20 left",
            ),
            (sum(500, 0, 0, 1), None, "0.5 kB"),
            (sum(500, 500, 1, 1), Some(1_000.0), "0.5 of 0.5 kB, 1.0 kB/s"),
        ];
        for (progress, rate, expected) in cases {
            assert_eq!(words(progress, rate), expected);
        }
    }

    #[test]
    fn the_rate_follows_what_happens_and_ignores_instants() {
        let mut state = State { moves: Vec::new(), mark: (Duration::ZERO, 0), rate: None };
        assert_eq!(state.measure(Duration::from_millis(1), 1000), None);
        assert_eq!(state.measure(Duration::from_secs(1), 1000), Some(1000.0));
        let slower = state.measure(Duration::from_secs(2), 1000).unwrap();
        assert!(slower > 700.0 && slower < 900.0, "{slower}");
        let stopped = state.measure(Duration::from_mins(1), 1000).unwrap();
        assert!(stopped < 1.0, "{stopped}");
    }
}
