//! The engine: what every part of it shares.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use futures::future::{Either, select};
use gabier_egress::Egress;
use gabier_store::Records;
use gabier_store::queue::{Ms, Queue};
use gabier_tool::{Clock, Dispatch, Error, ErrorKind, Permission, Result};
use tokio_util::task::TaskTracker;

use crate::backing::{Backing, Open, Role, store_error};
use crate::lease::Leases;
use crate::places::Places;
use crate::settings::Settings;

/// The queue of background tasks.
pub const BACKGROUND: &str = "async-tasks";

/// The queue of calls that another process runs for their callers.
pub const CALLS: &str = "calls";

/// Under which name dead letters are listed.
pub const DEAD_LETTERS: &str = "dead-letter-tasks";

/// How long a store may take to answer a call.
const PATIENCE: Duration = Duration::from_secs(2);

/// Calls that outlive their request.
///
/// It is the [`gabier_tool::guard::Submission`] of a dispatch, and its [`gabier_tool::Board`]. Every attempt at a task
/// goes through that dispatch again, so it must be told of it by [`Tasks::join`].
#[derive(Clone)]
pub struct Tasks(pub(crate) Arc<Engine>);

/// What the parts of the engine share.
pub(crate) struct Engine {
    pub(crate) settings: Settings,
    pub(crate) role: Role,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) egress: Option<Arc<Egress>>,
    pub(crate) leases: Leases,
    /// The places for background tasks.
    pub(crate) places: Places,
    /// What runs in this process.
    pub(crate) running: TaskTracker,
    /// What keeps it alive.
    pub(crate) beating: TaskTracker,
    open: Box<Open>,
    backing: Mutex<Option<Backing>>,
    dispatch: OnceLock<Weak<Dispatch>>,
}

impl Tasks {
    /// An engine over a store that is opened by the first call that needs it. Without an egress no webhook can be
    /// asked for.
    pub fn new(
        settings: Settings,
        role: Role,
        clock: Arc<dyn Clock>,
        egress: Option<Arc<Egress>>,
        open: impl Fn() -> gabier_store::Result<Backing> + Send + Sync + 'static,
    ) -> Self {
        let leases = Leases::new(settings.lease(), Arc::clone(&clock));
        Self(Arc::new(Engine {
            settings,
            role,
            clock,
            egress,
            leases,
            places: Places::default(),
            running: TaskTracker::new(),
            beating: TaskTracker::new(),
            open: Box::new(open),
            backing: Mutex::new(None),
            dispatch: OnceLock::new(),
        }))
    }

    /// Names the dispatch that attempts go through; once, before the first call.
    pub fn join(&self, dispatch: &Arc<Dispatch>) {
        let _ = self.0.dispatch.set(Arc::downgrade(dispatch));
    }

    /// What was set.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }
}

impl Engine {
    /// The open store.
    pub(crate) fn backing(&self) -> Result<Backing> {
        let mut backing = self.backing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(backing) = &*backing {
            return Ok(backing.clone());
        }
        let opened = (self.open)().map_err(|error| store_error("opening the store of tasks", error))?;
        *backing = Some(opened.clone());
        Ok(opened)
    }

    /// The queue.
    pub(crate) fn queue(&self) -> Result<Arc<dyn Queue>> {
        self.backing().map(|backing| backing.queue)
    }

    /// The records.
    pub(crate) fn records(&self) -> Result<Arc<dyn Records>> {
        self.backing().map(|backing| backing.records)
    }

    /// The dispatch.
    pub(crate) fn dispatch(&self) -> Result<Arc<Dispatch>> {
        self.dispatch
            .get()
            .and_then(Weak::upgrade)
            .ok_or_else(|| Error::new(ErrorKind::Unavailable, "running a task: the server is ending"))
    }

    /// Waits for the store's answer, but not for ever: `UNAVAILABLE` after two seconds.
    pub(crate) async fn ask<T>(
        &self,
        doing: &str,
        asked: impl Future<Output = gabier_store::Result<T>>,
    ) -> Result<T> {
        match select(std::pin::pin!(asked), self.clock.sleep(PATIENCE)).await {
            Either::Left((answer, _)) => answer.map_err(|error| store_error(doing, error)),
            Either::Right(_) => {
                let message = format!("{doing}: the store does not answer");
                Err(Error::new(ErrorKind::Unavailable, message).with("retry_after_ms", 1000))
            }
        }
    }

    /// Whether this process runs what is in the queues, now.
    pub(crate) fn is_worker(&self, backing: &Backing) -> bool {
        match self.role {
            Role::Worker => true,
            Role::Substitute => !has_worker(backing),
            Role::Client => false,
        }
    }

    /// Whether any process runs what is in the queues, now.
    pub(crate) fn has_worker(&self, backing: &Backing) -> bool {
        self.role != Role::Client || has_worker(backing)
    }

    /// The wall clock as stores count it.
    pub(crate) fn now_ms(&self) -> Ms {
        self.clock.now().timestamp_millis()
    }
}

/// Whether another process is a worker; a runtime directory that cannot be read holds none.
pub(crate) fn has_worker(backing: &Backing) -> bool {
    backing.peers.has_worker().unwrap_or_else(|error| {
        tracing::warn!(%error, "looking for workers");
        false
    })
}

/// Whose tasks a caller sees: all of them with the right `admin`, else its own.
pub(crate) fn scope(caller: &gabier_tool::Caller) -> Option<&str> {
    (!caller.permissions.has(Permission::Admin)).then_some(&*caller.subject)
}
