//! Tasks on a real server.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_store::queue::contract::{self, Trial};
use gabier_store::queue::{Ms, Queue, State, WorkerId};

use crate::server::Server;

/// A server whose clock cannot be moved: passing time is waited for.
struct Real(String);

impl Trial for Real {
    fn open(&self) -> BoxFuture<'_, Arc<dyn Queue>> {
        Box::pin(async { Arc::new(gabier_store_redis::Queue::at(&self.0).expect("a URL")) as _ })
    }

    fn pass(&self, time: Ms) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(u64::try_from(time).unwrap_or(0))))
    }

    fn is_quick(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn the_contract_of_tasks_is_kept() {
    let server = Server::start();
    contract::holds(async || {
        redis::cmd("FLUSHALL").exec(&mut server.connection()).expect("FLUSHALL");
        Real(server.url())
    })
    .await;
}

#[tokio::test]
async fn an_offered_task_starts_with_the_call_that_adds_it() {
    let server = Server::start();
    let queue = crate::support::queue(&server);
    let worker = WorkerId("w1".to_owned());
    for _ in 0..3 {
        let task = crate::support::task();
        let id = task.id.clone();
        let offered = queue.offer(task, 0, &worker, 30_000).await.expect("offer");
        assert!(offered.is_claimed, "nothing waits, whatever runs");
        let held = queue.get(&id).await.expect("get").expect("a task");
        assert_eq!((held.state, held.attempt), (State::Running, 1));
    }
    let waiting = crate::support::task();
    queue.enqueue(vec![waiting], 0).await.expect("enqueue");
    let offered = queue.offer(crate::support::task(), 0, &worker, 30_000).await.expect("offer");
    assert!(!offered.is_claimed, "another waits");
}
