//! Words of the seam as numbers of the file.

use crate::queue::{DeliveryEvent, DeliveryState, State, Stream};

/// Terminal states begin here.
pub(super) const ENDED: i64 = 5;
/// The state of a running task.
pub(super) const RUNNING: i64 = 4;

/// Something that a number stands for.
pub(super) trait Code: Copy + PartialEq + Sized + 'static {
    /// In the order of their numbers; new ones are appended.
    const ALL: &'static [Self];

    fn code(self) -> i64 {
        let place = Self::ALL.iter().position(|other| *other == self);
        place.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1)
    }

    fn decode(code: i64) -> Option<Self> {
        Self::ALL.get(usize::try_from(code).ok()?).copied()
    }
}

impl Code for State {
    const ALL: &'static [Self] = &Self::ALL;
}

impl Code for Stream {
    const ALL: &'static [Self] = &[Self::Stdout, Self::Stderr, Self::Log];
}

impl Code for DeliveryEvent {
    const ALL: &'static [Self] = &[Self::Processing, Self::Completed, Self::Error, Self::Cancelled];
}

impl Code for DeliveryState {
    const ALL: &'static [Self] = &[Self::Waiting, Self::Done, Self::Dead];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_file_are_fixed() {
        let codes = State::ALL.map(|state| format!("{}{state}", state.code())).join(" ");
        assert_eq!(
            codes,
            "0pending 1scheduled 2pending_approval 3input_required 4running 5completed 6partial 7timed_out 8failed \
             9crashed 10unknown 11cancelled 12expired"
        );
        assert!(State::ALL.iter().all(|state| state.is_terminal() == (state.code() >= ENDED)));
        assert_eq!(State::decode(RUNNING), Some(State::Running));
        assert_eq!(State::decode(13), None);
    }
}
