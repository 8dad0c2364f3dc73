//! Both stores keep the contract of tasks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use gabier_store::queue::contract::{self, Trial};
use gabier_store::queue::{Ms, Queue};
use gabier_store::{Clock, Embedded, Memory, Presence};

/// A clock that stands until it is moved.
#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicI64>);

impl Default for Hand {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }
}

impl Hand {
    pub(crate) fn clock(&self) -> Clock {
        let hand = Arc::clone(&self.0);
        Clock::by(move || hand.load(Ordering::SeqCst))
    }

    pub(crate) fn pass(&self, time: Ms) {
        self.0.fetch_add(time, Ordering::SeqCst);
    }
}

struct InMemory {
    hand: Hand,
    memory: Memory,
}

impl Trial for InMemory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Queue>> {
        let queue: Arc<dyn Queue> = Arc::new(self.memory.clone());
        ready(queue).boxed()
    }

    fn pass(&self, time: Ms) -> BoxFuture<'_, ()> {
        self.hand.pass(time);
        ready(()).boxed()
    }

    fn is_quick(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn the_memory_store_keeps_the_contract() {
    contract::holds(async || {
        let hand = Hand::default();
        InMemory { memory: Memory::with_clock(hand.clock()), hand }
    })
    .await;
}

/// A data directory that several open, each as a process would.
struct InDirectory {
    hand: Hand,
    directory: tempfile::TempDir,
    has_presences: bool,
}

impl Trial for InDirectory {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Queue>> {
        let directory = self.directory.path();
        let presence =
            self.has_presences.then(|| Arc::new(Presence::hold(&directory.join("run"), "test").unwrap()));
        let queue: Arc<dyn Queue> =
            Arc::new(Embedded::open_by(directory, presence, self.hand.clock()).unwrap());
        ready(queue).boxed()
    }

    fn pass(&self, time: Ms) -> BoxFuture<'_, ()> {
        self.hand.pass(time);
        ready(()).boxed()
    }

    fn is_quick(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn the_embedded_store_keeps_the_contract() {
    for has_presences in [false, true] {
        contract::holds(async || {
            let directory = tempfile::tempdir().unwrap();
            InDirectory { hand: Hand::default(), directory, has_presences }
        })
        .await;
    }
}
