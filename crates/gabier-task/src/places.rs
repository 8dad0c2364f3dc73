//! The places of a queue in this process: its desk fills them, and so does who adds a task while nothing else waits.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gabier_store::queue::Task;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A task that was claimed for a place when it was added, and when that was asked for, on the monotonic clock.
pub(crate) struct Claimed {
    pub(crate) task: Task,
    pub(crate) asked: Duration,
}

/// What comes back of a place that somebody had reserved: a task for it, or nothing.
pub(crate) type Returned = Option<Box<Claimed>>;

/// How many tasks may still start here, and who says what became of a place.
#[derive(Default)]
pub(crate) struct Places {
    free: AtomicUsize,
    /// Whether the last look at the store found less than there were places for.
    is_idle: AtomicBool,
    desk: Mutex<Option<UnboundedSender<Returned>>>,
}

/// A place that was taken for a task to be added. It goes back to its desk by itself.
pub(crate) struct Place {
    desk: UnboundedSender<Returned>,
    is_filled: bool,
}

impl Places {
    /// Sets how many there are, all of them free, and who hears of those that are reserved.
    pub(crate) fn open(&self, number: usize) -> UnboundedReceiver<Returned> {
        let (desk, returned) = unbounded_channel();
        self.free.store(number, Ordering::Release);
        *self.desk.lock().unwrap_or_else(PoisonError::into_inner) = Some(desk);
        returned
    }

    /// Nobody reserves one any more.
    pub(crate) fn close(&self) {
        self.set_idle(false);
        self.desk.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(crate) fn free(&self) -> usize {
        self.free.load(Ordering::Acquire)
    }

    /// Takes some, as far as there are; gives how many.
    pub(crate) fn take(&self, most: usize) -> usize {
        let less = |free: usize| Some(free - free.min(most));
        let before = self.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        before.unwrap_or_else(|free| free).min(most)
    }

    pub(crate) fn give(&self, number: usize) {
        self.free.fetch_add(number, Ordering::AcqRel);
    }

    pub(crate) fn set_idle(&self, is_idle: bool) {
        self.is_idle.store(is_idle, Ordering::Release);
    }

    /// Takes one for a task that is to be added, while nothing is known to wait.
    pub(crate) fn reserve(&self) -> Option<Place> {
        if !self.is_idle.load(Ordering::Acquire) {
            return None;
        }
        let desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        (self.take(1) == 1).then(|| Place { desk, is_filled: false })
    }
}

impl Place {
    /// Starts a task in it; gives the task back when the desk has gone.
    pub(crate) fn fill(mut self, claimed: Claimed) -> Option<Box<Claimed>> {
        self.is_filled = true;
        self.desk.send(Some(Box::new(claimed))).err().and_then(|refused| refused.0)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.is_filled {
            // A desk that has gone counts no places.
            let _ = self.desk.send(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_reserved_only_while_nothing_waits_and_one_is_free() {
        let places = Places::default();
        let mut desk = places.open(1);
        assert!(places.reserve().is_none(), "nobody has looked into the store yet");
        places.set_idle(true);
        let place = places.reserve();
        assert!(place.is_some() && places.reserve().is_none());
        assert!(desk.try_recv().is_err(), "none came back");
    }

    #[test]
    fn a_place_that_is_not_filled_comes_back() {
        let places = Places::default();
        let mut desk = places.open(2);
        places.set_idle(true);
        drop(places.reserve());
        assert!(matches!(desk.try_recv(), Ok(None)));
        assert_eq!(places.free(), 1, "the desk counts it");
    }

    #[test]
    fn nothing_is_reserved_at_a_desk_that_was_closed() {
        let places = Places::default();
        let _desk = places.open(1);
        places.set_idle(true);
        places.close();
        places.set_idle(true);
        assert!(places.reserve().is_none());
    }

    #[test]
    fn no_more_are_taken_than_are_free() {
        let places = Places::default();
        let _desk = places.open(3);
        assert_eq!((places.take(2), places.take(2), places.take(2)), (2, 1, 0));
        places.give(2);
        assert_eq!(places.free(), 2);
    }
}
