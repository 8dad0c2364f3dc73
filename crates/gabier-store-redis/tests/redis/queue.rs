//! Tasks on a real server.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use gabier_store::queue::contract::{self, Trial};
use gabier_store::queue::{Ms, Queue};

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
