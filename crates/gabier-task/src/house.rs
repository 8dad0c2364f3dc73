//! What every worker process does beside running tasks: what follows tasks, what is due by the clock, what is old.

use std::sync::Arc;
use std::time::Duration;

use gabier_store::queue::TaskChange;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::backing::Backing;
use crate::tasks::Engine;

/// How often it is looked for lost leases and missed changes.
const ROUND: Duration = Duration::from_secs(2);

/// The shortest time between two looks.
const BREATH: Duration = Duration::from_millis(100);

/// How often old tasks are removed.
const PRUNE: Duration = Duration::from_mins(5);

/// The most tasks that one removal takes; then there may be more.
const PRUNED: u64 = 1000;

impl Engine {
    /// Keeps house until the process stops. Nothing is written while there is nothing to do.
    pub(crate) async fn keep_house(self: &Arc<Self>, shutdown: &CancellationToken) {
        let Some(backing) = self.backing_until(shutdown).await else { return };
        let mut changes = backing.queue.changes();
        let (mut pruned, mut reaped) = (None::<Duration>, None::<Duration>);
        while !shutdown.is_cancelled() {
            if self.is_worker(&backing) {
                let now = self.clock.monotonic();
                if reaped.is_none_or(|at| now >= at + ROUND) {
                    reaped = Some(now);
                    self.reap(&backing).await;
                }
                self.round(&backing).await;
                if pruned.is_none_or(|at| self.clock.monotonic() >= at + PRUNE) {
                    pruned = Some(self.clock.monotonic());
                    self.prune(&backing).await;
                }
            }
            let due = self.next_schedule(&backing).await.map_or(ROUND, |wait| wait.min(ROUND));
            tokio::select! {
                () = self.clock.sleep(due) => {}
                () = moved(&mut changes) => self.clock.sleep(BREATH).await,
                () = shutdown.cancelled() => return,
            }
        }
    }

    async fn reap(&self, backing: &Backing) {
        if let Err(error) = backing.queue.reap().await {
            tracing::warn!(%error, "looking for lost tasks");
        }
    }

    async fn round(&self, backing: &Backing) {
        if let Err(error) = self.fire(backing).await {
            tracing::warn!(?error, "starting what is scheduled");
        }
        if let Err(error) = self.chain(backing).await {
            tracing::warn!(?error, "starting what follows a task");
        }
    }

    async fn prune(&self, backing: &Backing) {
        loop {
            match backing.queue.prune(self.settings.retention()).await {
                Ok(gone) if gone >= PRUNED => tokio::task::yield_now().await,
                Ok(_) => return,
                Err(error) => return tracing::warn!(%error, "removing old tasks"),
            }
        }
    }
}

/// Resolves when some task moved.
async fn moved(changes: &mut Receiver<TaskChange>) {
    loop {
        match changes.recv().await {
            Ok(TaskChange::Task(_) | TaskChange::Anything) | Err(RecvError::Lagged(_)) => return,
            Ok(TaskChange::Work(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
