//! Figures of many rounds brought down to one: percentiles within a round, the median over rounds.

use std::time::Duration;

/// A duration in milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// The given percentile of a round's times, in milliseconds; 0 when there are none.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> f64 {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get(last * percent / 100).copied().map_or(0.0, ms)
}

/// The median of one figure over all rounds; 0 when there are none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        even if even % 2 == 0 => f64::midpoint(values[even / 2 - 1], values[even / 2]),
        odd => values[odd / 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((median(vec![4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < 1e-9);
        assert!((median(vec![9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_are_taken_from_the_sorted_times() {
        let mut times: Vec<_> = (0..=100).rev().map(Duration::from_millis).collect();
        assert!((percentile(&mut times, 50) - 50.0).abs() < 1e-9);
        assert!((percentile(&mut times, 99) - 99.0).abs() < 1e-9);
    }
}
