//! Cancelling tasks.

use std::time::Duration;

use gabier_store::queue::{CancelAck, Task, TaskId};
use gabier_tool::{Caller, Error, ErrorKind, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::follow::unknown;
use crate::lease::Stop;
use crate::manage::Selection;
use crate::show::ShownTask;
use crate::tasks::{Engine, Tasks};

/// How long a cancel waits for the end of a running task: the grace of its tool and a little.
const PATIENCE: Duration = Duration::from_secs(12);

/// What a cancel by filter did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// How many tasks were cancelled, or told to end.
    pub cancelled: u64,
    /// The same number.
    pub count: u64,
}

impl Tasks {
    /// Cancels one task and waits until it has ended, at most for the grace of its tool. `CONFLICT` when it had ended
    /// before.
    pub async fn cancel_one(&self, caller: &Caller, id: &str) -> Result<ShownTask> {
        let task = self.find(caller, id).await?;
        if let CancelAck::Before(state) = self.0.cancel(&task.asked.id, "by request").await? {
            let message = format!("task {} has ended already: {state}", task.asked.id);
            return Err(Error::new(ErrorKind::Conflict, message).with("status", state.name()));
        }
        let ended = self.0.end_of(&task.asked.id, PATIENCE).await?;
        Ok(self.0.show(&ended))
    }

    /// Cancels all of the caller's tasks that a selection means and that have not ended.
    pub async fn cancel_many(&self, caller: &Caller, selection: &Selection) -> Result<Cancelled> {
        let filter = selection.filter(caller, self.0.now_ms())?;
        let queue = self.0.queue()?;
        let cancelled = queue
            .cancel_all(filter, "by request")
            .await
            .map_err(|error| crate::backing::store_error("cancelling tasks", error))?;
        Ok(Cancelled { cancelled, count: cancelled })
    }

    /// How many tasks [`Tasks::cancel_many`] would meet, up to 1,000.
    pub async fn count_unended(&self, caller: &Caller, selection: &Selection) -> Result<u64> {
        let mut filter = selection.filter(caller, self.0.now_ms())?;
        if filter.states.is_empty() {
            filter.states =
                gabier_store::queue::State::ALL.into_iter().filter(|state| !state.is_terminal()).collect();
        }
        let queue = self.0.queue()?;
        let page = self.0.ask("listing tasks", queue.list(filter, None, 1000)).await?;
        Ok(page.items.iter().filter(|task| !task.state.is_terminal()).count() as u64)
    }
}

impl Engine {
    /// Asks a task to end.
    pub(crate) async fn cancel(&self, id: &TaskId, why: &str) -> Result<CancelAck> {
        let queue = self.queue()?;
        let ack = self.ask("cancelling a task", queue.cancel(id, why)).await?;
        match ack {
            CancelAck::Unknown => return Err(unknown(id.as_str())),
            // When it runs here there is no need to wait for the store to tell.
            CancelAck::Told => self.leases.stop(id, &Stop::Cancelled(why.to_owned())),
            CancelAck::Ended | CancelAck::Before(_) => {}
        }
        Ok(ack)
    }

    /// The task at its end, or as it is when patience ends.
    async fn end_of(&self, id: &TaskId, patience: Duration) -> Result<Task> {
        let backing = self.backing()?;
        let mut follow = self.follow(&backing, id);
        let mut latest = follow.next().await?;
        let over = self.clock.sleep(patience);
        tokio::pin!(over);
        while !latest.state.is_terminal() {
            tokio::select! {
                task = follow.next() => latest = task?,
                () = &mut over => break,
            }
        }
        Ok(latest)
    }
}
