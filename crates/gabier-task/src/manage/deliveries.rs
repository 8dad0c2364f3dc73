//! Webhook deliveries, listed and made again.

use gabier_store::queue::{Cursor, Delivery, DeliveryState};
use gabier_tool::{Caller, Error, Result, iso};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kept::timestamp;
use crate::tasks::{Tasks, scope};

/// The longest page.
const MOST: usize = 1000;

/// A page of deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deliveries {
    /// The deliveries, newest first.
    pub deliveries: Vec<ShownDelivery>,
    /// Where the next page begins, when there may be one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One event that a receiver is to hear of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShownDelivery {
    /// Its id, the same at every try.
    pub id: String,
    /// The task it tells of.
    pub task_id: String,
    /// What happened: processing, completed, error, cancelled.
    pub event: String,
    /// Where it goes.
    pub url: String,
    /// How it stands: waiting, done, dead.
    pub status: String,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
    /// How the last try ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

impl ShownDelivery {
    fn of(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            task_id: delivery.task.to_string(),
            event: delivery.event.name().to_owned(),
            url: delivery.url,
            status: state_name(delivery.state).to_owned(),
            attempts: delivery.attempts,
            next_at: delivery.next.map(|at| iso(timestamp(at))),
            last: delivery.last,
        }
    }
}

const STATES: [DeliveryState; 3] = [DeliveryState::Waiting, DeliveryState::Done, DeliveryState::Dead];

const fn state_name(state: DeliveryState) -> &'static str {
    match state {
        DeliveryState::Waiting => "waiting",
        DeliveryState::Done => "done",
        DeliveryState::Dead => "dead",
    }
}

impl Tasks {
    /// A page of the deliveries of the caller's tasks, in one state (`waiting`, `done`, `dead`) or any.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        status: Option<&str>,
        limit: usize,
        cursor: Option<String>,
    ) -> Result<Deliveries> {
        let state = match status {
            None => None,
            Some(word) => Some(
                STATES
                    .into_iter()
                    .find(|state| state_name(*state) == word)
                    .ok_or_else(|| Error::invalid("status", "must be waiting, done or dead"))?,
            ),
        };
        let queue = self.0.queue()?;
        let list = queue.deliveries(scope(caller), state, cursor.map(Cursor), limit.clamp(1, MOST));
        let page = self.0.ask("listing deliveries", list).await?;
        Ok(Deliveries {
            deliveries: page.items.into_iter().map(ShownDelivery::of).collect(),
            next_cursor: page.next.map(|next| next.0),
        })
    }

    /// Makes a delivery of one of the caller's tasks due again, from its first try.
    pub async fn replay(&self, caller: &Caller, id: &str) -> Result<String> {
        let unknown = || Error::not_found(format!("there is no delivery {id:?}"));
        // `msg_<task>_<event>`: the task decides whose it is.
        let task = id.strip_prefix("msg_").and_then(|rest| rest.rsplit_once('_')).ok_or_else(unknown)?.0;
        self.find(caller, task).await.map_err(|_| unknown())?;
        let queue = self.0.queue()?;
        let is_known = self.0.ask("replaying a delivery", queue.replay(id)).await?;
        if is_known { Ok(id.to_owned()) } else { Err(unknown()) }
    }
}
