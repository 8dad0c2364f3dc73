//! The bytes under way on one session, bounded together for all its transfers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::depth::{Depth, WINDOW_MIN};

/// Bytes that one permit stands for.
const UNIT: u64 = 1024;

/// What a session knows of its link, and how much of it is taken.
pub(super) struct Link {
    start: Instant,
    permits: Semaphore,
    state: Mutex<State>,
}

struct State {
    depth: Depth,
    /// Permits that exist, taken or not.
    size: u64,
    /// Permits that are to vanish when they come back.
    debt: u64,
    taken: u64,
}

impl Default for Link {
    fn default() -> Self {
        let depth = Depth::default();
        let size = depth.window() / UNIT;
        Self {
            start: Instant::now(),
            permits: Semaphore::new(to_permits(size) as usize),
            state: Mutex::new(State { depth, size, debt: 0, taken: 0 }),
        }
    }
}

impl Link {
    pub(super) fn set_chunk_max(&self, chunk_max: usize) {
        self.state().depth.set_chunk_max(chunk_max as u64);
    }

    /// The size of the next chunk of a large file.
    pub(super) fn chunk(&self) -> usize {
        usize::try_from(self.state().depth.chunk()).expect("a chunk is below 256 KiB")
    }

    pub(super) fn round_trip(&self) -> Duration {
        self.state().depth.round_trip()
    }

    pub(super) fn replied(&self, elapsed: Duration) {
        self.state().depth.replied(elapsed);
    }

    /// Waits until so many bytes may be under way, and holds that room.
    pub(super) async fn room(self: &Arc<Self>, bytes: usize) -> Room {
        let permits = (bytes as u64).clamp(1, WINDOW_MIN).div_ceil(UNIT);
        let permit = self.permits.acquire_many(to_permits(permits)).await;
        permit.expect("the semaphore is never closed").forget();
        let now = self.start.elapsed();
        let mut state = self.state();
        if state.taken == 0 {
            state.depth.begin(now);
        }
        state.taken += permits;
        drop(state);
        Room { link: self.clone(), permits }
    }

    /// Room beyond the window, for the rest of something that has its room already.
    pub(super) fn more_room(self: &Arc<Self>, bytes: usize) -> Room {
        let permits = (bytes as u64).clamp(1, WINDOW_MIN).div_ceil(UNIT);
        let mut state = self.state();
        state.taken += permits;
        state.debt += permits; // they come back, and then they vanish
        drop(state);
        Room { link: self.clone(), permits }
    }

    /// So many bytes arrived.
    pub(super) fn delivered(&self, bytes: usize) {
        let now = self.start.elapsed();
        let mut state = self.state();
        state.depth.delivered(bytes as u64, now);
        let wanted = state.depth.window() / UNIT;
        if wanted > state.size {
            let grown = wanted - state.size;
            let forgiven = grown.min(state.debt);
            state.debt -= forgiven;
            self.permits.add_permits(to_permits(grown - forgiven) as usize);
        } else {
            state.debt += state.size - wanted;
        }
        state.size = wanted;
    }

    fn give_back(&self, permits: u64) {
        let mut state = self.state();
        state.taken -= permits;
        let vanishing = permits.min(state.debt);
        state.debt -= vanishing;
        self.permits.add_permits(to_permits(permits - vanishing) as usize);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn to_permits(count: u64) -> u32 {
    u32::try_from(count).expect("the window is below 64 chunks of 255 KiB")
}

/// Room for bytes under way, given back when dropped.
pub(super) struct Room {
    link: Arc<Link>,
    permits: u64,
}

impl Drop for Room {
    fn drop(&mut self) {
        self.link.give_back(self.permits);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn no_more_is_under_way_than_the_window_holds() {
        let link = Arc::new(Link::default());
        let held: Vec<Room> =
            std::iter::repeat_with(|| link.room(64 * 1024).now_or_never()).map_while(|room| room).collect();
        assert_eq!(held.len(), 8);
        drop(held);
        assert!(link.room(1 << 30).now_or_never().is_some(), "a chunk larger than the window goes alone");
    }
}
