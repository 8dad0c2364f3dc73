//! What happens when a process is woken.

use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

type Call = Box<dyn Fn() + Send + Sync>;

/// Who wants to hear of wake-ups, and how many there were.
#[derive(Default)]
pub(super) struct Wakes {
    count: watch::Sender<u64>,
    calls: Mutex<Vec<Call>>,
    has_ended: AtomicBool,
}

impl Wakes {
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    pub(super) fn add(&self, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
    }

    /// Waits for datagrams until the end; what they say does not matter.
    pub(super) fn listen(&self, socket: &UnixDatagram) {
        let mut word = [0; 1];
        while socket.recv(&mut word).is_ok() && !self.has_ended.load(Ordering::Acquire) {
            for call in &*self.calls.lock().unwrap_or_else(PoisonError::into_inner) {
                call();
            }
            self.count.send_modify(|count| *count += 1);
        }
    }
}
