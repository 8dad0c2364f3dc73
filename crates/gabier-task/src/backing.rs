//! What the engine stands on: a queue, records, and the processes that share them.

use std::sync::Arc;

use gabier_store::queue::{Queue, WorkerId};
use gabier_store::{Neighbours, Records};
use gabier_tool::{Error, ErrorKind};

use crate::id::task_id;

/// An open store as the engine sees it.
#[derive(Clone)]
pub struct Backing {
    /// Where tasks rest.
    pub queue: Arc<dyn Queue>,
    /// Where schedules rest.
    pub records: Arc<dyn Records>,
    /// Who else shares them.
    pub peers: Arc<dyn Peers>,
    /// Under which name this process holds tasks.
    pub worker: WorkerId,
}

impl Backing {
    /// The store of this process and, where it can be shared, of its neighbours.
    pub fn new(
        queue: Arc<dyn Queue>,
        records: Arc<dyn Records>,
        neighbours: Option<Arc<dyn Neighbours>>,
    ) -> Self {
        match neighbours {
            Some(neighbours) => {
                let worker = WorkerId(neighbours.id().to_owned());
                Self { queue, records, peers: Arc::new(Sharing(neighbours)), worker }
            }
            None => Self { queue, records, peers: Arc::new(Alone), worker: random_worker() },
        }
    }
}

fn random_worker() -> WorkerId {
    WorkerId(task_id().map_or_else(|_| "worker".to_owned(), |id| id.to_string()))
}

/// How a store is opened, at the first call that needs it and again while that fails.
pub type Open = dyn Fn() -> gabier_store::Result<Backing> + Send + Sync;

/// The other processes that share a store.
pub trait Peers: Send + Sync + 'static {
    /// Whether one of them runs the tasks of others.
    fn has_worker(&self) -> gabier_store::Result<bool>;
}

/// No other process can be there.
pub struct Alone;

impl Peers for Alone {
    fn has_worker(&self) -> gabier_store::Result<bool> {
        Ok(false)
    }
}

/// The roles of processes that run the tasks of others.
const WORKERS: [&str; 2] = ["serve", "worker"];

/// Those whom the store knows.
struct Sharing(Arc<dyn Neighbours>);

impl Peers for Sharing {
    fn has_worker(&self) -> gabier_store::Result<bool> {
        Ok(self.0.others()?.iter().any(|seen| seen.alive && WORKERS.contains(&seen.role.as_str())))
    }
}

/// Which tasks this process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Those of all processes: `serve`, `worker`.
    Worker,
    /// Those of all processes while no worker is there: a stdio server.
    Substitute,
    /// Its own calls, and only while no worker is there: the command line, `serve --no-worker`.
    Client,
}

/// A failure of the store as a caller hears of it.
pub(crate) fn store_error(doing: &str, error: gabier_store::Error) -> Error {
    let kind = match error.kind() {
        gabier_store::ErrorKind::Conflict => ErrorKind::Conflict,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, format!("{doing}: {error}")).with_source(error)
}
